"""The laws of the loop, with a recorded model and a linter that answers when the test says so."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fakes import ImmediateLinter, ManualLinter, finding, gate_of, lint_bad
from hypothesis import given
from hypothesis import strategies as st
from strategies import edited

from lintseq_lsp.backends.base import (
    Ability,
    Backend,
    Piece,
    Request,
    Sampling,
    Stop,
    length,
)
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.diffs import Diff, Hunk, parse, render
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.formats.base import Edit, Malformed, Question, Room, Task, View
from lintseq_lsp.formats.lintseq import DIFF, END, Layout, LintSeq
from lintseq_lsp.gate import Bar, Gate, wait
from lintseq_lsp.generation import Ended, Limits, Step, generate
from lintseq_lsp.linters.base import Report, Tier
from lintseq_lsp.proposals import Proposal, propose
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Known

LIMITS = Limits()
NUMBERED = [f"x{number}" for number in range(300)]


FORMAT = LintSeq(Layout.PAPER)


def insertion(above: int, *added: str) -> str:
    return render(Diff((Hunk(above, added),)))


def stream(*diffs: str) -> str:
    """As a model writes it: each diff with a boundary behind it."""
    return "".join(f"{diff}<|diff|>" for diff in diffs)


def asked(
    view: View, backend: Backend, task: Task = Task.INSTRUCT, *, lines: int = 8, tokens: int = 160
) -> Question:
    question = FORMAT.ask(view, task, backend.count, Room(backend.context, lines, tokens))
    assert question is not None
    return question


def generation(
    text: str,
    backend: Backend,
    gate: Gate,
    *,
    limits: Limits = LIMITS,
    lines: int = 8,
    tokens: int = 160,
    instruction: str = "Do it.",
    question: Question | None = None,
    sampling: Sampling | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Ended]:
    """Steps by an instruction, or from another question on."""
    document = Document(text)
    view = View(document, len(text), instruction=instruction)
    return generate(
        question or asked(view, backend, lines=lines, tokens=tokens),
        document,
        backend,
        Bar(gate, document, Known(document, lint_bad(text).findings), Tier.PYLINT),
        limits=limits,
        sampling=sampling,
        cancelled=cancelled,
    )


def run(
    text: str,
    written: str | ScriptedBackend,
    gate: Gate | None = None,
    *,
    limits: Limits = LIMITS,
    lines: int = 8,
    tokens: int = 160,
    instruction: str = "Do it.",
) -> tuple[list[Step], Ended]:
    backend = written if isinstance(written, ScriptedBackend) else ScriptedBackend([written])
    *steps, ended = generation(
        text,
        backend,
        gate or gate_of(),
        limits=limits,
        lines=lines,
        tokens=tokens,
        instruction=instruction,
    )
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(ended, Ended)
    return [step for step in steps if isinstance(step, Step)], ended


def reasons(steps: list[Step]) -> list[Reason]:
    return [step.verdict.reason for step in steps]


def test_a_sequence_and_its_end() -> None:
    steps, ended = run("a\n", stream(insertion(1, "b"), insertion(0, "c"), END, "") + "never asked for")
    assert [step.document.text for step in steps] == ["a\nb\n", "c\na\nb\n"]
    assert [step.number for step in steps] == [1, 2]
    assert ended == Ended(Reason.COMPLETE, Document("c\na\nb\n"), 2, 0)


def test_the_end_of_the_text_ends_the_sequence() -> None:
    assert run("a\n", "")[1].reason is Reason.COMPLETE
    assert run("a\n", stream(END))[1].reason is Reason.COMPLETE


@pytest.mark.parametrize("instruction", ["Do it.", ""])
@pytest.mark.parametrize("text", ["", "a\n"])
def test_one_empty_diff_is_a_step_that_changes_nothing(text: str, instruction: str) -> None:
    """Also the first: a stream may open with two boundaries."""
    written = stream(END, insertion(0, "b"), END, insertion(0, "c"), END)
    steps, ended = run(text, written, instruction=instruction)
    assert reasons(steps) == [Reason.ACCEPTED, Reason.ACCEPTED]
    assert ended.document.text == f"c\nb\n{text}"
    assert ended.reason is Reason.COMPLETE


@pytest.mark.parametrize("instruction", ["Do it.", ""])
def test_two_empty_diffs_are_the_end(instruction: str) -> None:
    steps, ended = run("", stream(END, END, insertion(0, "b")), instruction=instruction)
    assert steps == []
    assert ended.reason is Reason.COMPLETE


def test_a_rejected_diff_is_rewound_and_sampled_anew() -> None:
    start = "a\n"
    backend = ScriptedBackend(
        [stream(insertion(1, "good"), insertion(2, "bad"), insertion(2, "better"), END)]
    )
    steps, ended = run(start, backend, gate_of(ImmediateLinter()))
    assert reasons(steps) == [Reason.ACCEPTED, Reason.NEW_FINDINGS, Reason.ACCEPTED]
    assert ended.document.text == "a\ngood\nbetter\n"
    greedy, ahead, retry, *_ = backend.requests
    assert greedy.sampling == ahead.sampling == Sampling()
    assert retry.prompt == ahead.prompt
    assert retry.sampling.temperature > 0
    assert retry.sampling.seed != ahead.sampling.seed


def test_what_follows_an_accepted_retry_is_greedy_again() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(1, "bad"), insertion(1, "good"), insertion(2, "ahead"), END], linter)
    backend.at_end = {1: linter.answer}
    run("a\n", backend, gate_of(linter, lint_bad))
    _, retry, ahead, *_ = backend.requests
    assert retry.sampling.temperature > 0
    assert ahead.prompt[-3] == insertion(1, "good")
    assert ahead.sampling == Sampling()


def test_retries_differ_and_keep_the_sampling_that_was_asked_for() -> None:
    backend = ScriptedBackend([stream(*[insertion(1, "bad")] * 4)])
    wanted = Sampling(temperature=0.3, seed=7)
    list(generation("a\n", backend, gate_of(), limits=Limits(tries=4), sampling=wanted))
    assert backend.requests[0].sampling == wanted
    assert {request.sampling.temperature for request in backend.requests} == {0.3}
    assert len({request.sampling.seed for request in backend.requests}) == 4


def test_no_two_diffs_of_a_sequence_are_drawn_by_the_same_numbers() -> None:
    diffs = [insertion(1, "b"), insertion(2, "bad"), insertion(2, "c"), insertion(3, "d"), END, END]
    backend = ScriptedBackend([stream(*diffs)])
    list(generation("a\n", backend, gate_of(), sampling=Sampling(temperature=0.8, seed=7)))
    seeds = [request.sampling.seed for request in backend.requests[:5]]
    assert len(set(seeds)) == 5


@pytest.mark.parametrize("tries", [1, 3])
@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        (insertion(1, "bad"), Reason.NEW_FINDINGS),
        (insertion(1, "broken"), Reason.DOES_NOT_PARSE),
        (insertion(1, "x = 1  # noqa"), Reason.PRAGMA),
        ("no header\n", Reason.MALFORMED),
        (insertion(9, "past the end"), Reason.MALFORMED),
    ],
)
def test_tries_are_bounded_and_the_clean_prefix_remains(diff: str, reason: Reason, tries: int) -> None:
    written = stream(insertion(0, "good"), *[diff] * 10)
    steps, ended = run("a\n", written, limits=Limits(tries=tries))
    assert reasons(steps) == [Reason.ACCEPTED] + [reason] * tries
    assert ended == Ended(reason, Document("good\na\n"), 1, tries)


def test_tries_count_from_anew_after_a_step() -> None:
    bad, good, better = (insertion(0, text) for text in ("bad", "good", "better"))
    steps, ended = run("", stream(bad, bad, good, bad, bad, better, END), limits=Limits(tries=3))
    assert (ended.accepted, ended.rejected, ended.reason) == (2, 4, Reason.COMPLETE)
    assert len(steps) == 6


def test_malformed_is_a_step_with_its_reason() -> None:
    steps, _ = run("a\n", stream("def f():\n    pass\n", insertion(7, "x"), END))
    assert [step.edit for step in steps] == [
        Malformed("text without a hunk header"),
        Malformed("line 7 is past the end of 1 lines"),
    ]
    assert all(step.document.text == "a\n" for step in steps)
    assert steps[0].written.startswith("def f()")


def test_what_becomes_malformed_is_broken_off() -> None:
    backend = ScriptedBackend(["garbage\n" + "x" * 4000 + "\n<|diff|>"], piece=1, context=9000)
    run("a\n", backend, limits=Limits(tries=1), tokens=5000)
    assert backend.usage.written < 20


def test_steps_are_limited() -> None:
    written = stream(*[insertion(0, f"x{number}") for number in range(10)])
    backend = ScriptedBackend([written])
    steps, ended = run("", backend, limits=Limits(steps=3))
    assert len(steps) == 3
    assert ended.reason is Reason.LIMIT
    assert len(backend.requests) == 3


def test_a_diff_that_does_not_end_is_malformed() -> None:
    steps, ended = run(
        "",
        stream(insertion(0, *NUMBERED), insertion(0, "".join(NUMBERED)), insertion(0, "good"), END),
        limits=Limits(tries=3),
        lines=4,
    )
    assert [step.edit for step in steps[:2]] == [Malformed("not finished within the limit")] * 2
    assert ended.document.text == "good\n"


def test_a_diff_that_goes_round_in_circles_is_malformed() -> None:
    """Within a line it is not even written to its end; a few lines are."""
    circle, again = insertion(0, "/".join(["ai"] * 100)), insertion(0, "a", "b", "a", "b")
    steps, ended = run("", stream(circle, again, insertion(0, "a", "b", "a"), END))
    assert [step.edit for step in steps[:2]] == [
        Malformed("not finished within the limit"),
        Malformed("repeats itself"),
    ]
    assert len(steps[0].written) < len(circle) / 2
    assert ended.document.text == "a\nb\na\n"


def test_a_diff_that_says_what_stands_next_to_it_is_malformed() -> None:
    steps, ended = run(
        "a\n\nb\nc\n",
        stream(
            insertion(1, "a"), insertion(2, "", "b", "c"), insertion(4, "  b", "  c"), insertion(4, "b"), END
        ),
    )
    assert [step.edit for step in steps[:3]] == [Malformed("repeats the text next to it")] * 3
    assert ended.document.text == "a\n\nb\nc\nb\n"


def test_a_circle_ends_one_candidate_of_several() -> None:
    backend = ScriptedBackend([stream("x\n", "/".join(["ai"] * 100) + "\n", "y\n")])
    proposals = propose(backend, several(backend), lambda: False)
    assert [proposal.stop for proposal in proposals] == [DIFF, Stop.LENGTH, DIFF]
    assert len(proposals[1].written) < 150
    assert proposals[2].edit == Edit((Replacement(0, 0, "y"),))


def test_as_many_lines_as_the_limit_fit() -> None:
    _, ended = run("", stream(insertion(0, *NUMBERED[:4]), END), lines=4)
    assert ended.document.text == "x0\nx1\nx2\nx3\n"


def test_the_context_is_not_overrun() -> None:
    backend = ScriptedBackend(
        [stream(*[insertion(0, f"y{n}" + "".join(NUMBERED)[:200]) for n in range(30)])], context=600
    )
    steps, ended = run("a\n", backend, limits=Limits(steps=30))
    assert ended.reason is Reason.LIMIT
    assert 0 < len(steps) <= 10
    for request in backend.requests:
        used = length(request.prompt, backend.count)
        assert used + request.max_tokens <= backend.context


def test_a_linter_that_fails_ends_with_the_clean_prefix() -> None:
    def lint(text: str) -> Report:
        return Report(failure="killed") if "second" in text else lint_bad(text)

    steps, ended = run(
        "",
        stream(insertion(0, "first"), insertion(0, "second"), insertion(0, "third")),
        gate_of(ImmediateLinter(lint)),
    )
    assert reasons(steps) == [Reason.ACCEPTED, Reason.LINTER_FAILED]
    assert ended == Ended(Reason.LINTER_FAILED, Document("first\n"), 1, 1)


def test_only_new_findings_count() -> None:
    steps, ended = run("bad one\n", stream(insertion(0, "x"), insertion(0, "bad one"), END, END))
    assert reasons(steps) == [Reason.ACCEPTED, Reason.NEW_FINDINGS]
    assert steps[1].verdict.findings == [finding("bad one", 3)]
    assert ended.document.text == "x\nbad one\n"


def test_the_opening_is_kept_until_the_first_diff_is_accepted() -> None:
    backend = ScriptedBackend([stream("bad\n", "good\n", insertion(2, "next"), END)])
    question = asked(View.of_new_lines(Document("a\n"), 1, "    "), backend, Task.LINES, lines=1)
    *steps, ended = generation("a\n", backend, gate_of(), question=question)
    assert isinstance(ended, Ended)
    assert ended.document.text == "a\n    good\nnext\n"
    first, again, following, *_ = backend.requests
    assert first.prompt == again.prompt
    assert first.prompt[-1] == "@@ -1,0 +2 @@\n+    "
    assert first.begins == again.begins
    assert following.prompt[-1] == ""
    written = [step.written for step in steps if isinstance(step, Step)]
    assert written[0] == "@@ -1,0 +2 @@\n+    bad\n"


def test_places_hold_for_the_first_diff() -> None:
    backend = ScriptedBackend([stream(insertion(1, "x"), END)])
    view = View(Document("a\nb\nc\n"), 2, instruction="Do it.", lines=(1, 1))
    list(generation("a\nb\nc\n", backend, gate_of(), question=asked(view, backend)))
    first, following, *_ = backend.requests
    end, places = first.begins
    assert {begin.split(",")[0] for begin in places} == {"@@ -1", "@@ -2"}
    end, everywhere = following.begins
    assert end == (END,)
    assert len(everywhere) == 5 * 8


# The order of events


class Choreographed(ScriptedBackend):
    """Calls a function of the test when the answer to a request begins, or has been written."""

    def __init__(self, diffs: list[str], linter: ManualLinter) -> None:
        super().__init__([stream(*diffs)])
        self.at_start: dict[int, Callable[[], None]] = {}
        self.at_end: dict[int, Callable[[], None]] = {}
        self.unjudged: list[int] = []
        self.busy = False
        self._linter = linter

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        number = len(self.requests)
        self.unjudged.append(len(self._linter.waiting))
        self.at_start.get(number, lambda: None)()
        self.busy = True
        try:
            yield from super().write(request, cancelled)
        finally:  # who has what they wanted closes it early
            self.busy = False
            self.at_end.get(number, self._linter.answer)()


def test_the_next_diff_is_written_while_one_is_judged() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "a"), insertion(1, "b"), insertion(2, "c"), END], linter)
    steps, ended = run("", backend, gate_of(linter))
    assert ended.document.text == "a\nb\nc\n"
    assert reasons(steps) == [Reason.ACCEPTED] * 3
    # One check is open whenever something is written, but for the first diff and the end.
    assert backend.unjudged == [0, 1, 1, 1, 0]


def test_a_verdict_lags_one_diff_at_most_and_waiting_for_it_can_be_cancelled() -> None:
    """The third diff is not asked for before the first has its verdict."""
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "a"), insertion(1, "b"), insertion(2, "c")], linter)
    backend.at_end = {1: lambda: None}
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(len(backend.requests))
        return len(linter.waiting) == 1 and len(backend.requests) == 2 and not backend.busy

    with pytest.raises(Cancelled):
        list(generation("", backend, gate_of(linter), cancelled=cancelled))
    assert max(asked) == 2


def test_nothing_is_yielded_before_its_verdict() -> None:
    judged: list[str] = []

    def lint(text: str) -> Report:
        judged.append(text)
        return lint_bad(text)

    linter = ManualLinter(lint)
    backend = Choreographed([insertion(0, "a"), insertion(1, "bad"), insertion(1, "c"), END], linter)
    for item in generation("", backend, gate_of(linter)):
        assert item.document.text in judged


def test_what_was_written_ahead_of_a_rejection_is_forgotten() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "bad"), insertion(1, "ahead"), insertion(0, "good"), END], linter)
    steps, ended = run("", backend, gate_of(linter))
    assert reasons(steps) == [Reason.NEW_FINDINGS, Reason.ACCEPTED]
    assert ended.document.text == "good\n"
    first, ahead, retry, *_ = backend.requests
    assert ahead.prompt == (*first.prompt[:-1], insertion(0, "bad"), DIFF, "")
    assert retry.prompt == first.prompt


def test_a_rejection_breaks_off_what_is_written_ahead() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "bad"), insertion(1, "x" * 400), insertion(0, "good"), END], linter)
    written: list[int] = []
    backend.at_start = {1: linter.answer, 2: lambda: written.append(backend.usage.written)}
    run("", backend, gate_of(linter))
    assert written == [1]


def test_what_is_rejected_at_once_is_not_written_ahead_of() -> None:
    backend = ScriptedBackend([stream(insertion(0, "bad"), insertion(0, "good"), END)])
    _, ended = run("", backend, gate_of(ImmediateLinter(), lint_bad))
    assert ended.document.text == "good\n"
    assert backend.requests[1].prompt == backend.requests[0].prompt


def test_cancelling_while_the_model_writes() -> None:
    backend = ScriptedBackend([insertion(0, "x" * 400)])
    gate = gate_of()
    with pytest.raises(Cancelled):
        list(generation("", backend, gate, cancelled=lambda: backend.usage.written >= 5))
    assert backend.usage.written == 5


def test_waiting_returns_what_is_there() -> None:
    linter = ManualLinter()
    verdict = Bar(gate_of(linter), Document(""), Known(), Tier.PYLINT).submit(Document("x"))

    def answer_when_asked() -> bool:
        linter.answer()
        return False

    assert wait(verdict, answer_when_asked).accepted


# Several candidates


def several(backend: Backend) -> Question:
    """Three answers on an empty text's first line, the header being given."""
    question = asked(View(Document(""), 0), backend, Task.FILL, lines=1)
    return replace(question, request=replace(question.request, max_tokens=192, max_lines=None, candidates=3))


def test_candidates_are_read_apart() -> None:
    backend = ScriptedBackend([stream("x\n", "garbage\nmore\n", "y\n+z\n")])
    proposals = propose(backend, several(backend), lambda: False)
    assert [proposal.edit for proposal in proposals] == [
        Edit((Replacement(0, 0, "x"),)),
        Malformed("a line that begins with neither + nor @@"),
        Edit((Replacement(0, 0, "y\nz"),)),
    ]
    assert [proposal.stop for proposal in proposals] == [DIFF, Stop.LENGTH, DIFF]
    assert proposals[0].written == "@@ -0,0 +1 @@\n+x\n"
    assert proposals[0].confidence == -1.0
    assert Proposal("", Edit(), Stop.END, 0.0, 0).confidence == 0.0


@pytest.mark.parametrize(
    ("lines", "written", "expected"),
    [(8, " @@\n+ab\n+c\n", (-4.0, -7.0)), (1, "ab\n+c\n", (-3.0, -6.0))],
)
def test_lines_are_as_probable_as_what_was_written_of_them(
    lines: int, written: str, expected: tuple[float, ...]
) -> None:
    """A header that the model writes is no part of the answer's first line, its `+` is."""
    backend = ScriptedBackend([stream(written)], piece=1)
    question = asked(View(Document(""), 0), backend, Task.FILL, lines=lines)
    question = replace(question, request=replace(question.request, max_lines=None))
    (proposal,) = propose(backend, question, lambda: False)
    assert proposal.edit == Edit((Replacement(0, 0, "ab\nc"),))
    assert proposal.line_logprobs == expected


# What a backend cannot do


class Poor(ScriptedBackend):
    """Writes one candidate at a time, as it likes, and does not say how probable it is."""

    abilities = Ability(0)

    def __init__(self, streams: list[str]) -> None:
        super().__init__(streams, logprob=0.0)


def test_candidates_are_asked_for_one_by_one_where_a_backend_has_no_more() -> None:
    written = [stream(f" @@\n+{word}\n") for word in ("x", "y", "z")]
    proposals = [
        propose(backend, several(backend), lambda: False)
        for backend in (Poor(written), ScriptedBackend(written))
    ]
    assert [proposal.edit for proposal in proposals[0]] == [proposal.edit for proposal in proposals[1]]
    assert [proposal.candidate for proposal in proposals[0]] == [0, 1, 2]
    backend = Poor(written)
    propose(backend, several(backend), lambda: False)
    assert [request.candidates for request in backend.requests] == [1, 1, 1]
    assert [request.sampling.seed for request in backend.requests] == [0, 1, 2]


@pytest.mark.parametrize("written", ["x\n", " @@", "@@ -1,0 +2 @@\n+x\n", ""])
def test_what_does_not_begin_as_it_must_is_malformed_where_a_backend_does_not_see_to_it(written: str) -> None:
    question = asked(View(Document(""), 0), Poor([]), Task.FILL)
    (proposal,) = propose(Poor([stream(written)]), question, lambda: False)
    assert isinstance(proposal.edit, Malformed)


def test_what_begins_as_it_must_is_an_answer_everywhere() -> None:
    question = asked(View(Document(""), 0), Poor([]), Task.FILL)
    (proposal,) = propose(Poor([stream(",2 @@\n+x\n+y\n")]), question, lambda: False)
    assert proposal.edit == Edit((Replacement(0, 0, "x\ny"),))
    assert proposal.line_logprobs == (0.0, 0.0), "which is as probable as anything has to be"


# Laws

KINDS = ["good", "good", "good", "bad", "broken", "empty", "garbage", "past the end", "pragma", "two hunks"]


@st.composite
def recordings(draw: st.DrawFn) -> list[str]:
    """Streams of diffs, each with a line of its own."""
    diffs = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=14))):
        match kind:
            case "empty":
                diffs.append(END)
            case "garbage":
                diffs.append(f"garbage {number}\n")
            case "past the end":
                diffs.append(insertion(99, f"line {number}"))
            case "pragma":
                diffs.append(insertion(0, f"line {number}  # noqa"))
            case "two hunks":
                hunks = (Hunk(0, (f"first {number}",)), Hunk(0, (f"second {number}",)))
                diffs.append(render(Diff(hunks)))
            case _:
                diffs.append(insertion(0, f"{kind} {number}"))
    return diffs


class Counting(ScriptedBackend):
    """Lets the linter answer when a write begins, when it ends, or not before the loop waits for it."""

    def __init__(self, streams: list[str], linter: ManualLinter, when: list[int]) -> None:
        super().__init__(streams)
        self.idle = True
        self._linter = linter
        self._when = when

    def answer_at(self, moment: int) -> None:
        if self._when[len(self.requests) % len(self._when)] == moment:
            self._linter.answer()

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self.answer_at(0)
        self.idle = False
        try:
            yield from super().write(request, cancelled)
        finally:
            self.idle = True
        self.answer_at(1)


def closed(request: Request) -> list[str]:
    """The fragments that the model goes on behind, without empty diffs."""
    return [part for part in request.prompt[:-1] if isinstance(part, str) and part != END]


@given(
    diffs=recordings(),
    text=st.sampled_from(["", "a\nbad before\n"]),
    when=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    tries=st.integers(1, 3),
    early=st.booleans(),
)
def test_the_laws_of_the_loop(
    diffs: list[str], text: str, when: list[int], tries: int, *, early: bool
) -> None:
    linter = ManualLinter()
    backend = Counting([stream(*diffs)], linter, when)
    gate = gate_of(linter, lint_bad) if early else gate_of(linter)
    limits = Limits(steps=4, tries=tries)

    def answer_when_waited_for() -> bool:
        if backend.idle:
            linter.answer()
        return False

    items = list(generation(text, backend, gate, limits=limits, cancelled=answer_when_waited_for))
    *steps, ended = items
    assert isinstance(ended, Ended)
    document, in_a_row = Document(text), 0
    prompts = [closed(asked(View(document, len(text), instruction="Do it."), backend).request)]
    for number, step in enumerate(steps, 1):
        assert isinstance(step, Step)
        assert step.number == number
        assert step.before == document
        if step.verdict.accepted:
            assert isinstance(step.edit, Edit)
            assert step.document.text == apply(document.text, step.edit.changes)
            document, in_a_row = step.document, 0
            following = step.edit.after()
            assert following is not None
            prompts.append(closed(following.request))
        else:
            in_a_row += 1
            assert in_a_row <= tries
            assert isinstance(step.edit, Edit) or step.verdict.reason is Reason.MALFORMED
    # The prompt, read as diffs from nothing on, is what the model is shown of the document.
    built: list[str] = []
    for fragment in prompts[-1][1:]:
        diff = parse(fragment)
        assert isinstance(diff, Diff)
        built = edited(built, diff)
    assert built == [line for line in document.lines if line]
    # Only what was accepted is in the end, and all of it.
    assert ended.document == document
    assert ended.accepted == len(prompts) - 1 <= limits.steps
    assert ended.rejected == len(steps) - ended.accepted
    new = ended.document.text.removesuffix(text)
    assert not any(word in new for word in ("bad", "broken", "garbage", "noqa"))
    # Nothing is asked for that is more than one diff ahead of the verdicts.
    for request in backend.requests:
        fragments = closed(request)
        assert any(fragments[:-1] == known or fragments == known for known in prompts)
    if ended.reason is Reason.LIMIT:
        assert ended.accepted == limits.steps
    elif ended.reason is not Reason.COMPLETE:
        assert in_a_row == tries


def test_a_step_is_there_while_the_next_diff_is_still_being_written() -> None:
    written: list[str] = []

    class Slow(ScriptedBackend):
        def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
            for piece in super().write(request, cancelled):
                written.append(piece.text)
                yield piece

    backend = Slow([stream(insertion(1, "b = 2"), insertion(2, "c = 3"))], piece=1)
    step = next(generation("a = 1", backend, gate_of()))
    assert isinstance(step, Step)
    assert step.verdict.accepted
    assert "c" not in "".join(written)
