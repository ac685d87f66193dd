"""Cells of notebooks as Python: what is IPython's own is recognised, and all else stays where it stands."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.notebooks import Cell, as_python, finished, prelude
from lintseq_lsp.text import Document

PYTHON = [
    # a cell, and the same with the blanks that stand for what is gone left out
    ("%%time\nx = 1", "_\nx = 1"),
    ("\n\n%%time\n%%capture\nx = 1", "\n\n_\n_\nx = 1"),
    ("%%capture out\nx = 1", "_\nx = 1"),
    ("%%timeit -n 10 y = 2\ny", "_;             y = 2\ny"),
    ("%time x = 1", "_;    x = 1"),
    ("%timeit -n 10 -r3 -o f(x)", "_;                   f(x)"),
    ("%prun -l 5 f(x)", "_;         f(x)"),
    ("%time for i in x: y = i", "for i in x: y = i"),
    ("%time files = !ls -l", "_;    files = _"),
    ("%time", "_"),
    ("%time?", "_"),
    ("files = !ls", "files = _"),
    ("t = %timeit -o 1 + 1\nt.best", "t = _\nt.best"),
    ("a, b = %sql -x", "a, b = _"),
    ("len?\nx = 1", "_\nx = 1"),
    ("?len\nx.y??", "_\n_"),
    ("!pip install \\\n  shelf\nx = 1", "_\n\nx = 1"),
    ("!echo it's (\nx = 1", "_\nx = 1"),
    ("!!ls", "_"),
    ("if x:\n    %cd ..\n    y = !ls\nelse:\n\t!ls", "if x:\n    _\n    y = _\nelse:\n\t_"),
    ("%matplotlib inline\r\nx = 1\r\n!ls\r\n", "_\r\nx = 1\r\n_\r\n"),
    ("/print 1", "_"),
    ("from __future__ import annotations, division  # so\nx = 1", "_\nx = 1"),
    # half-typed
    ("print(\n%matplotlib inline\nx = 1", "print(\n_\nx = 1"),
    ("def f(:\n!pip install \\\n  shelf", "def f(:\n_\n"),
    ("if x:\n    y\n  z\n%cd ..", "if x:\n    y\n  z\n_"),
    # Python
    ("y = (10\n     % 3)\nx = 1", "y = (10\n     % 3)\nx = 1"),
    ('"""\n%time x\n!ls\n"""', '"""\n%time x\n!ls\n"""'),
    ("x = 'why?'\n# why?\ny = 3 % x", "x = 'why?'\n# why?\ny = 3 % x"),
    ("x != y\nx = \\\n  y", "x != y\nx = \\\n  y"),
]


@pytest.mark.parametrize(("cell", "expected"), PYTHON)
def test_python_stays_where_it_stands(cell: str, expected: str) -> None:
    python = as_python(cell)
    assert python.is_code
    assert [line.rstrip() for line in Document(python.text).lines] == Document(expected).lines
    assert list(map(len, Document(python.text).lines)) == list(map(len, Document(cell).lines))
    assert len(python.text) == len(cell)


@pytest.mark.parametrize(
    "cell", ["%%bash\nls -l\n", "%%\nx", "%%html\n<b>", "%%time\n%%writefile a.py\nx = 1"]
)
def test_another_language_is_as_many_empty_lines(cell: str) -> None:
    for python in (as_python(cell), finished(cell)):
        assert python == Cell("\n" * cell.count("\n"), is_code=False)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("def f(:\n  x\n", "\n\n"),
        ("pip install shelf", ""),
        ("!ls\nx = 1", "_  \nx = 1"),
        (">>> x = 1\n>>> if x:\n...     y = 2\n", "x = 1\nif x:\n    y = 2\n"),
        ("In [1]: x = 1\n   ...: y = 2", "x = 1\ny = 2"),
        ("    x = 1\n    y = 2", "x = 1\ny = 2"),
    ],
)
def test_a_cell_that_is_not_being_typed_parses(cell: str, expected: str) -> None:
    assert finished(cell).text == expected


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("%%capture --no-stderr out\nx = 1", ("out",)),
        ("%%capture\nx = 1", ()),
        ("%%bash --out listed --err=wrong\nls", ("listed", "wrong")),
        ("%store -r frame", ("frame",)),
        ("%sql found << SELECT 1", ("found",)),
        ("%%R -o model\nmodel <- 1", ("model",)),
        ("%timeit -r 3 f(x)\nx = 1 << 2", ()),
        ("x = 1\ny = x << 2\n!ls -o z", ()),
    ],
)
def test_names_that_magics_bind_are_known(cell: str, names: tuple[str, ...]) -> None:
    assert finished(cell).names == names
    known = prelude([finished(cell)]) + "".join(f"{name}.x()\n" for name in names)
    assert check_syntax(known).findings == ()


PIECES = [*"%!?\\ \t\n\n\r(['\"#;,/=1", "%%", "%time ", "x", "if x:", "    ", "...", "\x0c", "\u2028", "é"]
PIECES += ["'''", "x = %", "%%bash", "# ", "\r\n", "😀"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("x = %'''a")  # half typed: IPython looks behind its end
@example("?\\\n# \\\n;")
def test_any_text_has_its_length_and_what_is_done_is_done(cell: str) -> None:
    python = as_python(cell)
    if python.is_code:
        assert list(map(len, Document(python.text).lines)) == list(map(len, Document(cell).lines))
        assert as_python(python.text).text == python.text
    finished(cell)


def test_the_names_of_ipython_are_known() -> None:
    cells = [Cell("Out[1], In[0], _, __, display(_3, _i4), get_ipython()", ("annotations",))]
    text = prelude(cells) + cells[0].text
    assert check_syntax(text).findings == ()
    assert text.startswith("from __future__ import annotations; ")
    assert check_syntax(prelude([]) + "_3").findings


def test_ipython_is_imported_only_for_its_commands() -> None:
    code = (
        "import sys; from lintseq_lsp.notebooks import as_python; as_python('x = 1 % 2\\n'); "
        "print('IPython' in sys.modules); as_python('!ls'); print('IPython' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


READS = """
import os, sys, threading
seen = []
EVENTS = ("open", "os.mkdir", "os.listdir", "os.scandir", "os.posix_spawn", "os.fork", "subprocess.Popen")
sys.addaudithook(lambda event, given: seen.append((event, given and given[0])) if event in EVENTS else None)
from lintseq_lsp.notebooks import as_python
as_python("!ls")
installed = (sys.prefix, sys.base_prefix, os.getcwd())
print(threading.active_count(), [entry for entry in seen
    if not str(entry[1]).startswith(installed) and not isinstance(entry[1], int)])
"""


def test_importing_ipython_reads_no_profile_and_starts_nothing(tmp_path) -> None:
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    for place in (startup / "a.py", tmp_path / "profile_default" / "ipython_config.py"):
        place.write_text("raise SystemExit('run')")
    environment = {"IPYTHONDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", READS], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "1 []"
