"""The demo: what the embedded model does in it is useful, clean, and shown with every verdict."""

import shutil
import time
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lintseq_lsp.commands import app, tour

ROOT = Path(__file__).parents[1]


RECORDED = f"scripted:{ROOT / 'examples' / 'words.py'}"
"""A model that writes no edits."""


@cache
def shipped() -> str:
    """What the model that ships does."""
    return toured()


def toured(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["tour", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_each_situation_ends_with_a_useful_edit_that_was_accepted() -> None:
    parts = shipped().split("\n\n1. ")[1].replace("\n2. ", "\n3. ").split("\n3. ")
    answers = [
        "+    bottom = min(corner.y for corner in corners)",
        "+    return sum(values) / len(values)",
        "+        return len(self.jobs)",
    ]
    assert len(parts) == len(answers)
    for part, answer in zip(parts, answers, strict=True):
        _, accepted = part.rsplit("answer accepted by pylint", 1)
        assert answer in accepted
        assert "nothing:" not in part


def test_one_answer_is_rejected_and_shown_with_what_is_wrong_with_it() -> None:
    rejected = shipped().split("answer rejected by ")[1].split("answer accepted")[0]
    assert "+    return np.mean(values)" in rejected
    assert "E0602 undefined-variable: Undefined variable 'np'" in rejected
    assert " ms" in rejected


def test_no_pause_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(time, "sleep", paused.append)
    toured("--model", RECORDED)
    assert not any(paused)
    toured("--model", RECORDED, "--pause", "0.5")
    assert paused.count(0.5) == 2 * len(tour.SITUATIONS)


def test_a_model_that_writes_nothing_useful_is_no_error() -> None:
    assert "nothing: " in toured("--model", RECORDED)


def test_files_that_are_not_those_that_ship_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "examples" / "geometry.py").write_text("x = 1\n", "utf-8")
    monkeypatch.setattr(tour, "examples_folder", lambda: tmp_path / "examples")
    result = CliRunner().invoke(app, ["tour", "--model", RECORDED])
    assert result.exit_code == 2
    assert "was changed: install" in result.output


def test_make_demo_is_the_tour() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\ndemo: $(READY)\n\t@$(BIN)/lintseq-lsp tour $(ARGS)\n" in makefile
