"""The laws of the loop, with a recorded model and a linter that answers when the test says so."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from fakes import ImmediateLinter, ManualLinter, finding, gate_of, lint_bad
from hypothesis import given
from hypothesis import strategies as st
from strategies import edited

from lintseq_lsp.backends.base import Backend, Piece, Request, Sampling, Stop
from lintseq_lsp.backends.scripted import ScriptedBackend
from lintseq_lsp.diffs import Diff, Hunk, Malformed, parse, render
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.excerpt import Excerpt
from lintseq_lsp.gate import Baseline, Gate, Known, Reason
from lintseq_lsp.generation import Ended, Limits, Proposal, State, Step, generate, propose
from lintseq_lsp.linters.base import Report, Tier
from lintseq_lsp.prompts import END, Opening, PromptFormat, history, instruction_fragment
from lintseq_lsp.reports import wait
from lintseq_lsp.text import Document

LIMITS = Limits()
NUMBERED = [f"x{number}" for number in range(300)]


def state_of(text: str, instruction: str = "Do it.") -> State:
    document = Document(text)
    shown = [number for number, line in enumerate(document.lines) if line.strip()]
    excerpt = Excerpt(tuple(range(shown[0], shown[-1] + 1)) if shown else ())
    fragments = history(excerpt.lines(document), len(excerpt.numbers), PromptFormat.PAPER)
    return State(document, excerpt, (instruction_fragment(instruction), *fragments))


def insertion(above: int, *added: str) -> str:
    return render(Diff((Hunk(above, added),)))


def stream(*diffs: str) -> str:
    """As a model writes it: each diff with a boundary behind it."""
    return "".join(f"{diff}<|diff|>" for diff in diffs)


def generation(
    start: State,
    backend: Backend,
    gate: Gate,
    *,
    limits: Limits = LIMITS,
    opening: Opening | None = None,
    places: Sequence[int] | None = None,
    sampling: Sampling | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Ended]:
    known = lint_bad(start.document.text).findings
    return generate(
        start,
        backend,
        gate,
        Baseline(Known(start.document, known), Tier.PYLINT),
        limits=limits,
        opening=opening,
        places=places,
        sampling=sampling,
        cancelled=cancelled,
    )


def run(
    start: State, written: str | ScriptedBackend, gate: Gate | None = None, *, limits: Limits = LIMITS
) -> tuple[list[Step], Ended]:
    backend = written if isinstance(written, ScriptedBackend) else ScriptedBackend([written])
    *steps, ended = generation(start, backend, gate or gate_of(), limits=limits)
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(ended, Ended)
    return [step for step in steps if isinstance(step, Step)], ended


def reasons(steps: list[Step]) -> list[Reason]:
    return [step.verdict.reason for step in steps]


def test_a_sequence_and_its_end() -> None:
    steps, ended = run(
        state_of("a\n"), stream(insertion(1, "b"), insertion(0, "c"), END, "") + "never asked for"
    )
    assert [step.document.text for step in steps] == ["a\nb\n", "c\na\nb\n"]
    assert [step.number for step in steps] == [1, 2]
    assert ended == Ended(Reason.COMPLETE, Document("c\na\nb\n"), 2, 0)


def test_the_end_of_the_text_ends_the_sequence() -> None:
    assert run(state_of("a\n"), "")[1].reason is Reason.COMPLETE
    assert run(state_of("a\n"), stream(END))[1].reason is Reason.COMPLETE


@pytest.mark.parametrize("instruction", ["Do it.", ""])
@pytest.mark.parametrize("text", ["", "a\n"])
def test_one_empty_diff_is_a_step_that_changes_nothing(text: str, instruction: str) -> None:
    """Also the first: a stream may open with two boundaries."""
    start = state_of(text, instruction)
    steps, ended = run(start, stream(END, insertion(0, "b"), END, insertion(0, "c"), END))
    assert reasons(steps) == [Reason.ACCEPTED, Reason.ACCEPTED]
    assert ended.document.text == f"c\nb\n{text}"
    assert ended.reason is Reason.COMPLETE


@pytest.mark.parametrize("instruction", ["Do it.", ""])
def test_two_empty_diffs_are_the_end(instruction: str) -> None:
    steps, ended = run(state_of("", instruction), stream(END, END, insertion(0, "b")))
    assert steps == []
    assert ended.reason is Reason.COMPLETE


def test_a_rejected_diff_is_rewound_and_sampled_anew() -> None:
    start = state_of("a\n")
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
    run(state_of("a\n"), backend, gate_of(linter, lint_bad))
    _, retry, ahead, *_ = backend.requests
    assert retry.sampling.temperature > 0
    assert ahead.prompt[-2] == insertion(1, "good")
    assert ahead.sampling == Sampling()


def test_retries_differ_and_keep_the_sampling_that_was_asked_for() -> None:
    backend = ScriptedBackend([stream(*[insertion(1, "bad")] * 4)])
    wanted = Sampling(temperature=0.3, seed=7)
    list(generation(state_of("a\n"), backend, gate_of(), limits=Limits(tries=4), sampling=wanted))
    assert backend.requests[0].sampling == wanted
    assert {request.sampling.temperature for request in backend.requests} == {0.3}
    assert len({request.sampling.seed for request in backend.requests}) == 4


def test_no_two_diffs_of_a_sequence_are_drawn_by_the_same_numbers() -> None:
    diffs = [insertion(1, "b"), insertion(2, "bad"), insertion(2, "c"), insertion(3, "d"), END, END]
    backend = ScriptedBackend([stream(*diffs)])
    list(generation(state_of("a\n"), backend, gate_of(), sampling=Sampling(temperature=0.8, seed=7)))
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
    steps, ended = run(state_of("a\n"), written, limits=Limits(tries=tries))
    assert reasons(steps) == [Reason.ACCEPTED] + [reason] * tries
    assert ended == Ended(reason, Document("good\na\n"), 1, tries)


def test_tries_count_from_anew_after_a_step() -> None:
    bad, good, better = (insertion(0, text) for text in ("bad", "good", "better"))
    steps, ended = run(state_of(""), stream(bad, bad, good, bad, bad, better, END), limits=Limits(tries=3))
    assert (ended.accepted, ended.rejected, ended.reason) == (2, 4, Reason.COMPLETE)
    assert len(steps) == 6


def test_malformed_is_a_step_with_its_reason() -> None:
    steps, _ = run(state_of("a\n"), stream("def f():\n    pass\n", insertion(7, "x"), END))
    assert [step.diff for step in steps] == [
        Malformed("text without a hunk header"),
        Malformed("line 7 is past the end of 1 lines"),
    ]
    assert all(step.document.text == "a\n" for step in steps)
    assert steps[0].written.startswith("def f()")


def test_what_becomes_malformed_is_broken_off() -> None:
    backend = ScriptedBackend(["garbage\n" + "x" * 4000 + "\n<|diff|>"], piece=1)
    run(state_of("a\n"), backend, limits=Limits(tries=1, tokens=5000))
    assert backend.usage.written < 20


def test_steps_are_limited() -> None:
    written = stream(*[insertion(0, f"x{number}") for number in range(10)])
    backend = ScriptedBackend([written])
    steps, ended = run(state_of(""), backend, limits=Limits(steps=3))
    assert len(steps) == 3
    assert ended.reason is Reason.LIMIT
    assert len(backend.requests) == 3


def test_a_diff_that_does_not_end_is_malformed() -> None:
    steps, ended = run(
        state_of(""),
        stream(insertion(0, *NUMBERED), insertion(0, "".join(NUMBERED)), insertion(0, "good"), END),
        limits=Limits(lines=4, tries=3),
    )
    assert [step.diff for step in steps[:2]] == [Malformed("not finished within the limit")] * 2
    assert ended.document.text == "good\n"


def test_a_diff_that_goes_round_in_circles_is_malformed() -> None:
    """Within a line it is not even written to its end; a few lines are."""
    circle, again = insertion(0, "/".join(["ai"] * 100)), insertion(0, "a", "b", "a", "b")
    steps, ended = run(state_of(""), stream(circle, again, insertion(0, "a", "b", "a"), END))
    assert [step.diff for step in steps[:2]] == [
        Malformed("not finished within the limit"),
        Malformed("says the same again"),
    ]
    assert len(steps[0].written) < len(circle) / 2
    assert ended.document.text == "a\nb\na\n"


def test_a_diff_that_says_what_stands_next_to_it_is_malformed() -> None:
    steps, ended = run(
        state_of("a\n\nb\nc\n"),
        stream(
            insertion(1, "a"), insertion(2, "", "b", "c"), insertion(4, "  b", "  c"), insertion(4, "b"), END
        ),
    )
    assert [step.diff for step in steps[:3]] == [Malformed("says what stands next to it already")] * 3
    assert ended.document.text == "a\n\nb\nc\nb\n"


def test_a_circle_ends_one_candidate_of_several() -> None:
    backend = ScriptedBackend([stream("x\n", "/".join(["ai"] * 100) + "\n", "y\n")])
    proposals = propose(backend, Request(("", "@@ -0,0 +1 @@\n+"), candidates=3), lambda: False)
    assert [proposal.stop for proposal in proposals] == [Stop.BOUNDARY, Stop.LENGTH, Stop.BOUNDARY]
    assert len(proposals[1].written) < 150
    assert proposals[2].diff == Diff((Hunk(0, ("y",)),))


def test_as_many_lines_as_the_limit_fit() -> None:
    _, ended = run(state_of(""), stream(insertion(0, *NUMBERED[:4]), END), limits=Limits(lines=4))
    assert ended.document.text == "x0\nx1\nx2\nx3\n"


def test_the_context_is_not_overrun() -> None:
    backend = ScriptedBackend(
        [stream(*[insertion(0, f"y{n}" + "".join(NUMBERED)[:200]) for n in range(30)])], context=600
    )
    steps, ended = run(state_of("a\n"), backend, limits=Limits(steps=30))
    assert ended.reason is Reason.LIMIT
    assert 0 < len(steps) <= 10
    for request in backend.requests:
        used = sum(backend.count(fragment) + 1 for fragment in request.prompt)
        assert used + request.max_tokens <= backend.context


def test_a_linter_that_fails_ends_with_the_clean_prefix() -> None:
    def lint(text: str) -> Report:
        return Report(failure="killed") if "second" in text else lint_bad(text)

    steps, ended = run(
        state_of(""),
        stream(insertion(0, "first"), insertion(0, "second"), insertion(0, "third")),
        gate_of(ImmediateLinter(lint)),
    )
    assert reasons(steps) == [Reason.ACCEPTED, Reason.LINTER_FAILED]
    assert ended == Ended(Reason.LINTER_FAILED, Document("first\n"), 1, 1)


def test_only_new_findings_count() -> None:
    steps, ended = run(state_of("bad one\n"), stream(insertion(0, "x"), insertion(0, "bad one"), END, END))
    assert reasons(steps) == [Reason.ACCEPTED, Reason.NEW_FINDINGS]
    assert steps[1].verdict.findings == [finding("bad one", 3)]
    assert ended.document.text == "x\nbad one\n"


def test_the_opening_is_kept_until_the_first_diff_is_accepted() -> None:
    backend = ScriptedBackend([stream("bad\n", "good\n", insertion(2, "next"), END)])
    *steps, ended = generation(state_of("a\n"), backend, gate_of(), opening=Opening(1, "    "))
    assert isinstance(ended, Ended)
    assert ended.document.text == "a\n    good\nnext\n"
    first, again, following, *_ = backend.requests
    assert first.prompt == again.prompt
    assert first.prompt[-1].startswith("@@ -1,0 +2 @@\n+")
    assert first.begins == again.begins
    assert following.prompt[-1] == ""
    written = [step.written for step in steps if isinstance(step, Step)]
    assert written[0] == "@@ -1,0 +2 @@\n+    bad\n"


def test_places_hold_for_the_first_diff() -> None:
    backend = ScriptedBackend([stream(insertion(1, "x"), END)])
    list(generation(state_of("a\nb\nc\n"), backend, gate_of(), places=[1]))
    first, following, *_ = backend.requests
    assert {begin.split(",")[0] for begin in first.begins[1:]} == {"@@ -1"}
    assert len(following.begins) == 1 + 5 * LIMITS.lines


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
    steps, ended = run(state_of(""), backend, gate_of(linter))
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
        list(generation(state_of(""), backend, gate_of(linter), cancelled=cancelled))
    assert max(asked) == 2


def test_nothing_is_yielded_before_its_verdict() -> None:
    judged: list[str] = []

    def lint(text: str) -> Report:
        judged.append(text)
        return lint_bad(text)

    linter = ManualLinter(lint)
    backend = Choreographed([insertion(0, "a"), insertion(1, "bad"), insertion(1, "c"), END], linter)
    for item in generation(state_of(""), backend, gate_of(linter)):
        assert item.document.text in judged


def test_what_was_written_ahead_of_a_rejection_is_forgotten() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "bad"), insertion(1, "ahead"), insertion(0, "good"), END], linter)
    steps, ended = run(state_of(""), backend, gate_of(linter))
    assert reasons(steps) == [Reason.NEW_FINDINGS, Reason.ACCEPTED]
    assert ended.document.text == "good\n"
    first, ahead, retry, *_ = backend.requests
    assert ahead.prompt == (*first.prompt[:-1], insertion(0, "bad"), "")
    assert retry.prompt == first.prompt


def test_a_rejection_breaks_off_what_is_written_ahead() -> None:
    linter = ManualLinter()
    backend = Choreographed([insertion(0, "bad"), insertion(1, "x" * 400), insertion(0, "good"), END], linter)
    written: list[int] = []
    backend.at_start = {1: linter.answer, 2: lambda: written.append(backend.usage.written)}
    run(state_of(""), backend, gate_of(linter))
    assert written == [1]


def test_what_is_rejected_at_once_is_not_written_ahead_of() -> None:
    backend = ScriptedBackend([stream(insertion(0, "bad"), insertion(0, "good"), END)])
    _, ended = run(state_of(""), backend, gate_of(ImmediateLinter(), lint_bad))
    assert ended.document.text == "good\n"
    assert backend.requests[1].prompt == backend.requests[0].prompt


def test_cancelling_while_the_model_writes() -> None:
    backend = ScriptedBackend([insertion(0, "x" * 400)])
    gate = gate_of()
    with pytest.raises(Cancelled):
        list(generation(state_of(""), backend, gate, cancelled=lambda: backend.usage.written >= 5))
    assert backend.usage.written == 5


def test_waiting_returns_what_is_there() -> None:
    linter = ManualLinter()
    gate = gate_of(linter)
    verdict = gate.submit(Document(""), Document("x"), Baseline(Known(), Tier.PYLINT))

    def answer_when_asked() -> bool:
        linter.answer()
        return False

    assert wait(verdict, answer_when_asked).accepted


# Several candidates


def test_candidates_are_read_apart() -> None:
    backend = ScriptedBackend([stream("x\n", "garbage\nmore\n", "y\n+z\n")])
    request = Request(("", "@@ -0,0 +1 @@\n+"), candidates=3)
    proposals = propose(backend, request, lambda: False)
    assert [proposal.diff for proposal in proposals] == [
        Diff((Hunk(0, ("x",)),)),
        Malformed("a line that begins with neither + nor @@"),
        Diff((Hunk(0, ("y", "z")),)),
    ]
    assert [proposal.stop for proposal in proposals] == [Stop.BOUNDARY, Stop.LENGTH, Stop.BOUNDARY]
    assert proposals[0].written == "@@ -0,0 +1 @@\n+x\n"
    assert proposals[0].confidence == -1.0
    assert Proposal("", Diff(), Stop.END, 0.0, 0).confidence == 0.0


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
    start = state_of(text)
    limits = Limits(steps=4, tries=tries)

    def answer_when_waited_for() -> bool:
        if backend.idle:
            linter.answer()
        return False

    items = list(generation(start, backend, gate, limits=limits, cancelled=answer_when_waited_for))
    *steps, ended = items
    assert isinstance(ended, Ended)
    state, in_a_row, prompts = start, 0, [start.prompt]
    for number, step in enumerate(steps, 1):
        assert isinstance(step, Step)
        assert step.number == number
        if step.verdict.accepted:
            assert isinstance(step.diff, Diff)
            after = state.after(step.diff)
            assert isinstance(after, State)
            assert step.document == after.document
            state, in_a_row = after, 0
            prompts.append(state.prompt)
        else:
            in_a_row += 1
            assert in_a_row <= tries
            assert isinstance(step.diff, Diff) or step.verdict.reason is Reason.MALFORMED
    # The prompt, read as diffs from nothing on, is what the model is shown of the document.
    built: list[str] = []
    for fragment in state.prompt[1:]:
        diff = parse(fragment)
        assert isinstance(diff, Diff)
        built = edited(built, diff)
    assert built == state.excerpt.lines(state.document)
    # Only what was accepted is in the end, and all of it.
    assert ended.document == state.document
    assert ended.accepted == len(prompts) - 1 <= limits.steps
    assert ended.rejected == len(steps) - ended.accepted
    new = ended.document.text.removesuffix(text)
    assert not any(word in new for word in ("bad", "broken", "garbage", "noqa"))
    # Nothing is asked for that is more than one diff ahead of the verdicts.
    for request in backend.requests:
        closed = [part for part in request.prompt[:-1] if part != END]
        assert any(closed[:-1] == [*known] or closed == [*known] for known in prompts)
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
    step = next(generation(state_of("a = 1"), backend, gate_of()))
    assert isinstance(step, Step)
    assert step.verdict.accepted
    assert "c" not in "".join(written)
