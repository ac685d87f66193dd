"""One request while it is answered: the document, the bar for its edits, and what was tried so far."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lintseq_lsp.backends.base import Ability, Backend, Sampling
from lintseq_lsp.formats.base import TOKENS_A_LINE, Malformed, PromptFormat, Question, Room, Task, View
from lintseq_lsp.gate import Bar
from lintseq_lsp.generation import Ended, Limits, Step, generate
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Evidence, Memory, Outcome, Suggestion
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

Cancelled = Callable[[], bool]

EDIT_TOKENS = 160
"""Room for one edit of a sequence."""


class Clock:
    """Milliseconds since a request began."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self._start) * 1000


@dataclass
class Job:
    """`others` are the texts of other files that are open, by path, the newest first.

    `states` counts what was judged of what the model wrote; `rejected` are the verdicts against it.
    """

    document: Document
    bar: Bar
    backend: Backend
    memory: Memory
    settings: Settings
    prompt_format: PromptFormat
    cancelled: Cancelled
    clock: Clock
    others: Mapping[str, str] = field(default_factory=dict)
    rejected: list[Verdict] = field(default_factory=list)
    states: int = 0
    _verdicts: dict[str, Verdict] = field(default_factory=dict)

    def judge(self, candidate: Document, goes_on: int | None = None) -> Verdict:
        """The verdict on an edit of the document; `goes_on` as for `Bar.submit`. A text is judged once."""
        verdict = self._verdicts.get(candidate.text)
        if verdict is None:
            verdict = self.bar.judge(candidate, self.cancelled, goes_on=goes_on)
            self.note(candidate.text, verdict)
        return verdict

    def note(self, text: str, verdict: Verdict) -> None:
        """Keeps the verdict on a text, or on what the model wrote where that is no edit."""
        if text not in self._verdicts and not verdict.accepted:
            self.rejected.append(replace(verdict, text=text))
        self._verdicts[text] = verdict

    def ask(self, view: View, task: Task, lines: int, tokens: int | None = None) -> Question | None:
        """For up to `lines` lines, and tokens for as many where their number is not given.

        None when the model's context has no room for it: `unasked` says why.
        """
        view = replace(view, others=self.others)
        return asked(self.prompt_format, self.backend, view, task, lines, tokens)

    def unasked(self, task: Task, lines: int, tokens: int | None = None) -> Outcome:
        """Why there is no question: the model's context has room for none, or not for what stands there."""
        if self.ask(View(Document(""), 0), task, lines, tokens) is None:
            detail = f"its context of {self.backend.context} tokens is too small"
            return self.outcome(Reason.UNSUPPORTED, detail=detail)
        return self.outcome(
            Reason.TOO_LONG, detail="the lines at the cursor have too many tokens for the model"
        )

    def steps(
        self, question: Question | None, start: Document, limits: Limits, sampling: Sampling | None = None
    ) -> Iterator[Step | Ended]:
        """Every step from `start` on, as `generate` yields them, counted."""
        if question is None:
            yield Ended(Reason.LIMIT, start, 0, 0)
            return
        for item in generate(
            question,
            start,
            self.backend,
            self.bar,
            limits=limits,
            sampling=sampling,
            cancelled=self.cancelled,
        ):
            if isinstance(item, Step):
                self.states += 1
                if not item.verdict.accepted:
                    is_edit = not isinstance(item.edit, Malformed)
                    text = item.document.text if is_edit else item.written
                    self.rejected.append(replace(item.verdict, text=text))
            yield item

    def evidence(self, verdict: Verdict, states: int | None = None) -> Evidence:
        """Of an accepted verdict, the last one on `states` states; without a number, on all so far."""
        return Evidence.of(verdict, self.states if states is None else states, self.clock.milliseconds)

    def outcome(self, reason: Reason, suggestions: Sequence[Suggestion] = (), detail: str = "") -> Outcome:
        return Outcome(
            tuple(suggestions),
            reason,
            detail,
            tuple(self.rejected),
            self.clock.milliseconds,
        )

    def broken(self) -> Outcome:
        """Why nothing is offered for a document that does not parse."""
        reason = Reason.NEWER_SYNTAX if self.bar.newer else Reason.BASE_DOES_NOT_PARSE
        return self.outcome(reason, detail=self.bar.newer)


def asked(
    prompt_format: PromptFormat,
    backend: Backend,
    view: View,
    task: Task,
    lines: int,
    tokens: int | None = None,
) -> Question | None:
    """The question for up to `lines` lines, as `Job.ask` has it."""
    words = Ability.WORDS in backend.abilities
    room = Room(backend.context, lines, tokens or lines * TOKENS_A_LINE, words)
    return prompt_format.ask(view, task, backend.count, room)
