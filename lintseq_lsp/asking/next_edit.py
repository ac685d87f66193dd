"""The edits that the model would make next, anywhere in the document."""

from collections.abc import Callable
from dataclasses import replace

from lintseq_lsp.asking.job import EDIT_TOKENS, Job
from lintseq_lsp.asking.remembered import again
from lintseq_lsp.edits import at_line_start, replacement_between, unmap
from lintseq_lsp.formats.base import Task, View
from lintseq_lsp.generation import Ended, Limits, Step
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.suggestions import Evidence, Outcome, Suggestion
from lintseq_lsp.text import Document


def next_edit(
    job: Job,
    offset: int,
    known: Suggestion | None,
    *,
    recent: tuple[RecentEdit, ...] = (),
    floor: float,
    on_clean: Callable[[Outcome, Document], None],
) -> Outcome:
    """A chain of edits; or `known`, which was judged with other modules, if it is clean with these.

    `recent` is what the user changed lately. No edit has a lower log-probability than `floor` for each of
    its lines. `on_clean` gets the outcome so
    far and the latest state, whenever one more is clean.
    """
    document, memory = job.document, job.memory
    if not job.bar.parsed:
        return job.broken()
    if known is not None:
        suggestion = again(job, known)
        if suggestion is not None:
            memory.remember_next(document.text, suggestion)
            return job.outcome(Reason.ACCEPTED, (suggestion,))
        memory.forget_next(document)
    limits = Limits(steps=3, tries=job.settings.tries)
    question = job.ask(View(document, offset, recent=recent), Task.NEXT, job.settings.max_lines, EDIT_TOKENS)
    if question is None:
        return job.unasked(Task.NEXT, job.settings.max_lines, EDIT_TOKENS)
    chain = _Chain(document)
    reason = Reason.COMPLETE
    for item in job.steps(question, document, limits):
        if isinstance(item, Ended):
            reason = Reason.NOTHING_NEW if item.accepted else item.reason
            break
        if not item.verdict.accepted:
            continue
        if item.logprob < floor * max(1, len(item.added)):
            reason = Reason.UNSURE
            break
        change = chain.after(item, job.evidence(item.verdict))
        if change is None:
            continue
        if memory.is_declined(change):
            reason = Reason.REJECTED_BEFORE
            break
        memory.remember_next(change.base.text, change)
        chain.offer(change)
        on_clean(job.outcome(Reason.ACCEPTED, chain.offered), item.document)
    return job.outcome(Reason.ACCEPTED if chain.offered else reason, chain.offered)


class _Chain:
    """Accepted steps one after the other, and those of them that are replacements of the first document."""

    def __init__(self, document: Document) -> None:
        self.offered: list[Suggestion] = []
        self._first = self._now = document
        self._together = True

    def after(self, step: Step, evidence: Evidence) -> Suggestion | None:
        """The step as a suggestion for the state before it; None when it changes nothing."""
        before, self._now = self._now, step.document
        change = replacement_between(before.text, step.document.text)
        if change is None:
            return None
        return Suggestion(before, (at_line_start(before.text, change),), evidence, step.confidence)

    def offer(self, alone: Suggestion) -> None:
        """Offers it beside those that are offered, if it does not touch them."""
        (change,) = alone.replacements
        earlier = [suggestion.replacements[0] for suggestion in self.offered]
        back = unmap(change, earlier) if self._together else None
        self._together = back is not None
        if back is not None:
            self.offered.append(replace(alone, base=self._first, replacements=(back,), judged=alone.text))
