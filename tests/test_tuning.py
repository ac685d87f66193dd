"""How many threads a model gets: what was measured, and where it is remembered."""

import json
from pathlib import Path

import pytest
from small_model import SMALL_MODEL
from typer.testing import CliRunner

from lintseq_lsp import tuning
from lintseq_lsp.backends import llama
from lintseq_lsp.commands import app
from lintseq_lsp.runtime import open_backend
from lintseq_lsp.settings import Settings
from lintseq_lsp.tuning import Rate, Threads, best, remember, remembered

MODEL = Path("model.gguf")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "state" / "threads.json"
    monkeypatch.setattr(tuning, "_file", lambda: file)
    return file


def test_more_threads_have_to_be_worth_it() -> None:
    assert best([Rate(1, 640, 182), Rate(2, 770, 135)]) == Threads(2, 1)
    assert best([Rate(1, 100, 50), Rate(2, 108, 54), Rate(4, 300, 55)]) == Threads(4, 1)


def test_what_was_measured_is_remembered_by_model_and_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert remembered(MODEL) is None
    remember(MODEL, Threads(4, 2))
    remember(Path("elsewhere/other.gguf"), Threads(1, 1))
    assert remembered(Path("moved/model.gguf")) == Threads(4, 2)
    assert remembered(Path("other.gguf")) == Threads(1, 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert remembered(MODEL) is None


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", "null", '{"read": 1}', '{"read": 0, "write": 1}', '{"read": "2", "write": 1}']
)
def test_what_is_damaged_counts_as_not_measured(state: Path, damage: str) -> None:
    remember(MODEL, Threads(4, 2))
    (key,) = json.loads(state.read_text())
    for text in (damage, f'{{"{key}": {damage or "null"}}}'):
        state.write_text(text)
        assert remembered(MODEL) is None
    remember(MODEL, Threads(4, 2))
    assert remembered(MODEL) == Threads(4, 2)


@pytest.mark.parametrize(("setting", "expected"), [(0, (2, 2)), (1, (1, None))])
def test_the_server_uses_what_was_measured_where_no_number_is_set(
    monkeypatch: pytest.MonkeyPatch, setting: int, expected: tuple[int, int | None]
) -> None:
    remember(SMALL_MODEL, Threads(2, 2))
    opened = []

    class Noted(llama.LlamaBackend):
        def __init__(self, path: Path, *, threads: int, writing_threads: int | None, **rest: int) -> None:
            opened.append((threads, writing_threads))
            super().__init__(path, threads=threads, writing_threads=writing_threads, **rest)

    monkeypatch.setattr(llama, "LlamaBackend", Noted)
    backend, *_ = open_backend(Settings(model=str(SMALL_MODEL), threads=setting))
    backend.close()
    assert opened == [expected]


def test_the_command_measures_and_remembers() -> None:
    result = CliRunner().invoke(app, ["doctor", "--tune", "--model", str(SMALL_MODEL)])
    assert result.exit_code == 0, result.output
    assert "1 thread(s): reads" in result.output
    assert remembered(SMALL_MODEL) is not None
