"""The shortest ending of a statement that is being written: what it is, and when there is none."""

import ast
from pathlib import Path

import pytest

from lintseq_lsp import gate, text, unfinished
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.text import Document
from lintseq_lsp.unfinished import Finished, finished


def ended(source: str) -> Finished | None:
    """Of a text in which `|` is the cursor."""
    return finished(Document(source.replace("|", "", 1)), source.index("|"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f(|", "f(\n)"),
        ("x = f(\n    {'a': [1,|\n", "x = f(\n    {'a': [1,\n]})\n"),
        ("f(a,  # of (two\n  b|\n", "f(a,  # of (two\n  b\n)\n"),
        ('f(\'(\', """[\n"""|)', None),  # nothing is open
        ("f(g(|)\nx = 1\n", "f(g()\n)\nx = 1\n"),
        ("a = b \\\n  + f(|", "a = b \\\n  + f(\n)"),
        ("def f(self|", "def f(self\n, *_, **__):\n    raise NotImplementedError"),
        ("def f(|", "def f(\nself, *_, **__):\n    raise NotImplementedError"),
        ("def f(self,|", "def f(self,\n*_, **__):\n    raise NotImplementedError"),
        ("def f(*, a|", "def f(*, a\n, **_):\n    raise NotImplementedError"),
        ("def f(self, _|", "def f(self, _\n, *__, **___):\n    raise NotImplementedError"),
        ("def f(x): return g(|", "def f(x): return g(\n)"),
        ("def f(a, *,|", "def f(a, *,\n_=None, **__):\n    raise NotImplementedError"),
        ("def f(**a|", "def f(**a\n):\n    raise NotImplementedError"),
        ("def f(a=g(|", "def f(a=g(\n)):\n    raise NotImplementedError"),
        ("def f(self):|", "def f(self):\n    raise NotImplementedError"),
        ("if x:\n  class A(B)|", "if x:\n  class A(B):\n    pass"),
        ("if x[1:2]|", "if x[1:2]:\n    raise NotImplementedError"),
        ("if (x := f(|", "if (x := f(\n)):\n    raise NotImplementedError"),
        ("if x: f(|", "if x: f(\n)"),
        ("if x:\n\ty\nelse:|", "if x:\n\ty\nelse:\n\traise NotImplementedError"),
        ("match x:|", "match x:\n    case _: raise NotImplementedError"),
        ("match x:\n    case 1|", "match x:\n    case 1"),  # of which nobody knows whether it is a header
        ("match = f(|", "match = f(\n)"),
        ("@a(1|", "@a(1\n)\ndef _unfinished(self, *_): raise NotImplementedError"),
        ("try:\r\n    f()|", "try:\r\n    f()\r\nfinally: pass"),
        ("try:|", "try:\n    raise NotImplementedError\nfinally: pass"),
        (
            "try:\n    try:\n        a|\n\n    # c\n    b\nd\n",
            "try:\n    try:\n        a\n    finally: pass\n\n    # c\n    b\nfinally: pass\nd\n",
        ),
        ("try:\n    f(|\nexcept E:\n    pass\n", "try:\n    f(\n)\nexcept E:\n    pass\n"),
        ("try:\n    f()\nexcept|", "try:\n    f()\nexcept:\n    raise NotImplementedError"),
        ("try:\n    f()\nx|", None),  # not in its body
        ("try:\n    f()\nfinally:\n    g(|", "try:\n    f()\nfinally:\n    g(\n)"),
        ("x = 1|", None),
        ("|", None),
        ("x = (\n    # c|", "x = (\n    # c\n)"),
        ("f('a|", None),  # inside of a string
        ("'''\n|", None),
        ("f(]|", None),
    ],
)
def test_the_shortest_ending(source: str, expected: str | None) -> None:
    found = ended(source)
    assert (found and found.document.text) == (None if source.replace("|", "") == expected else expected)


@pytest.mark.parametrize("module", [gate, text, unfinished])
def test_a_file_that_is_written_from_its_top_parses_with_the_ending(module: object) -> None:
    lines = Path(str(module.__file__)).read_text("utf-8").split("\n")  # type: ignore[attr-defined]
    tried = 0
    for count in range(1, len(lines)):
        document = Document("\n".join(lines[:count]))
        found = finished(document, len(document.text))
        if found is not None and not lines[count - 1].endswith("|"):
            ast.parse(found.document.text)
            tried += 1
    assert tried > 10


def test_what_is_for_want_of_the_rest_is_no_finding() -> None:
    found = ended("import os\nx = f(1)\ny = f(\n    2,|\n    \nz = f(3)\n")
    assert found is not None
    assert found.document.lines[found.first : found.last + 1] == ["y = f(", "    2,", ")"]
    findings = [
        Finding("no-value-for-parameter", "E1120", "of x", 2),
        Finding("no-value-for-parameter", "E1120", "of y", 3),
        Finding("missing-kwoa", "E1125", "of y", 5),
        Finding("too-many-function-args", "E1121", "of y", 3),
        Finding("no-value-for-parameter", "E1120", "of z", 7),
    ]
    left = [finding.message for finding in found.of_what_is_written(findings)]
    assert left == ["of x", "of y", "of z"]
    assert found.ending == ")"


def test_nothing_is_missing_in_what_is_closed() -> None:
    found = ended("x = f(a(), b.c().d(\n    '%s' % (1,), '%s' % (a(), |\n")
    assert found is not None
    begins = {"f": 4, "a": 6, "b.c and d": 11}
    findings = [Finding("no-value-for-parameter", "E1120", name, 1, begin) for name, begin in begins.items()]
    findings += [Finding("too-few-format-args", "E1306", f"at {column}", 2, column) for column in (4, 17)]
    findings.append(Finding("no-value-for-parameter", "E1120", "a again", 2, 25))
    assert [each.message for each in found.of_what_is_written(findings)] == ["a", "at 4", "a again"]


def test_what_other_linters_miss_may_be_for_want_of_the_rest_too() -> None:
    found = ended("f(|")
    assert found is not None
    theirs = Finding("missing-argument", "", "No argument provided for required parameter `a`", 1, 0, "ty")
    assert found.of_what_is_written([theirs]) == []
