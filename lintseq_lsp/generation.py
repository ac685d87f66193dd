"""The only loop: prompt → diff → candidate → verdict, again until the model ends or tries run out.

A rejected diff cannot be skipped, since later hunks count its lines: the loop goes back to the last
accepted state, whose prompt the backend still has in its cache, and samples anew. The linter judges
one diff while the model already writes the next; no step is yielded before its verdict.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from lintseq_lsp.backends.base import Backend, Piece, Request, Sampling, Stop
from lintseq_lsp.diffs import Diff, DiffStream, Malformed, render
from lintseq_lsp.excerpt import Excerpt, apply_diff
from lintseq_lsp.gate import Baseline, Gate, Reason, Verdict, malformed, wait
from lintseq_lsp.prompts import END, Opening, next_headers, open_block
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
    """What one candidate wrote behind the prompt. `logprob` is the sum over its `tokens`."""

    written: str
    diff: Diff | Malformed
    stop: Stop
    logprob: float
    tokens: int

    @property
    def confidence(self) -> float:
        """Mean log-probability (nats a token)."""
        return self.logprob / self.tokens if self.tokens else 0.0


@dataclass(slots=True)
class _Writing:
    stream: DiffStream
    written: str
    logprob: float = 0.0
    tokens: int = 0

    def take(self, piece: Piece) -> Malformed | None:
        self.written += piece.text
        self.logprob += piece.logprob
        self.tokens += piece.tokens
        return self.stream.feed(piece.text)


def propose(
    backend: Backend,
    request: Request,
    cancelled: Callable[[], bool],
    *,
    drop: Callable[[], bool] = lambda: False,
) -> list[Proposal]:
    """Every candidate of `request`, its last prompt fragment included in what counts as written.

    Stops early, with what is complete by then, when `drop()` turns true, or when the only candidate
    has become malformed.
    """
    writings = [_Writing(DiffStream(), request.prompt[-1]) for _ in range(request.candidates)]
    for writing in writings:
        writing.stream.feed(request.prompt[-1])
    proposals: dict[int, Proposal] = {}
    pieces = backend.write(request, cancelled)
    for piece in pieces:
        writing = writings[piece.candidate]
        broken = writing.take(piece)
        stop = piece.stop or (Stop.LENGTH if broken and request.candidates == 1 else None)
        if stop is not None:
            diff = broken or writing.stream.flush()
            proposals[piece.candidate] = Proposal(
                writing.written, diff, stop, writing.logprob, writing.tokens
            )
        if drop() or (broken and request.candidates == 1):
            break
    _close(pieces)
    return [proposals[candidate] for candidate in sorted(proposals)]


def _close(pieces: Iterator[Piece]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


@dataclass(frozen=True, slots=True)
class _Pending:
    proposal: Proposal
    diff: Diff
    after: State
    verdict: Future[Verdict]


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
    """Steps from `start` on, each with its verdict, and last `Ended`.

    `opening` fixes where and how the first diff begins. `places` are the excerpt lines below which
    the first diff may insert. Greedy unless `sampling` is given; retries always sample.
    Raises `Cancelled`, and `ModelError` when the backend fails.
    """
    state, pending = start, None
    accepted = rejected = tries = number = 0
    while True:
        ahead = pending.after if pending else state
        first = ahead is start
        proposal = None
        if accepted + (pending is not None) < limits.steps and not _is_rejected(pending):
            request = _request(
                backend,
                ahead,
                limits,
                opening if first else None,
                places if first else None,
                _sampling(sampling, 0 if pending else tries, accepted),
            )
            if request is not None:
                proposals = propose(backend, request, cancelled, drop=partial(_is_rejected, pending))
                proposal = proposals[0] if proposals else None
        if pending is not None:
            verdict = wait(pending.verdict, cancelled)
            number += 1
            yield _step(number, pending.proposal, pending.diff, pending.after.document, verdict)
            if not verdict.accepted:
                rejected += 1
                tries += 1
                pending = None
                if verdict.reason is Reason.LINTER_FAILED or tries >= limits.tries:
                    yield Ended(verdict.reason, state.document, accepted, rejected)
                    return
                continue
            state, pending, tries = pending.after, None, 0
            accepted += 1
        if proposal is None:
            yield Ended(Reason.LIMIT, state.document, accepted, rejected)
            return
        if proposal.stop is Stop.END and proposal.diff == Diff():
            yield Ended(Reason.COMPLETE, state.document, accepted, rejected)
            return
        diff = _finished(proposal)
        after = diff if isinstance(diff, Malformed) else state.after(diff)
        if isinstance(diff, Malformed) or isinstance(after, Malformed):
            reason = diff if isinstance(diff, Malformed) else after
            assert isinstance(reason, Malformed)
            number, rejected, tries = number + 1, rejected + 1, tries + 1
            yield _step(number, proposal, reason, state.document, malformed(reason))
            if tries >= limits.tries:
                yield Ended(Reason.MALFORMED, state.document, accepted, rejected)
                return
        elif not diff.hunks:
            if state.ends:
                yield Ended(Reason.COMPLETE, state.document, accepted, rejected)
                return
            state = after
        else:
            judged = gate.submit(state.document, after.document, baseline)
            pending = _Pending(proposal, diff, after, judged)


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


def _sampling(sampling: Sampling | None, tries: int, accepted: int) -> Sampling:
    if tries == 0:
        return sampling or Sampling()
    chosen = sampling if sampling and sampling.temperature > 0 else RESAMPLING
    return replace(chosen, seed=chosen.seed + 1000 * tries + accepted)


def _finished(proposal: Proposal) -> Diff | Malformed:
    if proposal.stop is Stop.LENGTH and isinstance(proposal.diff, Diff):
        return Malformed("not finished within the limit")
    return proposal.diff


def _is_rejected(pending: _Pending | None) -> bool:
    return pending is not None and pending.verdict.done() and not pending.verdict.result().accepted


def _step(
    number: int, proposal: Proposal, diff: Diff | Malformed, document: Document, verdict: Verdict
) -> Step:
    return Step(number, diff, proposal.written, document, verdict, proposal.logprob, proposal.tokens)
