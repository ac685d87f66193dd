"""An engine is put together, and parts of it are opened anew."""

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
