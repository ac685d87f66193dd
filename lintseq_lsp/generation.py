"""The only loop: question → answer → candidate → verdict, again until the model ends or tries run out.

A rejected edit cannot be skipped, since those behind it build on it: the loop goes back to the last
accepted state, whose prompt the backend still has in its cache, and samples anew. The linter judges
one edit while the model already writes the next; no step is yielded before its verdict.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace

from lintseq_lsp.backends.base import Backend, Sampling
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.formats.base import Edit, Malformed, Question, changed_lines
from lintseq_lsp.gate import Bar, wait
from lintseq_lsp.proposals import Proposal, proposals
from lintseq_lsp.reasons import Reason
from lintseq_lsp.repetition import repeated_from, repeats_neighbours
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict, malformed

RESAMPLING = Sampling(temperature=0.7, top_p=0.95, min_p=0.02)
"""How a second answer is sampled, after the greedy one was rejected."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sequence: steps accepted, before no more is asked, and rejections in a row."""

    steps: int = 8
    tries: int = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One edit of `before` and what became of it. `document` is the candidate; `before`, if malformed."""

    number: int
    edit: Edit | Malformed
    written: str
    before: Document
    document: Document
    verdict: Verdict
    logprob: float = 0.0
    tokens: int = 0

    @property
    def added(self) -> list[str]:
        """The lines that the edit makes new."""
        return _added(self.before, self.edit) if isinstance(self.edit, Edit) else []

    @property
    def confidence(self) -> float:
        """Mean log-probability (nats a token)."""
        return self.logprob / self.tokens if self.tokens else 0.0


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
class _Pending:
    proposal: Proposal
    edit: Edit
    document: Document
    verdict: Future[Verdict]

    @property
    def is_rejected(self) -> bool:
        return self.verdict.done() and not self.verdict.result().accepted


def generate(
    question: Question,
    document: Document,
    backend: Backend,
    bar: Bar,
    *,
    limits: Limits,
    sampling: Sampling | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Step | Ended]:
    """Steps from `document` on, each as soon as its verdict is there, and last `Ended`.

    `question` is about `document`. Greedy unless `sampling` is given; retries always sample.
    Raises `Cancelled`, and `ModelError` when the backend fails.
    """
    sequence = _Sequence(question, document, bar, limits)
    return sequence.items(backend, sampling or Sampling(), cancelled)


class _Sequence:
    """Where the loop stands: the last accepted state, and the edit that is being judged."""

    def __init__(self, question: Question, document: Document, bar: Bar, limits: Limits) -> None:
        self._document = document
        self._question: Callable[[], Question | None] = lambda: question
        self._bar, self._limits = bar, limits
        self._pending: _Pending | None = None
        self._number = self._accepted = self._rejected = self._tries = 0
        self._ended: Reason | None = None

    def items(
        self, backend: Backend, sampling: Sampling, cancelled: Callable[[], bool]
    ) -> Iterator[Step | Ended]:
        while self._ended is None:
            rejected = self._rejected
            proposal = yield from self._answer(backend, sampling, cancelled)
            if self._pending is not None:
                yield self._settle(self._pending, wait(self._pending.verdict, cancelled))
            if self._rejected == rejected:  # else it follows a state that is none
                yield from self._take(proposal, cancelled)
        yield Ended(self._ended, self._document, self._accepted, self._rejected)

    def _answer(
        self, backend: Backend, sampling: Sampling, cancelled: Callable[[], bool]
    ) -> Generator[Step, None, Proposal | None]:
        """What the model writes next, while the pending verdict may come. None: nothing is to be asked."""
        pending = self._pending
        steps = self._accepted + (pending is not None)
        if steps >= self._limits.steps or (pending and pending.is_rejected):
            return None
        question = (pending.edit.after if pending else self._question)()
        if question is None:
            return None
        asked = question.sampled(_sampling(sampling, 0 if pending else self._tries, steps))
        proposal = None
        with closing(proposals(backend, asked, cancelled)) as writing:
            for latest in writing:
                proposal = latest
                if self._pending is not None and self._pending.verdict.done():
                    yield self._settle(self._pending, self._pending.verdict.result())
                    if self._tries:
                        return None
        return proposal

    def _settle(self, pending: _Pending, verdict: Verdict) -> Step:
        """The pending step, now that its verdict is there."""
        self._pending = None
        before = self._document
        if verdict.accepted:
            self._document, self._question, self._tries = pending.document, pending.edit.after, 0
            self._accepted += 1
        else:
            self._refuse(verdict.reason)
        return self._step(pending.proposal, pending.edit, before, pending.document, verdict)

    def _take(self, proposal: Proposal | None, cancelled: Callable[[], bool]) -> Iterator[Step]:
        """Submits an answer to the last accepted state; yields a step if it is none."""
        if proposal is None:
            self._ended = Reason.LIMIT
            return
        edit = proposal.edit
        reason = edit if isinstance(edit, Malformed) else _repetition(self._document, edit)
        if reason is not None:
            self._refuse(Reason.MALFORMED)
            yield self._step(proposal, reason, self._document, self._document, malformed(reason))
        elif isinstance(edit, Edit) and edit.lines:
            yield from self._take_apart(proposal, edit, cancelled)
        elif isinstance(edit, Edit) and edit.changes:
            after = self._document.with_text(apply(self._document.text, edit.changes))
            verdict = self._bar.at(self._document).submit(after)
            self._pending = _Pending(proposal, edit, after, verdict)
        elif isinstance(edit, Edit):
            self._question = edit.after
            if self._question() is None:
                self._ended = Reason.COMPLETE

    def _take_apart(self, proposal: Proposal, edit: Edit, cancelled: Callable[[], bool]) -> Iterator[Step]:
        """A step for each change of an answer, from the top: judged with those that were accepted before it.

        A change that is rejected may be right together with a later one, which uses what it imports: it is
        tried again with each of those, before that one is tried alone. The answer is refused when nothing
        of it was accepted.
        """
        taken: list[Replacement] = []
        waiting: list[tuple[Replacement, range]] = []
        reason = Reason.ACCEPTED
        for change in zip(edit.changes, edit.lines, strict=True):
            waiting.append(change)
            for together in [waiting, [change]] if len(waiting) > 1 else [waiting]:
                changes = tuple(_behind(replacement, taken) for replacement, _ in together)
                logprob = sum(proposal.logprob_of(lines) for _, lines in together)
                step = self._judged(replace(proposal, logprob=logprob), Edit(changes), cancelled)
                yield step
                reason = step.verdict.reason
                if step.verdict.accepted:
                    self._document = step.document
                    self._accepted += 1
                    taken += [replacement for replacement, _ in together]
                    waiting = [each for each in waiting if each not in together]
                    break
            if reason is Reason.LINTER_FAILED:
                break
        if not taken:
            self._refuse(reason)
            return
        self._question = edit.after
        if self._question() is None:
            self._ended = Reason.COMPLETE

    def _judged(self, proposal: Proposal, edit: Edit, cancelled: Callable[[], bool]) -> Step:
        """The step that `edit` is from the last accepted state on."""
        before = self._document
        repetition = _repetition(before, edit)
        if repetition is not None:
            return self._step(proposal, repetition, before, before, malformed(repetition))
        after = before.with_text(apply(before.text, edit.changes))
        verdict = wait(self._bar.at(before).submit(after), cancelled)
        return self._step(proposal, edit, before, after, verdict)

    def _refuse(self, reason: Reason) -> None:
        self._tries += 1
        if reason is Reason.LINTER_FAILED or self._tries >= self._limits.tries:
            self._ended = reason

    def _step(
        self,
        proposal: Proposal,
        edit: Edit | Malformed,
        before: Document,
        document: Document,
        verdict: Verdict,
    ) -> Step:
        self._number += 1
        self._rejected += not verdict.accepted
        written, logprob, tokens = proposal.written, proposal.logprob, proposal.tokens
        return Step(self._number, edit, written, before, document, verdict, logprob, tokens)


def _sampling(sampling: Sampling, tries: int, steps: int) -> Sampling:
    """How an edit is sampled: no two of a sequence by the same numbers, or they would be drawn alike."""
    if tries and sampling.temperature <= 0:
        sampling = replace(RESAMPLING, seed=sampling.seed)
    if sampling.temperature <= 0:
        return sampling
    return replace(sampling, seed=sampling.seed + 1000 * tries + steps)


def _behind(change: Replacement, earlier: Sequence[Replacement]) -> Replacement:
    """A change in offsets of the text that `earlier` ones, which are apart from it, lead to."""
    shift = sum(len(each.text) - (each.end - each.start) for each in earlier if each.start < change.start)
    return Replacement(change.start + shift, change.end + shift, change.text)


def _added(document: Document, edit: Edit) -> list[str]:
    return [line for change in edit.changes for line in changed_lines(document, change)[2]]


def _repetition(document: Document, edit: Edit) -> Malformed | None:
    """Why an edit is no use: it repeats itself, or what stands next to it."""
    for change in edit.changes:
        first, end, added = changed_lines(document, change)
        if repeated_from(added) < len(added):
            return Malformed("repeats itself")
        if repeats_neighbours(added, document.lines[:first], document.lines[end:]):
            return Malformed("repeats the text next to it")
    return None
