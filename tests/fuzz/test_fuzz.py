"""A small share of each fuzz program, the cases that were wrong once, and what each program would find."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import fuzz_gate
import fuzz_protocol
import fuzz_streams
import pytest
from fuzz import FUZZES, TOTALS, rows_of, table_of, with_row
from fuzz_frame import CASES, Case, Figure, keep, run

from lintseq_lsp import edits, gate, verdicts
from lintseq_lsp.diffs import Diff, Hunk
from lintseq_lsp.excerpt import Excerpt
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document

SHARES = {"protocol": (300, 1), "streams": (5000, 1000), "answers": (1500, 100), "gate": (1, 2)}
"""How much of each, and how many cases in a batch."""
KEPT = sorted(CASES.glob("*.json"))


@pytest.mark.parametrize("name", FUZZES)
def test_a_small_share_of(name: str) -> None:
    most, batch = SHARES[name]
    wrong: list[str] = []
    figure = run(
        replace(FUZZES[name], batch=batch),
        1,
        seconds=120,
        most=most,
        found=lambda _, what: wrong.append(what),
    )
    assert wrong == []
    assert figure.count >= most


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_was_wrong_once_is_right(path: Path) -> None:
    kept = json.loads(path.read_text("utf-8"))
    assert FUZZES[kept["fuzz"]].check([kept["case"]]).wrong == []


# A fuzz program that finds nothing says something only if it would


def found_by(name: str, most: int, batch: int = 100) -> str:
    found: list[str] = []
    fuzz = replace(FUZZES[name], batch=batch)
    run(fuzz, 1, seconds=120, most=most, found=lambda _, what: found.append(what))
    return "\n".join(found)


def test_protocol_finds_another_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_protocol, "units", lambda *_: 5)
    assert "another text" in found_by("protocol", 300, batch=1)


def test_protocol_finds_a_response_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fuzz_protocol.answered
    monkeypatch.setattr(fuzz_protocol, "answered", lambda client: right(client) + Counter({"2": 1}))
    assert "too many" in found_by("protocol", 300, batch=1)


def test_streams_finds_a_wrong_application(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fuzz_streams.apply_diff

    def one_line_up(document: Document, excerpt: Excerpt, diff: Diff) -> object:
        hunks = tuple(Hunk(max(0, hunk.above - 1), hunk.added, hunk.removed) for hunk in diff.hunks)
        return right(document, excerpt, Diff(hunks))

    monkeypatch.setattr(fuzz_streams, "apply_diff", one_line_up)
    assert "another text" in found_by("streams", 500)


def test_answers_finds_a_gate_that_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = gate.judge
    monkeypatch.setattr(gate, "judge", lambda *given: replace(judge(*given), reason=Reason.ACCEPTED))
    assert "does not compile" in found_by("answers", 500)


def test_answers_finds_what_was_never_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    right = edits.apply
    monkeypatch.setattr(
        "lintseq_lsp.asking.complete.apply", lambda text, changes: right(text, changes) + "\n"
    )
    assert "without an accepted verdict" in found_by("answers", 500)


def test_gate_finds_a_gate_that_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = "def f(a):\n    return a\n\n\nprint(f(1))\n"
    where = {"text": whole.replace("return a", "return "), "line": 1, "column": 11}
    typing = {"kind": "ghost text", **where, "answers": [["    return b"], ["    return a"]]}
    case = {"module": "shapes", "whole": whole, "tries": [typing]}
    right = fuzz_gate.check([case])
    assert (right.count, right.wrong) == (1, [])
    monkeypatch.setattr(verdicts, "new_findings", lambda *_: [])
    ((_, what),) = fuzz_gate.check([case]).wrong
    assert json.loads(what)["new"] == [["undefined-variable", "Undefined variable 'b'"]]


def test_a_finding_is_kept_as_a_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case: Case = {"document": "\ud800"}
    monkeypatch.setattr("fuzz_frame.CASES", tmp_path)
    path = keep("streams", case, "a wrong text")
    assert json.loads(path.read_text("utf-8")) == {"fuzz": "streams", "wrong": "a wrong text", "case": case}


def test_totals_add_up() -> None:
    table = TOTALS.read_text("utf-8")
    assert table == table_of(rows_of(table))


def test_a_run_is_a_row() -> None:
    figures = [
        Figure("protocol", "messages", 7, 1500, 0, 40.0),
        Figure("gate", "states shown", 7, 20, 1, 80.0),
    ]
    table = with_row(with_row("", date(2026, 1, 2), figures), date(2026, 1, 3), figures)
    assert "**3,000 messages, 0 streams, 0 answers, 40 states shown; 2 wrong.**" in table
    assert rows_of(table)[1] == ["2026-01-03", "7", "2", "1,500", "0", "0", "20", "1"]
