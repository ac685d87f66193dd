"""What stands at the cursor: the rest of a line, and the lines of its statement."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lintseq_lsp import completion
from lintseq_lsp.asking.job import Job
from lintseq_lsp.asking.remembered import ghost_text
from lintseq_lsp.backends.base import CANDIDATES, Stop
from lintseq_lsp.completion import Cursor
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.formats.base import Malformed, Task, View
from lintseq_lsp.gate import Bar
from lintseq_lsp.generation import RESAMPLING
from lintseq_lsp.proposals import Proposal, propose
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.verdicts import malformed


def silence(cursor: Cursor, settings: Settings) -> Outcome | None:
    """Why nothing is asked for at the cursor."""
    if not settings.strings_and_comments and completion.in_string_or_comment(cursor):
        return Outcome(reason=Reason.IN_STRING_OR_COMMENT)
    if completion.in_word(cursor):
        return Outcome(reason=Reason.NO_FIT, detail="the cursor is inside a word")
    return None


def complete(
    job: Job,
    cursor: Cursor,
    known: Iterable[Suggestion],
    *,
    recent: tuple[RecentEdit, ...] = (),
    candidates: int,
    floor: float,
) -> Outcome:
    """Alternatives, `known` ones (those that are on the screen) first.

    `recent` is what the user changed lately. The log-probability of none that the model is asked for is below
    `floor`.
    """
    view = View(job.document, cursor.offset, recent=recent)
    question = job.ask(view, Task.FILL, job.settings.max_lines)
    if question is None:
        return job.unasked(Task.FILL, job.settings.max_lines)
    # What ends an answer early: in a region, lines above the cursor do not count.
    least = floor if question.from_cursor else -math.inf
    found = _Found(job, cursor, candidates, {suggestion.text: suggestion for suggestion in known})
    found.add(
        _Answer(entry.replacements, entry.logprob, id=entry.id)
        for entry in ghost_text(job.memory, job.document, cursor.offset)
        if entry.text not in found.suggestions
    )
    reasons: list[Reason] = []
    read = 0
    if not found.enough:
        greedy = propose(job.backend, question, job.cancelled, least)
        read = job.backend.usage.read
        reasons = found.add(_answer(job, cursor, proposal, floor) for proposal in greedy)
    if not found.enough and reasons not in ([Reason.LINTER_FAILED], [Reason.UNSURE]):
        # Cheaper than one by one: the candidates share their prefix, which is in the cache by now.
        count = min(max(job.settings.tries, candidates), CANDIDATES)
        question = question.sampled(RESAMPLING, count)
        written = propose(job.backend, question, job.cancelled, least)
        sampled = sorted(written, key=lambda each: -each.confidence)
        reasons += found.add(_answer(job, cursor, proposal, floor) for proposal in sampled)
    for suggestion in found.suggestions.values():
        job.memory.remember_inline(suggestion, cursor.offset)
    if found.suggestions:
        outcome = job.outcome(Reason.ACCEPTED, tuple(found.suggestions.values()))
    elif reasons[0] in (Reason.DOES_NOT_PARSE, Reason.NEWER_SYNTAX) and not job.bar.parsed:
        outcome = job.broken()
    else:
        outcome = job.outcome(reasons[0])
    return replace(outcome, prompt_tokens_read=read)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Replacements at the cursor, best first: what the gate accepts first is the suggestion.

    `reason` is why there is none, when there are no replacements. `id` is that of a suggestion which is
    judged again.
    """

    replacements: Iterable[Replacement]
    logprob: float
    reason: Reason = Reason.COMPLETE
    id: str | None = None


def _answer(job: Job, cursor: Cursor, proposal: Proposal, floor: float) -> _Answer:
    """The beginnings of what the model wrote, longest first, that are probable enough."""
    edit = proposal.edit
    if isinstance(edit, Malformed):
        job.note(proposal.written, malformed(edit))
        return _Answer((), proposal.confidence, Reason.MALFORMED)
    if not edit.changes:
        reason = Reason.COMPLETE
        if proposal.stop is Stop.LENGTH:
            reason = Reason.UNSURE if proposal.logprob_through(0) < floor else Reason.LIMIT
        return _Answer((), proposal.confidence, reason)
    beginnings = list(completion.answers(cursor, edit.changes[0].text))
    newline = cursor.document.newline
    sure = [
        each
        for each in beginnings
        if proposal.logprob_of(proposal.at_cursor(1 + each.text.count(newline))) >= floor
    ]
    if beginnings:
        return _Answer(sure, proposal.confidence, Reason.UNSURE)
    reason = Reason.NO_FIT if cursor.right.strip() else Reason.COMPLETE
    return _Answer((), proposal.confidence, reason)


@dataclass
class _Found:
    """Suggestions by the texts that they make, until there are `wanted`."""

    job: Job
    cursor: Cursor
    wanted: int
    suggestions: dict[str, Suggestion] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        return len(self.suggestions) >= self.wanted

    def add(self, answers: Iterable[_Answer]) -> list[Reason]:
        """Judges answers until there are enough. Returns why those that gave nothing did not."""
        reasons = []
        for answer in answers:
            judged = self._judged(answer)
            if isinstance(judged, Reason):
                reasons.append(judged)
                continue
            self.suggestions.setdefault(judged.text, judged)
            if self.enough:
                break
        return reasons

    def _judged(self, answer: _Answer) -> Suggestion | Reason:
        document, reason = self.job.document, answer.reason
        for number, replacement in enumerate(answer.replacements, 1):
            if completion.stands_there_already(self.cursor, replacement):
                return Reason.NOTHING_NEW
            candidate = document.with_text(apply(document.text, [replacement]))
            if self.job.memory.is_unwanted(document.path, candidate.text):
                return Reason.REJECTED_BEFORE
            verdict = self.job.judge(candidate, goes_on(self.job.bar, self.cursor, replacement))
            if verdict.accepted:
                evidence = self.job.evidence(verdict, number)
                suggestion = Suggestion(document, (replacement,), evidence, answer.logprob)
                return replace(suggestion, id=answer.id) if answer.id else suggestion
            reason = verdict.reason
        return reason


def goes_on(bar: Bar, cursor: Cursor, replacement: Replacement) -> int | None:
    """Where the user goes on to write behind a statement that may be unfinished: an offset of the new text.

    That is one that the user has begun. Where the document parses and nothing is typed, it does so with
    the suggestion, too.
    """
    begun = cursor.typed.strip() or bar.stand_in != cursor.document.text
    return replacement.start + len(replacement.text) if begun else None
