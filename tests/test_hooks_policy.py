"""What an agent is told at once, what waits for its turn's end, and how often it is told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.hooks.policy import DEFINITE, MOST_FINDINGS, NAMES, New, at_once, message, still_to_tell
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.text import Document

UNDEFINED = Finding("undefined-variable", "E0602", "Undefined variable 'Path'", 2)


def new(before: str | None, after: str, *findings: Finding) -> New:
    return New("/w/a.py", None if before is None else Document(before), Document(after), findings)


def name(path: str) -> str:
    return path.rpartition("/")[2]


def symbols(judged: New) -> list[str]:
    return [finding.symbol for finding in judged.findings]


def test_a_definition_that_was_taken_away_is_told_at_once() -> None:
    judged = new("from pathlib import Path\n\nPath()\n", "\nPath()\n", UNDEFINED)
    assert symbols(at_once(judged)) == ["undefined-variable"]


def test_a_name_on_a_line_that_was_written_waits_for_its_import() -> None:
    assert symbols(at_once(new("x = 1\n", "x = 1\nPath()\n", UNDEFINED))) == []


def test_a_line_that_was_changed_was_written() -> None:
    assert symbols(at_once(new("x = 1\nprint(1)\n", "x = 1\nprint(Path)\n", UNDEFINED))) == []


def test_a_line_that_was_moved_or_indented_was_not_written() -> None:
    judged = new("if a:\n    b = 1\nPath()\n", "b = 1\nif a:\n    Path()\n", Finding(*_undefined(), 3))
    assert symbols(at_once(judged)) == ["undefined-variable"]


def _undefined() -> tuple[str, str, str]:
    return UNDEFINED.symbol, UNDEFINED.code, UNDEFINED.message


@pytest.mark.parametrize("before", [None, "x = 1\n"])
def test_what_does_not_parse_is_told_at_once(before: str | None) -> None:
    broken = Finding("syntax-error", "E0001", "Parsing failed: 'invalid syntax'", 1)
    assert symbols(at_once(new(before, "x = = 1\n", broken))) == ["syntax-error"]


def test_a_definite_error_counts_on_written_lines_alone() -> None:
    wrong = Finding("too-few-format-args", "E1306", "Not enough arguments for format string", 1)
    assert symbols(at_once(new("x\n", "'%s %s' % 1\n", wrong))) == ["too-few-format-args"]
    assert symbols(at_once(new("'%s %s' % A\nA = 2\n", "'%s %s' % A\nA = 1\n", wrong))) == []


@pytest.mark.parametrize("symbol", ["no-member", "import-error", "no-value-for-parameter", "bad-indentation"])
def test_what_another_edit_may_make_right_waits(symbol: str) -> None:
    assert symbols(at_once(new("x\n", "y\n", Finding(symbol, "E0000", "m", 1)))) == []


def test_what_one_of_several_says_at_once_is_told_at_once() -> None:
    other = Finding("is-literal", "F632", "m", 1, 0, "ruff")
    assert symbols(at_once(new("x\n", "y\n", replace(UNDEFINED, line=1, same=(other,))))) == [
        UNDEFINED.symbol
    ]


def test_the_symbols_are_errors_of_pylint() -> None:
    from pylint.checkers import initialize
    from pylint.lint import PyLinter

    linter = PyLinter()
    initialize(linter)
    errors = {message.symbol for message in linter.msgs_store.messages if message.msgid[0] == "E"}
    assert errors >= DEFINITE["pylint"] | NAMES["pylint"]


def test_a_finding_is_told_twice_and_then_no_more() -> None:
    judged, counts = new("", "a\nPath()\n", UNDEFINED), {}
    for times in range(4):
        left, counts = still_to_tell(judged, counts)
        assert len(left.findings) == (times < 2)


def test_a_second_identical_finding_is_another_one() -> None:
    one = new("", "a\nPath()\n", UNDEFINED)
    _, counts = still_to_tell(one, {})
    _, counts = still_to_tell(one, counts)
    two = new("", "b\n\nPath()\nPath()\n", Finding(*_undefined(), 3), Finding(*_undefined(), 4))
    left, _ = still_to_tell(two, counts)
    assert len(left.findings) == 1


def test_a_message_says_that_the_edit_was_applied() -> None:
    judged = new("", "a\nPath()\n", UNDEFINED)
    assert message([judged], turn=False, called=name) == (
        "The edit was applied. It introduces:\na.py:2: E0602 undefined-variable: Undefined variable 'Path'"
    )
    assert message([judged], turn=True, called=str).startswith(
        "The edits were applied. They introduce:\n/w/a.py:2"
    )
    assert message([new("", "a\n")], turn=False, called=name) == ""


def test_nothing_is_called_new_where_the_text_before_is_not_known() -> None:
    broken = Finding("syntax-error", "E0001", "Parsing failed:\n 'invalid (<unknown>, line 1)'", 1)
    told = message([new(None, "x = = 1\n", broken)], turn=False, called=name)
    assert "introduce" not in told
    assert told.splitlines()[1:] == ["a.py:1: E0001 syntax-error: Parsing failed: 'invalid'"]


@given(st.integers(1, 30))
def test_a_message_has_ten_findings_at_most(number: int) -> None:
    findings = [Finding("no-member", "E1101", f"m{n}", n) for n in range(1, number + 1)]
    lines = message([new("", "\n" * 40, *findings)], turn=True, called=name).splitlines()
    assert len(lines) == 1 + min(number, MOST_FINDINGS) + (number > MOST_FINDINGS)
    if number > MOST_FINDINGS:
        assert lines[-1] == f"and {number - MOST_FINDINGS} more"
