"""Verdicts: differential, without pragmas, failing closed."""

from collections import Counter
from concurrent.futures import Future

import pytest
from fakes import (
    ImmediateLinter,
    ManualLinter,
    finding,
    gate_of,
    lint_bad,
    lint_nothing,
    moving_gate,
    python_gate,
)
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.gate import (
    Baseline,
    Gate,
    GatePolicy,
    Reason,
    added_pragma,
    finding_key,
    judge,
    lint_base,
    new_findings,
)
from lintseq_lsp.linters.base import Check, Dependencies, Finding, OnDisk, Report, Tier
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.text import Document

findings = st.lists(
    st.builds(finding, st.sampled_from(["a", "b", "already defined line 12"]), st.integers(1, 99)), max_size=6
)


def keys(of: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter(map(finding_key, of))


@given(findings, findings)
def test_new_findings_are_the_difference_of_multisets(before: list[Finding], after: list[Finding]) -> None:
    new = new_findings(keys(before), after)
    assert keys(new) == keys(after) - keys(before)
    assert all(found in after for found in new)


@given(findings, st.integers(0, 50))
def test_findings_that_only_move_are_not_new(before: list[Finding], down: int) -> None:
    moved = [
        Finding(old.symbol, old.code, old.message.replace("12", str(12 + down)), old.line + down)
        for old in before
    ]
    assert new_findings(keys(before), moved) == []


def test_a_second_finding_of_the_same_kind_is_new() -> None:
    assert new_findings(keys([finding("a", 1)]), [finding("a", 1), finding("a", 7)]) == [finding("a", 7)]


def baseline(*before: str) -> Baseline:
    return Baseline(keys([finding(message) for message in before]), Tier.PYLINT)


def test_verdicts() -> None:
    clean = Report((), Tier.NAMES, milliseconds=3.0)
    accepted = judge(baseline(), clean)
    assert accepted.accepted
    assert (accepted.tier, accepted.milliseconds) == (Tier.NAMES, 3.0)
    assert judge(baseline("a"), Report((finding("a", 5),))).accepted
    rejected = judge(baseline("a"), Report((finding("a"), finding("b"))))
    assert rejected.reason is Reason.NEW_FINDINGS
    assert rejected.findings == [finding("b")]
    broken = judge(baseline("a"), Report((finding("a"),), parsed=False))
    assert broken.reason is Reason.DOES_NOT_PARSE
    assert broken.detail == "a"


def test_it_fails_closed() -> None:
    crashed = judge(baseline(), Report((), failure="killed"))
    assert (crashed.reason, crashed.detail) == (Reason.LINTER_FAILED, "killed")
    unknown = judge(Baseline(Counter(), Tier.NONE, failure="no answer"), Report(()))
    assert (unknown.reason, unknown.detail) == (Reason.LINTER_FAILED, "no answer")


class PromiseBreaker(ImmediateLinter):
    """Against the protocol, the future does not hold a report."""

    def __init__(self, future: Future[Report]) -> None:
        super().__init__()
        self.future = future

    def submit(self, check: Check) -> Future[Report]:
        self.checks.append(check)
        return self.future


def test_a_linter_that_raises_rejects() -> None:
    document = Document("x = 1\n")
    raising: Future[Report] = Future()
    raising.set_exception(TimeoutError("lost"))
    verdict = gate_of(PromiseBreaker(raising)).submit(document, document, baseline()).result(timeout=0)
    assert verdict.reason is Reason.LINTER_FAILED
    assert "lost" in verdict.detail
    cancelled: Future[Report] = Future()
    cancelled.cancel()
    verdict = gate_of(PromiseBreaker(cancelled)).submit(document, document, baseline()).result(timeout=0)
    assert not verdict.accepted


def test_a_base_that_failed_rejects_without_a_check() -> None:
    linter = ImmediateLinter()
    document = Document("x = 1\n")
    failed = Baseline(Counter(), Tier.NONE, failure="killed")
    verdict = gate_of(linter).submit(document, document, failed).result(timeout=0)
    assert verdict.reason is Reason.LINTER_FAILED
    assert linter.checks == []


PRAGMAS = [
    "x = y  # pylint: disable=undefined-variable",
    "# pylint:skip-file",
    "#pylint: disable-next=all",
    "x = 1  # NOQA",
    "x = 1  # noqa: F821",
    "x = 1  # a remark  # noqa",
    "x = 1  # type: ignore[name-defined]",
    "# ruff: noqa",
    "# flake8: noqa",
    "# mypy: ignore-errors",
    "x = 1  # pyright: ignore",
    "x = 1  # nosec",
    "# -*- coding: rot13 -*-",
    "\x0cx = 1  # pylint: disable=all",
]


@pytest.mark.parametrize("pragma", PRAGMAS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_pragmas_do_not_help(pragma: str, newline: str) -> None:
    before = f"import os{newline}x = 1{newline}"
    linter = ImmediateLinter()
    added = Document(before + pragma + newline)
    verdict = gate_of(linter).submit(Document(before), added, baseline()).result(timeout=0)
    assert verdict.reason is Reason.PRAGMA
    assert linter.checks == []


@pytest.mark.parametrize("pragma", PRAGMAS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_pragmas_that_were_there_may_stay_and_move(pragma: str, newline: str) -> None:
    before = f"import os{newline}{pragma}{newline}"
    assert not added_pragma(before, f"{pragma}{newline}import os{newline}x = 2{newline}")
    assert added_pragma(before, f"{before}{pragma}{newline}")
    assert not added_pragma(before, f"import os{newline}")


@pytest.mark.parametrize(
    "line",
    ["x = 1  # a pylint user", "# no qualms", "pylint = 'disable'", "# the type: an int", "# nosecond"],
)
def test_ordinary_comments_are_no_pragmas(line: str) -> None:
    assert not added_pragma("", line)


# What an edit is compared with


def test_the_line_that_is_being_typed_counts_as_pass() -> None:
    document = Document("def f():\r\n    retur\r\n")
    assert lint_base(document, 1) == [
        "def f():\r\n    retur\r\n",
        "def f():\r\n    pass\r\n",
        "def f():\r\n\r\n",
    ]
    assert lint_base(document, 2) == [document.text, document.text + "    pass"]
    assert lint_base(document, 99) == [document.text]
    assert lint_base(document, None) == [document.text]


def test_the_baseline_of_a_half_typed_file_is_that_of_its_rest() -> None:
    gate = python_gate()
    found = gate.baseline(Document("undefined_name\nx = foo(\n"), 1)
    assert found.parsed
    assert [message for _, message in found.findings] == ["Undefined variable 'undefined_name'"]


def test_when_nothing_parses_the_last_version_that_did_counts() -> None:
    gate = python_gate()
    gate.baseline(Document("undefined_name\n", path="a.py"))
    broken = Document("undefined_name\n)(\n)(\n", path="a.py")
    found = gate.baseline(broken, 0)
    assert not found.parsed
    assert found.findings[("undefined-variable", "Undefined variable 'undefined_name'")] == 1
    other = gate.baseline(Document(")(\n)(\n", path="b.py"), 0)
    assert not other.parsed
    assert not other.findings


def test_an_edit_that_mends_a_broken_file_is_judged_by_what_can_be_known() -> None:
    gate = python_gate()
    before = Document("x = (\ny = (\n")
    found = gate.baseline(before, 0)
    assert not found.parsed
    verdict = gate.submit(before, Document("x = 1\ny = 2\n"), found).result(timeout=0)
    assert verdict.accepted
    verdict = gate.submit(before, Document("x = 1\ny = (\n"), found).result(timeout=0)
    assert verdict.reason is Reason.DOES_NOT_PARSE


def test_a_baseline_is_asked_for_once_unless_it_failed() -> None:
    linter = ImmediateLinter()
    gate = gate_of(linter)
    document = Document("bad\n", path="a.py")
    assert gate.baseline(document) == gate.baseline(document)
    assert len(linter.checks) == 1
    gate.baseline(Document("bad\n", path="b.py"))
    assert len(linter.checks) == 2
    answers = iter([Report(failure="killed"), Report((finding("bad"),))])
    flaky = gate_of(ImmediateLinter(lambda _: next(answers)))
    assert flaky.baseline(document).failure == "killed"
    assert flaky.baseline(document).failure is None


def test_the_quick_check_rejects_and_never_accepts() -> None:
    linter = ManualLinter(lint_bad)
    gate = gate_of(linter, lint_bad)
    before = Document("bad one\n")
    known = Baseline(keys([finding("bad one")]), Tier.PYLINT, keys([finding("bad one")]))
    rejected = gate.submit(before, Document("bad one\nbad two\n"), known)
    assert rejected.result(timeout=0).findings == [finding("bad two", 2)]
    assert linter.checks == []
    open_still = gate.submit(before, Document("bad one\nfine\n"), known)
    assert not open_still.done()
    linter.answer()
    assert open_still.result(timeout=0).accepted


def test_without_the_quick_check_all_is_listed() -> None:
    linter = ImmediateLinter(lambda _: Report((finding("deep"), finding("bad two"))))
    gate = gate_of(linter, lint_bad)
    verdict = gate.submit(Document(""), Document("bad two\n"), baseline(), early=False).result(timeout=0)
    assert [found.message for found in verdict.findings] == ["deep", "bad two"]


def test_a_quick_check_that_fails_leaves_it_to_the_linter() -> None:
    gate = gate_of(ImmediateLinter(), lambda _: Report(failure="too deep"))
    assert gate.submit(Document(""), Document("x\n"), baseline()).result(timeout=0).accepted


def test_long_files_are_judged_by_a_lower_tier() -> None:
    policy = GatePolicy(pylint_lines=10, names_lines=20)
    assert [policy.tier(lines) for lines in (10, 11, 20, 21)] == [
        Tier.PYLINT,
        Tier.NAMES,
        Tier.NAMES,
        Tier.SYNTAX,
    ]
    linter = ImmediateLinter(lambda _: Report((), Tier.SYNTAX))
    gate = gate_of(linter)
    long = Document("x = 1\n" * 20_000)
    found = gate.baseline(long)
    gate.submit(long, Document(long.text + "y = 2\n"), found).result(timeout=0)
    assert [check.tier for check in linter.checks] == [Tier.SYNTAX] * 2
    assert linter.checks[1].timeout == gate.policy.timeout


def test_a_candidate_is_judged_by_the_tier_of_its_base() -> None:
    """A file that grows over a bound is not compared with what another tier found."""
    linter = ImmediateLinter()
    gate = Gate(linter, lint_nothing, GatePolicy(pylint_lines=3))
    before = Document("a\nb\n")
    found = gate.baseline(before)
    gate.submit(before, Document("a\nb\nc\nd\n"), found).result(timeout=0)
    assert [check.tier for check in linter.checks] == [Tier.PYLINT, Tier.PYLINT]


@pytest.mark.parametrize("blank", ["", "    "])
def test_an_empty_body_is_no_reason_to_know_nothing(blank: str) -> None:
    document = Document(f"import nowhere\n\n\ndef f():\n{blank}\n")
    assert check_syntax(lint_base(document, 4)[1]).parsed
    gate = Gate(ImmediateLinter(lambda _: Report([finding("old")], Tier.PYLINT)), check_syntax)
    known = gate.baseline(document, 4)
    assert known.parsed
    assert known.findings == Counter({finding_key(finding("old")): 1})


class _Open(OnDisk):
    def modules(self, path: str) -> dict[str, str | None]:
        return {"other.py": f"beside {path}"}


def test_checks_have_what_the_workspace_has_of_other_modules() -> None:
    gate = gate_of(linter := ImmediateLinter())
    gate.workspace = _Open()
    document = Document("a\n", None, "a.py")
    gate.submit(document, Document("a\nb\n", None, "a.py"), gate.baseline(document)).result(timeout=0)
    assert [check.modules for check in linter.checks] == [{"other.py": "beside a.py"}] * 2


@pytest.mark.parametrize("text", ["a\n", "broken\n"])
def test_what_a_document_has_is_known_until_the_workspace_changes(text: str) -> None:
    """Also what it had when it last parsed."""
    found = ["old"]
    gate, workspace = moving_gate(
        lambda text: Report([finding(name) for name in found], parsed="broken" not in text)
    )

    def known() -> Counter[tuple[str, str]]:
        return gate.baseline(Document(text, None, "a.py")).findings

    assert gate.baseline(Document("a\n", None, "a.py")).findings == keys([finding("old")])
    assert known() == keys([finding("old")])
    found[:] = ["new"]
    assert known() == keys([finding("old")])
    workspace.state = "second"
    assert known() == keys([finding("new")])


def test_a_verdict_depends_on_what_both_reports_depend_on() -> None:
    gate, workspace = moving_gate()
    before, after = Document("a\n", None, "a.py"), Document("a\nb\n", None, "a.py")
    found = gate.baseline(before)
    same = gate.submit(before, after, found).result(timeout=0)
    assert same.dependencies == (Dependencies(names=frozenset({"first"})),)
    assert gate.holds("a.py", same.dependencies)
    workspace.state = "second"
    assert not gate.holds("a.py", same.dependencies)
    between = gate.submit(before, after, found).result(timeout=0)
    assert not gate.holds("a.py", between.dependencies)
    workspace.state = "first"
    assert not gate.holds("a.py", between.dependencies)
