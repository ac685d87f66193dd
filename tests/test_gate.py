"""Verdicts: differential, line by line, failing closed; what is there before while somebody types."""

from collections.abc import Iterator
from concurrent.futures import Future
from sys import version_info
from threading import Thread
from types import SimpleNamespace

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

from lintseq_lsp.errors import Pending
from lintseq_lsp.gate import Bar, Gate, GatePolicy, lint_base
from lintseq_lsp.linters.base import Check, Dependencies, OnDisk, Report, Tier
from lintseq_lsp.linters.environment import Environment, server_site_packages
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Known, judge, new_findings

bad_texts = st.lists(
    st.sampled_from(["", "fine", "good", "bad one", "bad two", "  bad two"]), max_size=8
).map("\n".join)


def known(text: str) -> Known:
    return Known(Document(text), lint_bad(text).findings)


def new(before: str, after: str) -> list[str]:
    """The new findings, as "line message"."""
    found = new_findings(known(before), Document(after), lint_bad(after).findings)
    return [f"{each.line} {each.message}" for each in found]


@given(bad_texts, bad_texts)
def test_no_finding_is_excused_twice(before: str, after: str) -> None:
    was, now = (len(lint_bad(text).findings) for text in (before, after))
    assert now - was <= len(new(before, after)) <= now
    assert new(before, before) == []


@given(bad_texts, st.lists(st.sampled_from(["", "fine", "x", "y"]), max_size=4), st.integers(0, 8))
def test_findings_that_only_move_are_not_new(before: str, added: list[str], above: int) -> None:
    lines = before.split("\n")
    assert new(before, "\n".join([*lines[:above], *added, *lines[above:]])) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("bad", "bad\nbad", ["2 bad"]),
        ("bad\nx", "x\ny\nbad", []),  # taken out, and put in elsewhere
        ("bad\nx", "if y:\n    bad\nx", []),  # indented anew
        ("x bad\ny", "x bad or z\ny", ["1 x bad or z"]),  # another message
        ("bad", "bad  # as ever", ["1 bad  # as ever"]),
        ("f(x)\nbad\nf(x)\nbad", "f(x)\nbad", []),
    ],
)
def test_what_is_new(before: str, after: str, expected: list[str]) -> None:
    assert new(before, after) == expected


def at(text: str, *lines: int) -> Known:
    """A text with the same finding on each of the (one-based) lines."""
    return Known(Document(text), [finding("the same", line) for line in lines])


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        # the finding goes, and comes where something was written
        (
            at("def f():\n    use(a)\n\n\ndef g():\n    run()\n", 2),
            "def f():\n    a = 1\n    use(a)\n\n\ndef g():\n    print(a)\n    run()\n",
            7,
        ),
        (at("count = total\nrun()\n", 1), "count = 1\nrun()\nshow(total)\n", 3),
        # ... on an equal line that was added, while the first one stayed
        (
            at("def f():\n    return a\n\n\ndef g():\n    run()\n", 2),
            "def f():\n    a = 1\n    return a\n\n\ndef g():\n    return a\n",
            7,
        ),
        # ... on a line that nobody touched
        (at("use(a)\nrun()\nshow(a)\n", 1), "run()\nshow(a)\n", 2),
    ],
)
def test_a_finding_that_goes_here_and_comes_there_is_new(before: Known, after: str, found: int) -> None:
    come = finding("the same", found)
    assert new_findings(before, Document(after), [come]) == [come]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (at("x = 1\ny = Post.objects\n", 2), "x = 1\ny = Post.objects.all()\n", 2),
        (at("total = sum(nope)\n", 1), "total = sum(nope, 1)\n", 1),
        (at("a\nuse(b)\n", 2), "a\nif a:\n    use(b)\n    go()\n", 3),
        (at("go()\n", 1), "go()", 9),  # a linter may count a line more than there is
    ],
)
def test_a_line_that_is_gone_on_with_keeps_its_finding(before: Known, after: str, found: int) -> None:
    assert new_findings(before, Document(after), [finding("the same", found)]) == []


def test_a_line_number_in_a_message_does_not_count() -> None:
    before = Known(Document("x"), [finding("already defined line 12")])
    assert new_findings(before, Document("x"), [finding("already defined line 14")]) == []


def bar(gate: Gate, before: Document, had: str = "") -> Bar:
    """For edits of `before`, which has what `had` has."""
    return Bar(gate, before, known(had), Tier.PYLINT)


def test_verdicts() -> None:
    clean = Report((), Tier.NAMES, milliseconds=3.0)
    accepted = judge(Known(), Document("x"), clean)
    assert accepted.accepted
    assert (accepted.tier, accepted.milliseconds) == (Tier.NAMES, 3.0)
    assert judge(known("bad"), Document("x\nbad"), lint_bad("x\nbad")).accepted
    rejected = judge(known("bad"), Document("bad\nbad b"), lint_bad("bad\nbad b"))
    assert rejected.reason is Reason.NEW_FINDINGS
    assert rejected.findings == [finding("bad b", 2)]
    assert (rejected.before, rejected.after) == (1, 2)
    broken = judge(known("bad"), Document("bad"), Report((finding("bad"),), parsed=False))
    assert broken.reason is Reason.DOES_NOT_PARSE
    assert broken.detail == "bad"


def test_it_fails_closed() -> None:
    crashed = judge(Known(), Document(""), Report((), failure="killed"))
    assert (crashed.reason, crashed.detail) == (Reason.LINTER_FAILED, "killed")


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
    verdict = bar(gate_of(PromiseBreaker(raising)), document).submit(document).result(timeout=0)
    assert verdict.reason is Reason.LINTER_FAILED
    assert "lost" in verdict.detail
    cancelled: Future[Report] = Future()
    cancelled.cancel()
    verdict = bar(gate_of(PromiseBreaker(cancelled)), document).submit(document).result(timeout=0)
    assert not verdict.accepted


def test_a_base_that_failed_rejects_without_a_check() -> None:
    linter = ImmediateLinter()
    document = Document("x = 1\n")
    failed = Bar(gate_of(linter), document, Known(), Tier.NONE, failure="killed")
    verdict = failed.submit(document).result(timeout=0)
    assert (verdict.reason, verdict.detail) == (Reason.LINTER_FAILED, "killed")
    assert linter.checks == []


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_pragmas_do_not_help(newline: str) -> None:
    before = Document(f"import os{newline}x = 1{newline}")
    added = Document(f"{before.text}x = y  # pylint: disable=undefined-variable{newline}")
    linter = ImmediateLinter()
    verdict = bar(gate_of(linter), before).submit(added).result(timeout=0)
    assert verdict.reason is Reason.PRAGMA
    assert linter.checks == []


def test_a_pragma_that_a_step_took_out_does_not_come_back_by_a_later_one() -> None:
    silent, loud = Document("x = 1  # noqa\n"), Document("x = 1\n")
    found = bar(gate_of(), silent)
    assert found.submit(Document("x = 2  # noqa\n")).result(timeout=0).accepted
    again = found.at(loud).submit(Document("x = 2  # noqa\n"))
    assert again.result(timeout=0).reason is Reason.PRAGMA


def test_a_pragma_of_the_line_that_is_typed_may_stay() -> None:
    gate = python_gate()
    before = Document("x = 1\nprint(x +  # noqa: E225\n")
    found = gate.against(before, 1)
    after = Document("x = 1\nprint(x + 1)  # noqa: E225\n")
    assert found.submit(after).result(timeout=0).accepted
    after = Document("x = 1\nprint(x + 1)  # noqa\n")
    assert found.submit(after).result(timeout=0).reason is Reason.PRAGMA


def test_the_line_that_is_typed_keeps_what_its_stand_in_has() -> None:
    """As with the indentation of a file of two spaces."""

    def lint(text: str) -> Report:
        lines = enumerate(text.split("\n"), 1)
        found = [finding("odd", number, "bad-indentation") for number, line in lines if line.startswith("  ")]
        return Report(found, Tier.PYLINT, parsed=check_syntax(text).parsed)

    gate = Gate(ImmediateLinter(lint), check_syntax, GatePolicy())
    before = Document("def f(x):\n  return max(\n")
    found = gate.against(before, 1)
    assert found.submit(Document("def f(x):\n  return max(x, 1)\n")).result().accepted
    more = Document("def f(x):\n  x += 1\n  return max(x, 1)\n")
    assert [each.line for each in found.submit(more).result().findings] == [2]


def test_a_pragma_elsewhere_does_not_silence_a_call_of_several_lines() -> None:
    gate = python_gate()
    gate.against(Document("import os  # noqa: F401\n"))
    before = Document("import os  # noqa: F401\nprint(\n    1,\n    max(2\n")
    found = gate.against(before, 3)
    assert not found.parsed
    after = "import os  # noqa: F401\nprint(\n    1,\n    max(2, 3))\n"
    assert found.submit(Document(after)).result(timeout=0).accepted
    silent = f"{after}x = y  # noqa: F821\n"
    assert found.submit(Document(silent)).result(timeout=0).reason is Reason.PRAGMA


@pytest.mark.parametrize("statement", ["max(  # noqa: E225\n    1,", "max(\n    1,  # noqa: E225\n    2,"])
def test_a_pragma_of_the_statement_that_is_typed_may_stay(statement: str) -> None:
    gate = python_gate()
    before = Document(f"x = 1\nprint(x)\nprint({statement}\n    m")
    found = gate.against(before, before.text.count("\n"))

    def judged(more: str) -> Reason:
        candidate = before.with_text(before.text + more)
        return found.submit(candidate, goes_on=len(candidate.text)).result(timeout=0).reason

    assert judged("ax(1),") is Reason.ACCEPTED
    assert judged("ax(1)))") is Reason.ACCEPTED
    assert judged("ax(1),  # noqa: E225") is Reason.PRAGMA
    assert judged("ax(1)))\nx = 2  # noqa: E225") is Reason.PRAGMA


# What an edit is compared with


def stand_ins(document: Document, line: int | None) -> list[str]:
    return [stand_in.text for stand_in in lint_base(document, line)]


def test_the_line_that_is_being_typed_counts_as_pass() -> None:
    document = Document("def f():\r\n    retur\r\n")
    assert stand_ins(document, 1) == [
        "def f():\r\n    retur\r\n",
        "def f():\r\n    pass\r\n",
        "def f():\r\n\r\n",
    ]
    assert stand_ins(document, 2) == [document.text, document.text + "    pass"]
    assert stand_ins(document, 99) == [document.text]
    assert stand_ins(document, None) == [document.text]
    assert stand_ins(Document("f(a  # noqa\n"), 0)[1] == "pass  # noqa\n"


def test_the_statement_that_is_being_typed_counts_as_pass_with_an_ending() -> None:
    document = Document("import gone\ntry:\n    f(\n        1,\n        2,\nx = 1\n")
    assert stand_ins(document, 4)[-1] == "import gone\ntry:\n\n\n    pass\nfinally: pass\nx = 1\n"
    assert [stand_in.left_out for stand_in in lint_base(document, 4)][-1] == "    f(\n        1,\n        2,"
    own = list(lint_base(document, 4))[-1].own
    assert own.text == document.text.replace("x = 1", "finally: pass\nx = 1")


def test_what_a_file_has_is_there_before_when_it_is_opened_in_the_middle_of_a_statement() -> None:
    gate = python_gate()
    document = Document("print(gone)\ntry:\n    x = f(\n        1,\n        2", path="opened.py")
    found = gate.against(document, 4)
    assert messages(found) == ["Undefined variable 'gone'"]
    candidate = document.with_text(document.text + ",")
    verdict = found.submit(candidate, goes_on=len(candidate.text)).result(timeout=0)
    assert [finding.message for finding in verdict.findings] == ["Undefined variable 'f'"]


def test_what_an_unfinished_statement_breaks_below_is_on_its_own_line() -> None:
    """The lines of the ending do not count: one behind the call, and one behind each block of a `try`."""
    above = "try:\n    try:\n        "
    below = "\n        id(1)\n    id(one)\nid(two)\n"
    before = Document(f"one = 1\n{above}f{below}", path="below.py")
    after = before.with_text(f"two = 1\n{above}print(f({below}")
    found = bar(python_gate(), before)
    candidate = after.with_text(after.text.replace("        id(1)\n", ""))
    verdict = found.submit(candidate, goes_on=candidate.text.index("f(") + 2).result(timeout=0)
    lines = {each.message: candidate.lines[each.line - 1].strip() for each in verdict.findings}
    assert lines == {"Undefined variable 'f'": "print(f(", "Undefined variable 'one'": "id(one)"}


def test_the_baseline_of_a_half_typed_file_is_that_of_its_rest() -> None:
    gate = python_gate()
    found = gate.against(Document("undefined_name\nx = foo(\n"), 1)
    assert found.parsed
    assert messages(found) == ["Undefined variable 'undefined_name'"]


def messages(found: Bar) -> list[str]:
    return [each.message for each in found.known.findings]


def test_when_nothing_parses_the_last_version_that_did_counts() -> None:
    gate = python_gate()
    gate.against(Document("undefined_name\n", path="a.py"))
    broken = Document("undefined_name\n)(\n)(\n", path="a.py")
    found = gate.against(broken, 0)
    assert not found.parsed
    assert messages(found) == ["Undefined variable 'undefined_name'"]
    other = gate.against(Document(")(\n)(\n", path="b.py"), 0)
    assert not other.parsed
    assert messages(other) == []


def test_an_edit_that_mends_a_broken_file_is_judged_by_what_can_be_known() -> None:
    gate = python_gate()
    before = Document("x = (\ny = (\n")
    found = gate.against(before, 0)
    assert not found.parsed
    verdict = found.submit(Document("x = 1\ny = 2\n")).result(timeout=0)
    assert verdict.accepted
    verdict = found.submit(Document("x = 1\ny = (\n")).result(timeout=0)
    assert verdict.reason is Reason.DOES_NOT_PARSE


def test_a_baseline_is_asked_for_once_unless_it_failed() -> None:
    linter = ImmediateLinter()
    gate = gate_of(linter)
    document = Document("bad\n", path="a.py")
    assert gate.against(document) == gate.against(document)
    assert len(linter.checks) == 1
    gate.against(Document("bad\n", path="b.py"))
    assert len(linter.checks) == 2
    answers = iter([Report(failure="killed"), Report((finding("bad"),))])
    flaky = gate_of(ImmediateLinter(lambda _: next(answers)))
    assert flaky.against(document).failure == "killed"
    assert flaky.against(document).failure is None


def test_the_quick_check_rejects_and_never_accepts() -> None:
    linter = ManualLinter(lint_bad)
    gate = gate_of(linter, lint_bad)
    before = Document("bad one\n")
    found = Bar(gate, before, known("bad one\n"), Tier.PYLINT, [finding("bad one")])
    rejected = found.submit(Document("bad one\nbad two\n"))
    assert rejected.result(timeout=0).findings == [finding("bad two", 2)]
    assert linter.checks == []
    open_still = found.submit(Document("bad one\nfine\n"))
    assert not open_still.done()
    linter.answer()
    assert open_still.result(timeout=0).accepted


def test_without_the_quick_check_all_is_listed() -> None:
    linter = ImmediateLinter(lambda _: Report((finding("deep"), finding("bad two"))))
    gate = gate_of(linter, lint_bad)
    verdict = bar(gate, Document("")).submit(Document("bad two\n"), early=False).result(timeout=0)
    assert [found.message for found in verdict.findings] == ["deep", "bad two"]


def test_a_quick_check_that_fails_leaves_it_to_the_linter() -> None:
    gate = gate_of(ImmediateLinter(), lambda _: Report(failure="too deep"))
    assert bar(gate, Document("")).submit(Document("x\n")).result(timeout=0).accepted


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
    found = gate.against(long)
    found.submit(Document(long.text + "y = 2\n")).result(timeout=0)
    assert [check.tier for check in linter.checks] == [Tier.SYNTAX] * 2
    assert linter.checks[1].timeout == gate.policy.timeout


def test_a_candidate_is_judged_by_the_tier_of_its_base() -> None:
    """A file that grows over a bound is not compared with what another tier found."""
    linter = ImmediateLinter()
    gate = Gate(linter, lint_nothing, GatePolicy(pylint_lines=3))
    before = Document("a\nb\n")
    found = gate.against(before)
    found.submit(Document("a\nb\nc\nd\n")).result(timeout=0)
    assert [check.tier for check in linter.checks] == [Tier.PYLINT, Tier.PYLINT]


def test_a_check_that_is_under_way_is_not_begun_again() -> None:
    linter = ManualLinter()
    gate, document = gate_of(linter), Document("bad\nx = (\n")
    for _ in range(2):
        with pytest.raises(Pending) as raised:
            gate.prepare(document, 1, patience=0)
    linter.answer()
    assert raised.value.future.done()
    assert gate.prepare(document, 1, patience=0)
    assert messages(gate.against(document, 1)) == ["bad"]
    assert len(linter.checks) == 1


def test_a_check_that_another_gave_up_is_begun_again() -> None:
    linter = ManualLinter()
    gate, document = gate_of(linter), Document("bad\n")
    with pytest.raises(Pending) as raised:
        gate.prepare(document, patience=0)
    waiting = Thread(target=gate.against, args=[document])
    waiting.start()
    assert raised.value.future.cancel()
    while len(linter.checks) < 2:
        waiting.join(0.01)
    linter.waiting.pop(0)
    linter.answer()
    waiting.join()
    assert gate.prepare(document, patience=0)


def test_a_failed_check_is_no_preparation() -> None:
    gate = gate_of(ImmediateLinter(lambda _: Report(failure="killed")))
    assert not gate.prepare(Document("x\n"))


@pytest.mark.parametrize("blank", ["", "    "])
def test_an_empty_body_is_no_reason_to_know_nothing(blank: str) -> None:
    document = Document(f"import nowhere\n\n\ndef f():\n{blank}\n")
    assert check_syntax(stand_ins(document, 4)[1]).parsed
    gate = Gate(ImmediateLinter(lambda _: Report([finding("old")], Tier.PYLINT)), check_syntax)
    found = gate.against(document, 4)
    assert messages(found) == ["old"]


class _Open(OnDisk):
    def modules(self, path: str) -> dict[str, str | None]:
        return {"other.py": f"beside {path}"}


def test_checks_have_what_the_workspace_has_of_other_modules() -> None:
    gate = gate_of(linter := ImmediateLinter())
    gate.workspace = _Open()
    document = Document("a\n", None, "a.py")
    gate.against(document).submit(Document("a\nb\n", None, "a.py")).result(timeout=0)
    assert [check.modules for check in linter.checks] == [{"other.py": "beside a.py"}] * 2


@pytest.mark.parametrize("text", ["a\n", "broken\n"])
def test_what_a_document_has_is_known_until_the_workspace_changes(text: str) -> None:
    """Also what it had when it last parsed."""
    found = ["old"]
    gate, workspace = moving_gate(
        lambda text: Report([finding(name) for name in found], parsed="broken" not in text)
    )

    def known() -> list[str]:
        return messages(gate.against(Document(text, None, "a.py")))

    assert messages(gate.against(Document("a\n", None, "a.py"))) == ["old"]
    assert known() == ["old"]
    found[:] = ["new"]
    assert known() == ["old"]
    workspace.state = "second"
    assert known() == ["new"]


def test_a_verdict_depends_on_what_both_reports_depend_on() -> None:
    gate, workspace = moving_gate()
    before, after = Document("a\n", None, "a.py"), Document("a\nb\n", None, "a.py")
    found = gate.against(before)
    same = found.submit(after).result(timeout=0)
    assert same.dependencies == (Dependencies(names=frozenset({"first"})),)
    assert gate.holds("a.py", same.dependencies)
    workspace.state = "second"
    assert not gate.holds("a.py", same.dependencies)
    between = found.submit(after).result(timeout=0)
    assert not gate.holds("a.py", between.dependencies)
    workspace.state = "first"
    assert not gate.holds("a.py", between.dependencies)


# While somebody types, what the line has given is not there


WHOLE = {
    "a function": "if 1:\n    id(1)\ndef area(radius):|\n    return radius * radius\n",
    "a method": "class A:\n    if 1:\n        b = 1\n    def area(self, radius):|\n        return radius\n",
    "a coroutine": "if 1:\n    id(1)\nasync def area(radius):|\n    return radius\n",
    "an import": "from typing import Any, Optional|\n\n\ndef f(a: Optional[int]) -> Any:\n    return a\n",
    "a module": "import sys, os|\n\nprint(os.name, sys.path)\n",
    "a class": "if 1:\n    id(1)\nclass Base(dict):|\n    kind = 1\n\n\nprint(Base.kind)\n",
    "a loop": "if 1:\n    id(1)\nfor key, value in {1: 2}.items():|\n    print(key, value)\n",
    "a context": "if 1:\n    id(1)\nwith open('a') as one, open('b') as two:|\n    print(one, two)\n",
    "a handler": "try:\n    id(1)\nexcept KeyError:\n    id(2)\nexcept OSError as error:|\n    id(error)\n",
    "an assignment": "first, (second, third) = 1, (2, 3)|\nprint(second, third)\n",
    "a chain": "first = second = 0|\nprint(first, second)\n",
    "a walrus": "if 1:\n    id(1)\nif (size := len('a')) > 1:|\n    print(size)\nprint(size)\n",
    "a global": "def f():\n    global once, twice|\n    once = twice = 1\n\n\nf()\nprint(once, twice)\n",
    "a pattern": "match id(1):\n    case 1:\n        id(2)\n    case [b, c]:|\n        print(b, c)\n",
    "a name": "def f():\n    n = 1\n    def g():\n        nonlocal n|\n        id(n)\n        n = 2\n",
    "a decorator": "class A:\n    @property|\n    def b(self):\n        return [1]\n\n\nprint(A().b[0])\n",
}
"""Each is cut everywhere in the line that ends at the bar."""


def cuts(text: str) -> Iterator[tuple[Document, int]]:
    """The text with less and less of the line in front of the bar, from its first character on."""
    above, _, below = text.partition("|")
    begin = above.rfind("\n") + 1
    indent = len(above[begin:]) - len(above[begin:].lstrip())
    for end in range(begin + indent + 1, len(above)):
        yield Document(above[:end] + below, path="typed.py"), above.count("\n")


@pytest.fixture(scope="module")
def pylint() -> Iterator[Gate]:
    own = Environment((), server_site_packages(), version_info[:2])
    pool = PylintPool(own)
    yield Gate(pool, check_syntax, GatePolicy(timeout=60.0, baseline_timeout=60.0))
    pool.close()


def excused(gate: Gate, document: Document, line: int) -> list[str]:
    """What counts as there before, of a text that does not parse as it is."""
    return messages(gate.against(document, line))


@pytest.mark.parametrize("indent", ["  ", "   ", "\t", " " * 8])
def test_an_edit_is_indented_as_its_file_is(pylint: Gate, indent: str) -> None:
    text = f"def f(x):\n{indent}if x:\n{indent * 2}x += 1\n{indent}return x\n"
    before = Document(text, path="indented.py")
    found = pylint.against(before)

    def judged(more: str) -> list[str]:
        verdict = found.submit(Document(text + more, path=before.path)).result(60.0)
        return [f"{each.line} {each.symbol}" for each in verdict.findings]

    assert judged(f"\n\ndef g(x):\n{indent}return x\n") == []
    assert judged("\n\ndef g(x):\n    return x\n") == ["8 bad-indentation"]
    typed = Document(f"{text}\n\ndef g(x):\n{indent}return f(\n", path=before.path)
    done = Document(typed.text.replace("f(\n", "f(x)\n"), path=before.path)
    assert pylint.against(typed, 7).submit(done).result(60.0).accepted


UNFINISHED = """\
import logging


def f(a, *, b):
    return a + b


class A:
    def __init__(self):
        self.a = 1


"""


@pytest.mark.parametrize(
    ("typed", "written", "new"),
    [
        ("x = ", "f(", []),
        ("x = f(\n    ", "1,", []),
        ("x = f(\n    ", "1, 2,", ["too-many-function-args"]),
        ("x = f(\n    ", "c=1,", ["unexpected-keyword-arg"]),
        ("x = f(\n    ", "A().gone,", ["no-member"]),
        ("x = f(\n    ", "gone,", ["undefined-variable"]),
        ("logging.info('%s', 1)\nlogging.in", "fo('%s',", []),
        ("x = '%s %s' % (", "1,", []),
        ("x = f(\n    ", "f(1),", ["missing-kwoa"]),  # nothing is to come between these brackets
        ("x = f(\n    ", "a=f(", []),
        ("x = [\n    '\u00e4', ", "f(b=1),", ["no-value-for-parameter"]),
        ("x = [\n    ", "'%s %s' % (1,),", ["too-few-format-args"]),
        ("class B(A):\n    def __in", "it__(self, a):", []),
        ("class B(A):\n    def m", "(a=1, b):", ["syntax-error"]),
        ("class B(A):\n    @", "property", []),
        ("class B:\n    def m", "(", []),
        ("class B:\n    def m", "(a,", ["no-self-argument"]),
        ("class B:\n    def n(self):\n        self.m(a=1)\n\n    def m(\n    ", "self,", []),
        ("@", "gone", ["undefined-variable"]),
        ("try:\n    x = f", "(1, b=2)", []),
        ("try:\n    x = f", "(1)", ["missing-kwoa"]),  # nothing is to come between its brackets
        ("class B(A):\n    def __init__(self):\n        super", "().__init__(", []),
    ],
)
def test_what_is_wrong_already_in_an_unfinished_statement(
    pylint: Gate, typed: str, written: str, new: list[str]
) -> None:
    before = Document(UNFINISHED + typed, path="unfinished.py")
    candidate = before.with_text(before.text + written)
    bar = pylint.against(before, before.text.count("\n"))
    verdict = bar.submit(candidate, goes_on=len(candidate.text)).result(60.0)
    assert sorted({finding.symbol for finding in verdict.findings}) == new


@pytest.mark.parametrize("kind", WHOLE)
def test_what_the_line_gave_is_not_missing_before(pylint: Gate, kind: str) -> None:
    whole = WHOLE[kind].replace("|", "")
    gate = Gate(pylint.linter, check_syntax, pylint.policy)
    there = [each.message for each in pylint.check(whole, "", Tier.PYLINT, 60.0).result(60.0).findings]
    texts = [
        (document, line) for document, line in cuts(WHOLE[kind]) if not check_syntax(document.text).parsed
    ]
    damaged = {message for document, line in texts[:3] for message in stood_in(pylint, document, line)}
    assert damaged - set(there)  # or there is nothing to be excused wrongly
    for document, line in texts:
        assert not set(excused(gate, document, line)) - set(there)
    gate.against(Document(whole, path="typed.py"))
    for document, line in texts:
        assert not set(excused(gate, document, line)) - set(there)


def stood_in(gate: Gate, document: Document, line: int) -> list[str]:
    """All that the linter finds in the text which stands for the document."""
    text = next(text for text in stand_ins(document, line) if check_syntax(text).parsed)
    return [each.message for each in gate.check(text, "", Tier.PYLINT, 60.0).result(60.0).findings]


@pytest.mark.parametrize(
    ("typed", "missing"),
    [
        ("x = f(", ["a"]),
        ("return_value = (", []),
        ("return a +", []),  # says the name itself
        ("print(", ["a"]),
        ("import ", []),
        ("def f(", []),
        ("for x in ", []),
        ("", ["a"]),
    ],
)
def test_without_a_text_that_parsed_it_depends_on_what_the_line_may_still_bind(
    typed: str, missing: list[str]
) -> None:
    document = Document(f"if a:\n{typed and '    '}{typed}\n", path="new.py")
    assert not check_syntax(document.text).parsed
    assert excused(python_gate(), document, 1) == [f"Undefined variable {name!r}" for name in missing]


def test_what_stands_for_the_line_is_no_excuse_for_a_statement_above_future_imports() -> None:
    gate = python_gate()
    below = "from __future__ import annotations\n"
    gate.against(Document(f"# text\n{below}", path="future.py"))
    before = Document(f"# text\n'a\n{below}", path="future.py")
    verdict = gate.against(before, 1).submit(before.with_text(f"# text\n'a',\n{below}")).result(timeout=0)
    assert [finding.symbol for finding in verdict.findings] == ["syntax-error"]


def test_what_was_there_is_there_while_a_statement_is_typed() -> None:
    gate = python_gate()
    text = "import os\n\n\ndef f():\n    return gone\n\n\n{}\nprint(gone, missing)\n"
    gate.against(Document(text.format(""), path="a.py"))
    for typed in ("def g(", "import ", "x = (", "with open(", "class A(", "@f("):
        found = gate.against(Document(text.format(typed), path="a.py"), 7)
        assert found.parsed
        assert len(found.known.findings) == 3, typed


def test_what_broke_elsewhere_since_then_is_excused_where_the_line_cannot_be_why() -> None:
    gate = python_gate()
    gate.against(Document("import os\n\nprint(os.name)\n", path="a.py"))
    assert excused(gate, Document("\nx = len(\nprint(os.name)\n", path="a.py"), 1) == [
        "Undefined variable 'os'"
    ]
    assert excused(gate, Document("\nfrom os import (\nprint(os.name)\n", path="a.py"), 1) == []


def test_another_place_of_the_same_finding_is_not_what_was_there() -> None:
    gate = python_gate()
    whole = "def f(size):\n    return size\n\n\nprint(size)\n"
    gate.against(Document(whole, path="a.py"))
    found = gate.against(Document(whole.replace("(size):", "(", 1), path="a.py"), 0)
    assert len(found.known.findings) <= 1


def test_a_file_that_only_parsed_damaged_gives_no_excuse() -> None:
    """What stood in for a text is not the last one that parsed."""
    gate = python_gate()
    damaged = Document("def f():\n    pass\n\ndef area(\n    return radius\n", path="a.py")
    assert excused(gate, damaged, 3) == []
    assert excused(gate, damaged, 3) == []


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        ("def f():\n    y = 1\n    return y\n\n\ndef square(\n    return a * a\n", 5, "def square(self):"),
        ("from collections import \n\nprint(OrderedDict())\n", 0, "from collections import deque"),
        ("class A:\n    z = 1\n\n    def get(\n        return self.z\n", 3, "    def get():"),
    ],
)
def test_pylint_does_not_let_pass_what_the_typed_line_breaks(
    pylint: Gate, before: str, line: int, after: str
) -> None:
    document = Document(before)
    lines = [*document.lines[:line], after, *document.lines[line + 1 :]]
    found = pylint.against(document, line)
    verdict = found.submit(Document("\n".join(lines))).result(timeout=60)
    assert verdict.reason is Reason.NEW_FINDINGS


def test_pylint_lets_a_statement_be_typed_beside_old_findings(pylint: Gate) -> None:
    text = "import no_such_module\n\n\ndef f():\n    return nope\n\n\n{}\nprint(nope.x)\n"
    pylint.against(Document(text.format(""), path="old.py"))
    before, after = (Document(text.format(typed), path="old.py") for typed in ("def g(", "def g(): return 1"))
    verdict = pylint.against(before, 7).submit(after).result(timeout=60)
    assert (verdict.reason, verdict.before) == (Reason.ACCEPTED, 3)


@pytest.mark.parametrize("tier", [Tier.PYLINT, Tier.NAMES, Tier.SYNTAX])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("nope(a=1)\n", "nope(a=1, a=2)\n"),
        ("print(nope)\n", "print(nope); from __future__ import division\n"),
        ("def f():\n    return nope\n", "def f():\n    return nope; nonlocal x\n"),
    ],
)
def test_what_does_not_compile_is_rejected_beside_any_finding(
    pylint: Gate, before: str, after: str, tier: Tier
) -> None:
    lines = before.count("\n") + 1
    policy = GatePolicy(lines * (tier is Tier.PYLINT), lines * (tier is Tier.NAMES), 60.0, 60.0)
    gate = Gate(pylint.linter, lint_nothing, policy)
    found = gate.against(Document(before))
    assert found.tier is tier
    verdict = found.submit(Document(after)).result(timeout=60)
    assert verdict.reason is Reason.NEW_FINDINGS
    assert "E0001" in {each.code for each in verdict.findings}


def test_what_did_not_compile_in_the_same_way_may_stay(pylint: Gate) -> None:
    before, after = Document("x = 1\nreturn x\n"), Document("y = 2\nx = 1\nreturn x\n")
    assert pylint.against(before).submit(after, early=False).result(timeout=60).accepted


def test_a_file_that_fails_again_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ten times as long as it took, whatever its text is by then."""
    now = 0.0
    monkeypatch.setattr("lintseq_lsp.gate.time", SimpleNamespace(monotonic=lambda: now))
    linter = ImmediateLinter(lambda _: Report(failure="killed", milliseconds=2000.0))
    gate = gate_of(linter)
    for text in ("a\n", "ab\n", "abc\n", "abcd\n"):
        assert gate.against(Document(text, path="slow.py")).failure == "killed"
    assert len(linter.checks) == 2
    assert gate.against(Document("a\n", path="other.py")).failure == "killed"
    now = 20.5
    gate.against(Document("abcde\n", path="slow.py"))
    assert len(linter.checks) == 4
