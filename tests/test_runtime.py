"""An engine is put together, and parts of it are opened anew."""

import subprocess
import sys
from pathlib import Path

import pytest
from fakes import ImmediateLinter

from lintseq_lsp import runtime
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import ModelError
from lintseq_lsp.settings import Part, Settings
from lintseq_lsp.suggestions import Memory
from lintseq_lsp.text import Document


@pytest.fixture
def linters(monkeypatch: pytest.MonkeyPatch) -> list[ImmediateLinter]:
    """Those that were opened, in order."""
    opened: list[ImmediateLinter] = []

    def open_linter(*_: object) -> ImmediateLinter:
        opened.append(ImmediateLinter())
        return opened[-1]

    monkeypatch.setattr(runtime, "open_linter", open_linter)
    return opened


@pytest.fixture
def engine(linters: list[ImmediateLinter], tmp_path: Path) -> Engine:
    assert linters == []
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("")
    return runtime.open_engine(Settings(model="scripted:a.txt"), model_folder=tmp_path, memory=Memory())


def test_another_linter_is_asked_anew_and_knows_what_parsed_last(
    engine: Engine, linters: list[ImmediateLinter]
) -> None:
    whole, broken = Document("bad\n", 1, "a.py"), Document("bad\n)\n", 2, "a.py")
    engine.prepare(whole)
    again = runtime.reopen(engine, {Part.LINTER}, Settings(gate_timeout=7.0))
    assert again is engine
    assert [linter.closed for linter in linters] == [True, False]
    assert again.gate.policy.timeout == 7.0
    assert again.gate.against(broken).stand_in == whole.text
    assert [check.text for check in linters[1].checks] == [whole.text]


def test_another_model_has_the_same_linter_and_memory(
    engine: Engine, linters: list[ImmediateLinter], tmp_path: Path
) -> None:
    again = runtime.reopen(engine, {Part.MODEL}, Settings(model="scripted:b.txt"), model_folder=tmp_path)
    assert again.backend.name == "b.txt"
    assert (again.gate, again.memory) == (engine.gate, engine.memory)
    assert [linter.closed for linter in linters] == [False]


def test_without_a_model_nothing_stays_open(engine: Engine, linters: list[ImmediateLinter]) -> None:
    with pytest.raises(ModelError):
        runtime.reopen(engine, set(Part), Settings(model="no such model"))
    assert [linter.closed for linter in linters] == [True, True]


@pytest.mark.parametrize("error", ["OSError('libgomp.so.1 is gone')", "RuntimeError('libgomp.so.1 is gone')"])
def test_a_llama_that_cannot_be_loaded_is_a_clear_error(error: str, tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text(f"raise {error}\n")
    (tmp_path / "a.py").write_text("x = 1\n")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from lintseq_lsp.cli import main; "
        "sys.argv[1:] = ['complete', 'a.py', '--line', '0', '--column', '0']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for part in ("libgomp.so.1 is gone", "install llama-cpp-python", "lintseq-lsp doctor"):
        assert part in done.stderr
