"""What an action names: one insertion, of a body, of what goes on, or in place of lines."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from lintseq_lsp import actions, lintseq
from lintseq_lsp.actions import Action, ActionKind, Insertion
from lintseq_lsp.asking.job import Job
from lintseq_lsp.edits import replacement_between
from lintseq_lsp.excerpt import replace_lines
from lintseq_lsp.formats.base import Task, View
from lintseq_lsp.gate import Bar, wait
from lintseq_lsp.generation import RESAMPLING, Ended, Limits, Step
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import indentation
from lintseq_lsp.verdicts import Known, beyond, finding_key


def resolve(job: Job, action: Action) -> Outcome:
    """One suggestion, one replacement."""
    insertion: Insertion | Outcome | None
    proved = False
    match action.kind:
        case ActionKind.IMPLEMENT:
            insertion = actions.implementation(job.document, action)
        case ActionKind.CONTINUE:
            insertion = actions.continuation(job.document, action)
        case ActionKind.REWRITE | ActionKind.FIX:
            job.bar, proved = _without_finding(job.bar, action)
            insertion = _without_lines(job, action)
    if insertion is None:
        return job.outcome(Reason.NOTHING_NEW)
    if isinstance(insertion, Outcome):
        return insertion
    outcome = _inserted(job, insertion)
    return replace(outcome, proved=proved and bool(outcome.suggestions))


def taken_out(
    lines: Sequence[str], seeds: Collection[int], known: Known, lint: lintseq.Lint
) -> lintseq.State | lintseq.Failure:
    """The lines that go with `seeds`, by LintSeq's backward step; what is `known` is no error."""
    return lintseq.backward_step(lines, seeds, beyond(known, lint), max_checks=12)


def _without_lines(job: Job, action: Action) -> Insertion | Outcome:
    """The document without the lines of `action`.

    What only had to go with them is not the model's to delete: it is there again around the answer.
    """
    document = job.document

    def lint(text: str) -> Report:
        return wait(job.bar.check(document.with_text(text)), job.cancelled)

    seeds = [
        number for number in range(action.first_line, action.last_line + 1) if document.lines[number].strip()
    ]
    if not seeds:
        return job.outcome(Reason.STALE)
    removed = taken_out(document.lines, seeds, job.bar.known, lint)
    if isinstance(removed, lintseq.Failure):
        return job.outcome(Reason.LINTER_FAILED, detail=removed.reason)
    first = seeds[0]
    blocks = lintseq.blocks(document.lines)
    end = max(number for seed in seeds for number in blocks[seed] if document.lines[number].strip()) + 1
    asked = replace_lines(document, [(first, end - first, ())])
    clean = replace_lines(document, [(number, 1, ()) for number in sorted(removed)])
    shown = (clean, first - sum(number < first for number in removed))
    return Insertion(asked, first, indentation(document.lines[first]), shown=shown)


def _inserted(job: Job, insertion: Insertion) -> Outcome:
    """The first accepted text that differs from the document, by more tries if need be."""
    limits = Limits(steps=1, tries=job.settings.tries)
    shown, above = insertion.shown or (insertion.document, insertion.above)
    view = View.of_new_lines(shown, above, insertion.typed, insertion.instruction)
    lines = max(job.settings.max_lines, 12)
    question = job.ask(view, Task.LINES, lines)
    if question is None:
        return job.unasked(Task.LINES, lines)
    reason = Reason.LIMIT
    for attempt in range(job.settings.tries):
        sampling = replace(RESAMPLING, seed=attempt) if attempt else None
        is_over = True
        for item in job.steps(question, shown, limits, sampling):
            if isinstance(item, Ended):
                if not item.accepted:
                    reason = item.reason
            elif item.verdict.accepted:
                judged = _joined(job, insertion, item)
                if isinstance(judged, Suggestion):
                    return job.outcome(Reason.ACCEPTED, (judged,))
                reason, is_over = judged, False
        if is_over:
            break
    return job.outcome(reason)


def _joined(job: Job, insertion: Insertion, step: Step) -> Suggestion | Reason:
    """What an accepted step inserted, in the document; or why that is no suggestion."""
    document = job.document
    final = replace_lines(insertion.document, [(insertion.above, 0, step.added)])
    verdict = step.verdict
    if final.text != step.document.text:
        # The model was shown less, or without the blank lines around.
        verdict = job.judge(final)
        job.states += 1
    if not verdict.accepted:
        return verdict.reason
    change = replacement_between(document.text, final.text)
    if change is None or job.memory.is_unwanted(document.path, final.text):
        return Reason.NOTHING_NEW
    return Suggestion(document, (change,), job.evidence(verdict), step.confidence)


def _without_finding(bar: Bar, action: Action) -> tuple[Bar, bool]:
    """The bar in which the finding that `action` is to fix is new, and whether it was found there.

    Clients' messages are often longer than the linter's; a symbol alone must be unmistakable.
    """
    _, symbol, message = finding_key(Finding(action.symbol, "", action.message, action.first_line + 1))
    known = bar.known.findings
    said = [finding for finding in known if finding.message and finding_key(finding)[-1] in message]
    alike = [finding for finding in known if finding.symbol == symbol]
    if not said and len(alike) != 1:
        return bar, False
    fixed = min(said or alike, key=lambda finding: abs(finding.line - action.first_line - 1))
    rest = [finding for finding in known if finding is not fixed]
    return replace(bar, known=replace(bar.known, findings=rest)), True
