"""One model, one gate, one memory: what a request for a document asks of them.

Every call blocks and belongs to the same thread. Deliberately absent: queues, protocols, and the
choice of model and linter (runtime.py).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace

from lintseq_lsp import actions, completion, lintseq
from lintseq_lsp.actions import Action, ActionKind, Insertion
from lintseq_lsp.backends.base import CANDIDATES, Backend, Request, Sampling, Stop
from lintseq_lsp.completion import Cursor, cursor_at
from lintseq_lsp.diffs import Diff, Malformed
from lintseq_lsp.edits import apply, at_line_start, rebase, replacement_between, unmap
from lintseq_lsp.excerpt import Excerpt, excerpt_around, replace_lines
from lintseq_lsp.gate import Baseline, Gate, Reason, Verdict, finding_key, malformed, new_findings
from lintseq_lsp.generation import RESAMPLING, Ended, Limits, Proposal, State, Step, generate, propose
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.prompts import (
    Opening,
    PromptFormat,
    history,
    instruction_fragment,
    open_block,
)
from lintseq_lsp.reports import wait
from lintseq_lsp.settings import UNMEASURED, Certainty, Settings
from lintseq_lsp.suggestions import Evidence, Memory, Outcome, Suggestion
from lintseq_lsp.text import Document, indentation

EXCERPT_TOKENS = 600
"""What the model sees of a document. More takes longer to read."""

_Cancelled = Callable[[], bool]
_TOKENS_A_LINE = 24
"""Room for an answer of so many tokens a line. Lines of real programs have 12 in the mean."""


class Engine:
    """Answers requests on documents. Not thread-safe."""

    def __init__(
        self,
        backend: Backend,
        gate: Gate,
        *,
        prompt_format: PromptFormat,
        settings: Settings,
        certainty: Certainty = UNMEASURED,
    ) -> None:
        self.backend = backend
        self.gate = gate
        self.memory = Memory()
        self.settings = settings
        self._format = prompt_format
        self._certainty = certainty
        self._costs: OrderedDict[str, int] = OrderedDict()
        self._explained: OrderedDict[str, Outcome] = OrderedDict()

    def close(self) -> None:
        self.gate.linter.close()
        self.backend.close()

    def prepare(
        self, document: Document, line: int | None = None, *, cancelled: _Cancelled = lambda: False
    ) -> None:
        """Lints the document as it is, so that the next request finds its baseline known.

        Others that import it may see it as it is, too.
        """
        self.gate.workspace.modules("")
        self.gate.baseline(document, line, cancelled, patient=True)

    def explain(self, path: str) -> Outcome | None:
        """The outcome of the last request for that document."""
        return self._explained.get(path)

    # What stands at the cursor

    def complete(
        self,
        document: Document,
        offset: int,
        *,
        candidates: int = 1,
        certainty: float = 0.0,
        cancelled: _Cancelled = lambda: False,
    ) -> Outcome:
        """Alternatives for the rest of the line at `offset`, and for the lines of its statement.

        Each suggestion is one replacement that begins at `offset`, and to the model at least as probable
        as `certainty` says; -1 for what was measured for the model.
        """
        is_begun = bool(cursor_at(document, offset).typed.strip())
        own = self._certainty.half_typed_line if is_begun else self._certainty.new_line
        floor = _floor(certainty, own)
        return self._explain(
            document, lambda clock: self._complete(document, offset, candidates, floor, clock, cancelled)
        )

    def recall(self, document: Document, offset: int) -> Outcome | None:
        """The answer to `complete` when it is known already. Takes no model, and may run in any thread."""
        suggestions = tuple(entry for entry in self._remembered(document, offset) if self.holds(entry))
        if not suggestions:
            return None
        return Outcome(suggestions, Reason.ACCEPTED, cached=True)

    def recall_next(self, document: Document) -> Suggestion | None:
        """The first answer to `next_edit`, in the same way."""
        known = self.memory.recall_next(document)
        return known if known is not None and self.holds(known) else None

    def holds(self, suggestion: Suggestion) -> bool:
        """Whether its evidence is still true: modules that it was judged with may have changed since."""
        return self.gate.holds(suggestion.base.path, suggestion.evidence.dependencies)

    def _remembered(self, document: Document, offset: int) -> Iterator[Suggestion]:
        for suggestion, left in self.memory.recall_inline(document, offset):
            yield replace(suggestion, base=document, replacements=(left,))

    def _again(
        self, suggestion: Suggestion, baseline: Baseline, clock: "_Clock", cancelled: _Cancelled
    ) -> Suggestion | Verdict:
        """The suggestion with new evidence; or the rejection, since other modules are not what they were."""
        base = suggestion.base
        candidate = Document(suggestion.text, base.version, base.path)
        verdict = wait(self.gate.submit(base, candidate, baseline), cancelled)
        if not verdict.accepted:
            return verdict
        return replace(suggestion, evidence=Evidence.of(verdict, 1, clock.milliseconds))

    def _complete(
        self,
        document: Document,
        offset: int,
        candidates: int,
        floor: float,
        clock: "_Clock",
        cancelled: _Cancelled,
    ) -> Outcome:
        cursor = cursor_at(document, offset)
        self.gate.workspace.modules(document.path)
        known = self.recall(document, offset)
        if known is not None and len(known.suggestions) >= candidates:
            return known
        # What is on the screen stays among the alternatives.
        found = {suggestion.text: suggestion for suggestion in known.suggestions} if known else {}
        if not self.settings.strings_and_comments and completion.in_string_or_comment(cursor):
            return Outcome(reason=Reason.IN_STRING_OR_COMMENT)
        if completion.in_word(cursor):
            return Outcome(reason=Reason.NO_FIT, detail="inside of a word")
        baseline = self.gate.baseline(document, cursor.line, cancelled)
        if baseline.failure:
            return Outcome(reason=Reason.LINTER_FAILED, detail=baseline.failure)
        request = self._request(cursor)
        if request is None:
            return Outcome(reason=Reason.TOO_LONG, detail="the line does not fit the model's context")
        rejected: dict[str, Verdict] = {}
        for entry in self._remembered(document, offset):
            if entry.text not in found and entry.text not in rejected and len(found) < candidates:
                again = self._again(entry, baseline, clock, cancelled)
                if isinstance(again, Suggestion):
                    found[again.text] = again
                    self.memory.remember_inline(again, offset)
                else:
                    rejected[entry.text] = again
        if len(found) >= candidates:
            return Outcome(tuple(found.values()), Reason.ACCEPTED, rejected=tuple(rejected.values()))
        reasons: list[Reason] = []
        proposals = propose(self.backend, request, cancelled)
        read = self.backend.usage.read
        for attempt in range(2):
            for proposal in proposals:
                if len(found) < candidates:
                    answer = self._judged(cursor, proposal, floor, baseline, clock, rejected, cancelled)
                    if isinstance(answer, Reason):
                        reasons.append(answer)
                    else:
                        found.setdefault(answer.text, answer)
            if attempt or len(found) >= candidates or reasons in ([Reason.LINTER_FAILED], [Reason.UNSURE]):
                break
            # Cheaper than one by one: the candidates share their prefix, which is in the cache by now.
            count = min(max(self.settings.tries, candidates), CANDIDATES)
            proposals = propose(
                self.backend, replace(request, sampling=RESAMPLING, candidates=count), cancelled
            )
            proposals.sort(key=lambda proposal: -proposal.confidence)
        for suggestion in found.values():
            self.memory.remember_inline(suggestion, offset)
        verdicts = tuple(rejected.values())
        if not found:
            reason = reasons[0]
            if reason is Reason.DOES_NOT_PARSE and not baseline.parsed:
                return replace(_broken(baseline), rejected=verdicts, prompt_tokens_read=read)
            return Outcome(reason=reason, rejected=verdicts, prompt_tokens_read=read)
        return Outcome(tuple(found.values()), Reason.ACCEPTED, rejected=verdicts, prompt_tokens_read=read)

    def _request(self, cursor: Cursor) -> Request | None:
        """What to ask of the model for the statement at the cursor; None when the context is too small."""
        tokens = min(self.settings.max_lines * _TOKENS_A_LINE, self.backend.context // 5)
        excerpt = completion.shown(cursor, self._excerpt(cursor.document, cursor.line, "", tokens))
        opening = completion.opening_at(cursor, excerpt, self.settings.max_lines)
        fragment, begins = open_block(opening)
        shown = history(excerpt.lines(cursor.document), opening.above, self._format)
        prompt = (instruction_fragment(""), *shown, fragment)
        fixed = [*prompt, max(begins, key=len, default="")]
        room = self.backend.context - sum(self.backend.count(part) + 1 for part in fixed)
        if room < _TOKENS_A_LINE:
            return None
        # A header that is still to be written is a line of its own.
        lines = 1 if opening.fewest == opening.most else opening.most + 1
        tokens = min(room, 2 * _TOKENS_A_LINE if lines == 1 else tokens)
        return Request(prompt, begins, max_tokens=tokens, max_lines=lines)

    def _judged(
        self,
        cursor: Cursor,
        proposal: Proposal,
        floor: float,
        baseline: Baseline,
        clock: "_Clock",
        rejected: dict[str, Verdict],
        cancelled: _Cancelled,
    ) -> Suggestion | Reason:
        """The longest beginning of what the model wrote that the gate accepts, or why there is none.

        None has a lower log-probability than `floor`. `rejected` has the verdicts on the texts that were
        judged for this request, and gets more.
        """
        if isinstance(proposal.diff, Malformed):
            rejected[proposal.written] = malformed(proposal.diff)
            return Reason.MALFORMED
        added = proposal.diff.hunks[0].added if proposal.diff.hunks else ()
        if proposal.stop is Stop.LENGTH and not proposal.written.endswith("\n"):
            added = added[:-1]  # cut off in the middle of a line
        if not added:
            return Reason.LIMIT if proposal.stop is Stop.LENGTH else Reason.COMPLETE
        reason = Reason.NO_FIT if cursor.right.strip() else Reason.COMPLETE
        checked = 0
        for replacement in completion.answers(cursor, added):
            if proposal.line_logprobs[replacement.text.count(cursor.document.newline)] < floor:
                reason = Reason.UNSURE
                continue
            checked += 1
            if completion.stands_there_already(cursor, replacement):
                return Reason.NOTHING_NEW
            final = apply(cursor.document.text, [replacement])
            if self.memory.is_unwanted(cursor.document.path, final):
                return Reason.REJECTED_BEFORE
            verdict = rejected.get(final)
            if verdict is None:
                candidate = Document(final, cursor.document.version, cursor.document.path)
                verdict = wait(self.gate.submit(cursor.document, candidate, baseline), cancelled)
            if verdict.accepted:
                evidence = Evidence.of(verdict, checked, clock.milliseconds)
                return Suggestion(cursor.document, (replacement,), evidence, proposal.confidence)
            rejected[final] = verdict
            reason = verdict.reason
        return reason

    # Anywhere in the document

    def next_edit(
        self,
        document: Document,
        offset: int,
        *,
        certainty: float = 0.0,
        heard: Callable[[Outcome, Document], None] = lambda *_: None,
        cancelled: _Cancelled = lambda: False,
    ) -> Outcome:
        """The edits that the model would make next, in sequence order.

        The document is clean after the first, after the first two, and so on; all are in offsets of
        `document` and none overlap. What is further along waits in the memory. The model holds each, its
        place included, for as probable as `certainty` says, to the power of its number of lines; -1 for
        what was measured for the model. `heard` gets the answer so far and the latest state, whenever one
        more is clean.
        """
        floor = _floor(certainty, self._certainty.next_edit)
        return self._explain(
            document, lambda clock: self._next_edit(document, offset, floor, heard, clock, cancelled)
        )

    def _next_edit(
        self,
        document: Document,
        offset: int,
        floor: float,
        heard: Callable[[Outcome, Document], None],
        clock: "_Clock",
        cancelled: _Cancelled,
    ) -> Outcome:
        self.gate.workspace.modules(document.path)
        known = self.memory.recall_next(document)
        if known is not None and self.memory.is_declined(known):
            return Outcome(reason=Reason.REJECTED_BEFORE)
        if known is not None and self.holds(known):
            return Outcome((known,), Reason.ACCEPTED, cached=True)
        baseline = self.gate.baseline(document, None, cancelled)
        if baseline.failure:
            return Outcome(reason=Reason.LINTER_FAILED, detail=baseline.failure)
        if not baseline.parsed:
            return _broken(baseline)
        if known is not None:
            again = self._again(known, baseline, clock, cancelled)
            if isinstance(again, Suggestion):
                self.memory.remember_next(document.text, again)
                return Outcome((again,), Reason.ACCEPTED)
            self.memory.forget_next(document)
        line = document.position(offset)[0]
        limits = Limits(steps=3, lines=self.settings.max_lines, tries=self.settings.tries)
        state = self._state(document, line, "", limits)
        chain = _Chain(document)
        rejected: list[Verdict] = []
        reason = Reason.COMPLETE
        states = 0
        for item in generate(state, self.backend, self.gate, baseline, limits=limits, cancelled=cancelled):
            if isinstance(item, Ended):
                reason = Reason.NOTHING_NEW if item.accepted else item.reason
                break
            states += 1
            if not item.verdict.accepted:
                rejected.append(item.verdict)
                continue
            assert isinstance(item.diff, Diff)
            if item.logprob < floor * sum(len(hunk.added) for hunk in item.diff.hunks):
                reason = Reason.UNSURE
                break
            change = chain.after(item, Evidence.of(item.verdict, states, clock.milliseconds))
            if change is None:
                continue
            if self.memory.is_declined(change):
                reason = Reason.REJECTED_BEFORE
                break
            self.memory.remember_next(change.base.text, change)
            chain.offer(change)
            heard(Outcome(tuple(chain.offered), Reason.ACCEPTED, rejected=tuple(rejected)), item.document)
        if chain.offered:
            reason = Reason.ACCEPTED
        return Outcome(tuple(chain.offered), reason, rejected=rejected)

    # On demand

    def edit(
        self,
        document: Document,
        instruction: str,
        *,
        lines: tuple[int, int] | None = None,
        sampling: Sampling | None = None,
        cancelled: _Cancelled = lambda: False,
    ) -> Iterator[Step | Ended]:
        """The steps by which the model follows `instruction`.

        With `lines` (zero-based, inclusive) the first one goes inside of those or right around them.
        """
        limits = Limits(steps=8, lines=max(self.settings.max_lines, 12), tries=self.settings.tries)
        baseline = self.gate.baseline(document, None, cancelled)
        if baseline.failure:
            yield Ended(Reason.LINTER_FAILED, document, 0, 0)
            return
        state = self._state(document, lines[1] if lines else len(document.lines) - 1, instruction, limits)
        places = None
        if lines is not None:
            places = range(state.excerpt.above(lines[0]), state.excerpt.above(lines[1] + 1) + 1)
        yield from generate(
            state,
            self.backend,
            self.gate,
            baseline,
            limits=limits,
            places=places,
            sampling=sampling,
            cancelled=cancelled,
        )

    def resolve(
        self, document: Document, action: Action, *, cancelled: _Cancelled = lambda: False
    ) -> Outcome:
        """Does what `action` names: one suggestion, one replacement."""
        return self._explain(document, lambda clock: self._resolve(document, action, clock, cancelled))

    def _resolve(self, document: Document, action: Action, clock: "_Clock", cancelled: _Cancelled) -> Outcome:
        if action.last_line >= len(document.lines):
            return Outcome(reason=Reason.STALE)
        baseline = self.gate.baseline(document, action.first_line, cancelled)
        if baseline.failure:
            return Outcome(reason=Reason.LINTER_FAILED, detail=baseline.failure)
        insertion: Insertion | Outcome | None
        proved = False
        match action.kind:
            case ActionKind.IMPLEMENT:
                insertion = actions.implementation(document, action)
            case ActionKind.CONTINUE:
                insertion = actions.continuation(document, action)
            case ActionKind.REWRITE | ActionKind.FIX:
                baseline, proved = _without(baseline, action)
                insertion = self._taken_out(document, action, baseline, cancelled)
        if insertion is None:
            return Outcome(reason=Reason.NOTHING_NEW)
        if isinstance(insertion, Outcome):
            return insertion
        outcome = self._inserted(document, insertion, baseline, clock, cancelled)
        return replace(outcome, proved=proved and bool(outcome.suggestions))

    def _taken_out(
        self, document: Document, action: Action, baseline: Baseline, cancelled: _Cancelled
    ) -> Insertion | Outcome:
        """The document without the lines of `action`, by LintSeq's backward step.

        What only had to go with them is not the model's to delete: it is there again around the answer.
        """

        def lint(text: str) -> Report:
            report = wait(
                self.gate.check(text, document.path, baseline.tier, indent=baseline.indent), cancelled
            )
            new = new_findings(baseline.known, replace(document, text=text), report.findings)
            return replace(report, findings=new)

        seeds = [
            number
            for number in range(action.first_line, action.last_line + 1)
            if document.lines[number].strip()
        ]
        if not seeds:
            return Outcome(reason=Reason.STALE)
        removed = lintseq.backward_step(document.lines, seeds, lint, max_checks=12)
        if isinstance(removed, lintseq.Failure):
            return Outcome(reason=Reason.LINTER_FAILED, detail=removed.reason)
        first = seeds[0]
        blocks = lintseq.blocks(document.lines)
        end = max(number for seed in seeds for number in blocks[seed] if document.lines[number].strip()) + 1
        asked = replace_lines(document, [(first, end - first, ())])
        clean = replace_lines(document, [(number, 1, ()) for number in sorted(removed)])
        shown = (clean, first - sum(number < first for number in removed))
        return Insertion(asked, first, indentation(document.lines[first]), shown=shown)

    def _inserted(
        self,
        document: Document,
        insertion: Insertion,
        baseline: Baseline,
        clock: "_Clock",
        cancelled: _Cancelled,
    ) -> Outcome:
        """The first accepted state that differs from `document`, by more tries if need be."""
        most = max(self.settings.max_lines, 12)
        limits = Limits(steps=1, lines=most, tries=self.settings.tries, tokens=most * _TOKENS_A_LINE)
        shown, above = insertion.shown or (insertion.document, insertion.above)
        state = self._state(shown, above, insertion.instruction, limits)
        opening = Opening(state.excerpt.above(above), insertion.typed, 1, most)
        rejected: list[Verdict] = []
        states = 0
        reason = Reason.LIMIT
        for attempt in range(self.settings.tries):
            sampling = replace(RESAMPLING, seed=attempt) if attempt else None
            again = False
            for item in generate(
                state,
                self.backend,
                self.gate,
                baseline,
                limits=limits,
                opening=opening,
                sampling=sampling,
                cancelled=cancelled,
            ):
                if isinstance(item, Ended):
                    if not item.accepted:
                        reason = item.reason
                    continue
                states += 1
                if not item.verdict.accepted:
                    rejected.append(item.verdict)
                    continue
                assert isinstance(item.diff, Diff)
                added = item.diff.hunks[0].added
                final = replace_lines(insertion.document, [(insertion.above, 0, added)])
                verdict = item.verdict
                if final.text != item.document.text:
                    # The model was shown less, or without the blank lines around.
                    verdict = wait(self.gate.submit(document, final, baseline), cancelled)
                    states += 1
                if not verdict.accepted:
                    rejected.append(verdict)
                    reason, again = verdict.reason, True
                    continue
                change = replacement_between(document.text, final.text)
                if change is None or self.memory.is_unwanted(document.path, final.text):
                    reason, again = Reason.NOTHING_NEW, True
                    continue
                evidence = Evidence.of(verdict, states, clock.milliseconds)
                confidence = item.logprob / max(item.tokens, 1)
                suggestion = Suggestion(document, (change,), evidence, confidence)
                return Outcome((suggestion,), Reason.ACCEPTED, rejected=rejected)
            if not again:
                break
        return Outcome(reason=reason, rejected=rejected)

    def rebase(
        self, suggestion: Suggestion, now: Document, *, cancelled: _Cancelled = lambda: False
    ) -> Suggestion | None:
        """The suggestion for what the user's typing made of its base meanwhile, judged anew.

        None when the typing touches it, or when both together are not clean.
        """
        moved = rebase(suggestion.replacements, suggestion.base.text, now.text)
        if moved is None:
            return None
        candidate = Document(apply(now.text, moved), now.version, now.path)
        baseline = self.gate.baseline(now, None, cancelled)
        verdict = wait(self.gate.submit(now, candidate, baseline), cancelled)
        if not verdict.accepted:
            return None
        earlier = suggestion.evidence
        evidence = Evidence.of(verdict, earlier.states + 1, earlier.milliseconds)
        return replace(
            suggestion, base=now, replacements=tuple(moved), evidence=evidence, judged=candidate.text
        )

    # Shared

    def _explain(self, document: Document, answer: Callable[["_Clock"], Outcome]) -> Outcome:
        clock = _Clock()
        outcome = Outcome(reason=Reason.CANCELLED)
        try:
            outcome = answer(clock)
        finally:
            outcome = replace(outcome, milliseconds=clock.milliseconds)
            self._explained[document.path] = outcome
            self._explained.move_to_end(document.path)
            while len(self._explained) > 64:
                self._explained.popitem(last=False)
        return outcome

    def _state(self, document: Document, line: int, instruction: str, limits: Limits) -> State:
        """The document as the model sees it around `line`."""
        excerpt = self._excerpt(document, line, instruction, limits.tokens)
        fragments = history(excerpt.lines(document), excerpt.above(line), self._format)
        return State(document, excerpt, (instruction_fragment(instruction), *fragments))

    def _excerpt(self, document: Document, line: int, instruction: str, answer: int) -> Excerpt:
        room = self.backend.context - answer - self.backend.count(instruction) - 32
        return excerpt_around(document, line, min(room, EXCERPT_TOKENS), self._cost)

    def _cost(self, line: str) -> int:
        """Tokens of a line in a chunk, with its share of the chunk's header."""
        cost = self._costs.get(line)
        if cost is None:
            cost = self._costs[line] = self.backend.count(f"+{line}\n") + 2
            while len(self._costs) > 4096:
                self._costs.popitem(last=False)
        return cost


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
        confidence = step.logprob / max(step.tokens, 1)
        return Suggestion(before, (at_line_start(before.text, change),), evidence, confidence)

    def offer(self, alone: Suggestion) -> None:
        """Offers it beside those that are offered, if it does not touch them."""
        (change,) = alone.replacements
        earlier = [suggestion.replacements[0] for suggestion in self.offered]
        back = unmap(change, earlier) if self._together else None
        self._together = back is not None
        if back is not None:
            self.offered.append(replace(alone, base=self._first, replacements=(back,), judged=alone.text))


class _Clock:
    """Milliseconds since a request began."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self._start) * 1000


def _floor(certainty: float, measured: float) -> float:
    """The least log-probability, by what was `measured` for the model where `certainty` is negative."""
    least = measured if certainty < 0 else certainty
    return math.log(least) if least else -math.inf


def _broken(baseline: Baseline) -> Outcome:
    """Why nothing is offered for a text that does not parse."""
    reason = Reason.NEWER_SYNTAX if baseline.newer else Reason.BASE_DOES_NOT_PARSE
    return Outcome(reason=reason, detail=baseline.newer)


def _without(baseline: Baseline, action: Action) -> tuple[Baseline, bool]:
    """The baseline in which the finding that `action` is to fix is new, and whether it was found there.

    Clients' messages are often longer than the linter's; a symbol alone must be unmistakable.
    """
    symbol, message = finding_key(Finding(action.symbol, "", action.message, action.first_line + 1))
    known = baseline.known.findings
    said = [finding for finding in known if finding.message and finding_key(finding)[1] in message]
    alike = [finding for finding in known if finding.symbol == symbol]
    if not said and len(alike) != 1:
        return baseline, False
    fixed = min(said or alike, key=lambda finding: abs(finding.line - action.first_line - 1))
    rest = [finding for finding in known if finding is not fixed]
    return replace(baseline, known=replace(baseline.known, findings=rest)), True
