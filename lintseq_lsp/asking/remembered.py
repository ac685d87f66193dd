"""What was suggested before: found again, still true, or judged anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from lintseq_lsp.asking.job import Cancelled, Job
from lintseq_lsp.edits import apply, rebase
from lintseq_lsp.gate import Gate
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Evidence, Memory, Outcome, Suggestion
from lintseq_lsp.text import Document


def holds(gate: Gate, suggestion: Suggestion) -> bool:
    """Whether its evidence is still true: modules that it was judged with may have changed since.

    Or a check of all of the text has found what a partial one had not.
    """
    path, evidence = suggestion.base.path, suggestion.evidence
    if evidence.partial and gate.is_withdrawn(path, suggestion.text):
        return False
    return gate.holds(path, evidence.dependencies)


def ghost_text(memory: Memory, document: Document, offset: int) -> Iterator[Suggestion]:
    """What is left at `offset` of the suggestions that the document is on the way to, true or not."""
    for suggestion, left in memory.recall_inline(document, offset):
        yield replace(suggestion, base=document, replacements=(left,))


def recall(
    memory: Memory, is_true: Callable[[Suggestion], bool], document: Document, offset: int
) -> Outcome | None:
    """The answer at `offset` that is known already. Takes no model, and may run in any thread."""
    suggestions = tuple(entry for entry in ghost_text(memory, document, offset) if is_true(entry))
    return Outcome(suggestions, Reason.ACCEPTED, cached=True) if suggestions else None


def again(job: Job, suggestion: Suggestion) -> Suggestion | None:
    """The suggestion for the job's document with new evidence; None when it is not clean any more."""
    verdict = job.bar.judge(job.document.with_text(suggestion.text), job.cancelled)
    return replace(suggestion, evidence=job.evidence(verdict, 1)) if verdict.accepted else None


def moved(gate: Gate, suggestion: Suggestion, now: Document, cancelled: Cancelled) -> Suggestion | None:
    """The suggestion for what the user's typing made of its base meanwhile, judged anew.

    None when the typing touches it, or when both together are not clean.
    """
    changes = rebase(suggestion.replacements, suggestion.base.text, now.text)
    if changes is None:
        return None
    candidate = now.with_text(apply(now.text, changes))
    verdict = gate.against(now, None, cancelled).judge(candidate, cancelled)
    if not verdict.accepted:
        return None
    earlier = suggestion.evidence
    evidence = Evidence.of(verdict, earlier.states + 1, earlier.milliseconds)
    return replace(
        suggestion, base=now, replacements=tuple(changes), evidence=evidence, judged=candidate.text
    )
