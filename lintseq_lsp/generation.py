"""The only loop: prompt → diff → candidate → verdict, again until the model ends or tries run out.

A rejected diff cannot be skipped, since later hunks count its lines: the loop goes back to the last
accepted state, whose prompt the backend still has in its cache, and samples anew. The linter judges
one diff while the model already writes the next; no step is yielded before its verdict.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace

from lintseq_lsp.backends.base import Backend, Piece, Request, Sampling, Stop
from lintseq_lsp.diffs import Diff, DiffStream, Malformed, render
from lintseq_lsp.excerpt import Excerpt, apply_diff
from lintseq_lsp.gate import Baseline, Gate, Reason, Verdict, malformed
from lintseq_lsp.prompts import END, Opening, next_headers, open_block
from lintseq_lsp.repetition import Circles, repeated_from, repeats_neighbours
from lintseq_lsp.reports import wait
from lintseq_lsp.text import Document

RESAMPLING = Sampling(temperature=0.7, top_p=0.95, min_p=0.02)
"""How a second answer is sampled, after the greedy one was rejected."""


@dataclass(frozen=True, slots=True)
class State:
    """An accepted document, what the model sees of it, and the prompt that shows how it came about."""

    document: Document
    excerpt: Excerpt
    prompt: tuple[str, ...]
    """Closed fragments: the model continues behind a boundary that follows the last one."""

    @property
    def ends(self) -> bool:
        """Whether the last diff was empty: one more, or the end of the text, ends the sequence."""
        return len(self.prompt) > 1 and self.prompt[-1] == END

    def after(self, diff: Diff) -> "State | Malformed":
        applied = apply_diff(self.document, self.excerpt, diff)
        if isinstance(applied, Malformed):
            return applied
        document, excerpt = applied
        return State(document, excerpt, (*self.prompt, render(diff)))


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sequence: steps accepted, lines in a diff, rejections in a row, tokens in a diff."""

    steps: int = 8
    lines: int = 8
    tries: int = 4
    tokens: int = 160


@dataclass(frozen=True, slots=True)
class Step:
    """One diff and what became of it. `document` is the candidate, or the state before a malformed diff."""

    number: int
    diff: Diff | Malformed
    written: str
    document: Document
    verdict: Verdict
    logprob: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The last item of a sequence.

    `COMPLETE` when the model ended it, `LIMIT` when steps or context were used up, else the reason
    for which its last try was rejected.
    """

    reason: Reason
    document: Document
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one candidate wrote behind the prompt. `logprob` is the sum over its `tokens`.

    `line_logprobs` are the sums up to the end of each line, the header's not counted.
    """

    written: str
    diff: Diff | Malformed
    stop: Stop
    logprob: float
    tokens: int
    candidate: int = 0
    line_logprobs: tuple[float, ...] = ()

    @property
    def confidence(self) -> float:
        """Mean log-probability (nats a token)."""
        return self.logprob / self.tokens if self.tokens else 0.0


class _Writing:
    """One candidate: what it wrote so far, and whether there is a point in reading on."""

    def __init__(self, index: int, fragment: str) -> None:
        self.ended = False
        self._index = index
        self._written = fragment
        self._logprob, self._tokens = 0.0, 0
        self._stream = DiffStream()
        self._stream.feed(fragment)
        self._circles = Circles()
        self._header = "\n" not in fragment  # whether the header is the model's to write
        self._lines: list[float] = []

    def take(self, piece: Piece) -> Proposal | None:
        """The proposal, when the candidate ends here: by itself, malformed, or in a circle."""
        self._written += piece.text
        self._logprob += piece.logprob
        self._tokens += piece.tokens
        self._lines += [self._logprob] * piece.text.count("\n")
        broken = self._stream.feed(piece.text)
        stop = piece.stop or (Stop.LENGTH if broken or self._circles.closed_by(piece.text) else None)
        if stop is None:
            return None
        self.ended = True
        diff = broken or self._stream.flush()
        if not self._written.endswith("\n"):
            self._lines.append(self._logprob)
        begin = self._lines.pop(0) if self._header else 0.0
        lines = tuple(logprob - begin for logprob in self._lines)
        return Proposal(self._written, diff, stop, self._logprob, self._tokens, self._index, lines)


def propose(backend: Backend, request: Request, cancelled: Callable[[], bool]) -> list[Proposal]:
    """Every candidate of `request`, its last prompt fragment included in what counts as written."""
    with closing(_written(backend, request, cancelled)) as writing:
        proposals = [proposal for proposal in writing if proposal is not None]
    return sorted(proposals, key=lambda proposal: proposal.candidate)


def _written(
    backend: Backend, request: Request, cancelled: Callable[[], bool]
) -> Generator[Proposal | None, None, None]:
    """A proposal for each candidate that ends, and None for each piece in between."""
    writings = [_Writing(index, request.prompt[-1]) for index in range(request.candidates)]
    for piece in backend.write(request, cancelled):
        writing = writings[piece.candidate]
        if writing.ended:
            continue  # it is still written, as one batch with the others
        yield writing.take(piece)
        if all(writing.ended for writing in writings):
            return


@dataclass(frozen=True, slots=True)
class _Pending:
    proposal: Proposal
    diff: Diff
    after: State
    verdict: Future[Verdict]

    @property
    def is_rejected(self) -> bool:
        return self.verdict.done() and not self.verdict.result().accepted


@dataclass(slots=True)
class _Progress:
    """Where the loop stands: the last accepted state, and the diff that is being judged."""

    state: State
    pending: _Pending | None = None
    number: int = 0
    accepted: int = 0
    rejected: int = 0
    tries: int = 0

    def settle(self, verdict: Verdict) -> Step:
        """The pending step, now that its verdict is there."""
        pending, self.pending = self.pending, None
        assert pending is not None
        if verdict.accepted:
            self.state, self.tries = pending.after, 0
            self.accepted += 1
        else:
            self._refuse()
        return self._step(pending.proposal, pending.diff, pending.after.document, verdict)

    def refuse(self, proposal: Proposal, reason: Malformed) -> Step:
        """The step of an answer that is no diff of this state."""
        self._refuse()
        return self._step(proposal, reason, self.state.document, malformed(reason))

    def ended(self, reason: Reason) -> Ended:
        return Ended(reason, self.state.document, self.accepted, self.rejected)

    def _refuse(self) -> None:
        self.rejected += 1
        self.tries += 1

    def _step(self, proposal: Proposal, diff: Diff | Malformed, document: Document, verdict: Verdict) -> Step:
        self.number += 1
        written, logprob, tokens = proposal.written, proposal.logprob, proposal.tokens
        return Step(self.number, diff, written, document, verdict, logprob, tokens)


def generate(
    start: State,
    backend: Backend,
    gate: Gate,
    baseline: Baseline,
    *,
    limits: Limits,
    opening: Opening | None = None,
    places: Sequence[int] | None = None,
    sampling: Sampling | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Ended]:
    """Steps from `start` on, each as soon as its verdict is there, and last `Ended`.

    `opening` fixes where and how the first diff begins. `places` are the excerpt lines below which
    the first diff may insert. Greedy unless `sampling` is given; retries always sample.
    Raises `Cancelled`, and `ModelError` when the backend fails.
    """
    run = _Progress(start)
    while True:
        ahead = run.pending.after if run.pending else run.state
        first = ahead is start
        request = None
        steps = run.accepted + bool(run.pending)
        if steps < limits.steps and not (run.pending and run.pending.is_rejected):
            chosen = _sampling(sampling or Sampling(), 0 if run.pending else run.tries, steps)
            request = _request(
                backend, ahead, limits, opening if first else None, places if first else None, chosen
            )
        proposal = verdict = None
        if request is not None:
            with closing(_written(backend, request, cancelled)) as writing:
                for latest in writing:
                    proposal = latest
                    if run.pending and run.pending.verdict.done():
                        verdict = run.pending.verdict.result()
                        yield run.settle(verdict)
                        if not verdict.accepted:
                            break
        if run.pending:
            verdict = wait(run.pending.verdict, cancelled)
            yield run.settle(verdict)
        if verdict is not None and not verdict.accepted:
            if verdict.reason is Reason.LINTER_FAILED or run.tries >= limits.tries:
                yield run.ended(verdict.reason)
                return
            continue
        if proposal is None:
            yield run.ended(Reason.LIMIT)
            return
        if proposal.stop is Stop.END and proposal.diff == Diff():
            yield run.ended(Reason.COMPLETE)
            return
        diff = _finished(proposal, run.state)
        after = diff if isinstance(diff, Malformed) else run.state.after(diff)
        if isinstance(diff, Malformed) or isinstance(after, Malformed):
            reason = diff if isinstance(diff, Malformed) else after
            assert isinstance(reason, Malformed)
            yield run.refuse(proposal, reason)
            if run.tries >= limits.tries:
                yield run.ended(Reason.MALFORMED)
                return
        elif diff.hunks:
            judged = gate.submit(run.state.document, after.document, baseline)
            run.pending = _Pending(proposal, diff, after, judged)
        elif run.state.ends:
            yield run.ended(Reason.COMPLETE)
            return
        else:
            run.state = after


def _request(
    backend: Backend,
    state: State,
    limits: Limits,
    opening: Opening | None,
    places: Sequence[int] | None,
    sampling: Sampling,
) -> Request | None:
    """What is asked of the model next; None when the context is used up."""
    if opening is not None:
        fragment, begins = open_block(opening)
    elif state.ends:
        fragment, begins = "", ()  # the model may write the end of the text
    else:
        fragment, begins = "", next_headers(len(state.excerpt.numbers), limits.lines, places)
    prompt = (*state.prompt, fragment)
    used = sum(backend.count(part) + 1 for part in prompt)
    if used + limits.tokens // 2 > backend.context:
        return None
    tokens = min(limits.tokens, backend.context - used)
    # The header is one line, and one more ends the sequence of a model that goes on with hunks.
    return Request(prompt, begins, sampling, tokens, limits.lines + 2)


def _sampling(sampling: Sampling, tries: int, steps: int) -> Sampling:
    """How a diff is sampled: no two of a sequence by the same numbers, or they would be drawn alike."""
    if tries and sampling.temperature <= 0:
        sampling = replace(RESAMPLING, seed=sampling.seed)
    if sampling.temperature <= 0:
        return sampling
    return replace(sampling, seed=sampling.seed + 1000 * tries + steps)


def _finished(proposal: Proposal, state: State) -> Diff | Malformed:
    diff = proposal.diff
    if isinstance(diff, Malformed):
        return diff
    if any(repeated_from(hunk.added) < len(hunk.added) for hunk in diff.hunks):
        return Malformed("says the same again")
    if proposal.stop is Stop.LENGTH:
        return Malformed("not finished within the limit")
    shown = state.excerpt.lines(state.document)
    if any(
        repeats_neighbours(hunk.added, shown[: hunk.above], shown[hunk.above + len(hunk.removed) :])
        for hunk in diff.hunks
    ):
        return Malformed("says what stands next to it already")
    return diff
