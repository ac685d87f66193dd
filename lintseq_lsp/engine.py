"""One model, one gate, one memory: what a request for a document asks of them.

Calls block. All but `recall`, `recall_next` and `holds` belong to one thread. Deliberately absent: how
each way of asking goes (asking/), queues, protocols, and the choice of model and linter (runtime.py).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from lintseq_lsp.actions import Action
from lintseq_lsp.asking import remembered
from lintseq_lsp.asking.ahead import next_places
from lintseq_lsp.asking.complete import complete, silence
from lintseq_lsp.asking.edit import edit
from lintseq_lsp.asking.job import Cancelled, Clock, Job, asked
from lintseq_lsp.asking.next_edit import next_edit
from lintseq_lsp.asking.resolve import resolve
from lintseq_lsp.backends.base import Ability, Backend, Sampling
from lintseq_lsp.completion import cursor_at
from lintseq_lsp.errors import PromptError
from lintseq_lsp.formats.base import PromptFormat, Task, View
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.settings import UNMEASURED, Certainty, Settings
from lintseq_lsp.suggestions import Memory, Outcome, Suggestion
from lintseq_lsp.text import Document


class Engine:
    """Answers requests on documents.

    `certainty` is what was measured for the model; of one that may not be known yet, it is asked each time.
    """

    def __init__(
        self,
        backend: Backend,
        gate: Gate,
        *,
        prompt_format: PromptFormat,
        settings: Settings,
        certainty: Certainty | Callable[[], Certainty] = UNMEASURED,
        memory: Memory | None = None,
    ) -> None:
        self.backend = backend
        self.gate = gate
        self.memory = memory or Memory()
        self.settings = settings
        self._format = prompt_format
        self._certainty = certainty if callable(certainty) else lambda: certainty

    def close(self) -> None:
        self.gate.linter.close()
        self.backend.close()

    def prepare(self, document: Document, line: int | None = None, *, patience: float | None = None) -> bool:
        """Lints the document as it is, so that the next request need not wait for that; whether it could.

        What rests on partial checks is confirmed or withdrawn. Raises `Pending` when that takes longer than
        `patience` seconds. Others that import the document may see it as it is, too.
        """
        self.gate.workspace.modules("")
        return self.gate.prepare(document, line, patience=patience, whole=True)

    def lint(self, document: Document, line: int | None = None, *, patience: float) -> None:
        """Raises `Pending` when a request for `document` would wait longer than that for the linter."""
        self.gate.prepare(document, line, patience=patience)

    def read_ahead(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...] = (),
        below: bool = True,
        cancelled: Cancelled = lambda: False,
    ) -> None:
        """Has the model read what it will probably be asked about next, while the cursor rests at `offset`.

        That is there, and with `below` also behind an Enter. `recent` is what the user changed lately, the
        newest last. Nothing is written or linted. Raises `Cancelled`, and `ModelError` when the model fails.
        """
        if Ability.AHEAD not in self.backend.abilities or Task.FILL not in self._format.tasks:
            return
        recalled = self.recall(document, offset)
        shown = recalled.suggestions[0] if recalled else None
        others = self._others(document.path)
        for place, at in next_places(document, offset, shown) if below else [(document, offset)]:
            if silence(cursor_at(place, at), self.settings) is not None:
                continue
            view = View(place, at, recent=recent, others=others)
            try:
                question = asked(self._format, self.backend, view, Task.FILL, self.settings.max_lines)
            except PromptError:
                continue
            if question is not None:
                request = replace(question.request, begins=(), max_tokens=0)
                for _ in self.backend.write(request, cancelled):
                    pass

    # What stands at the cursor

    def complete(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...] = (),
        candidates: int = 1,
        certainty: float = 0.0,
        cancelled: Cancelled = lambda: False,
    ) -> Outcome:
        """Alternatives for the rest of the line at `offset`, and for the lines of its statement.

        Each suggestion is one replacement that begins at `offset`, and to the model at least as probable
        as `certainty` says; -1 for what was measured for the model. `recent` is as for `next_edit`.
        """
        cursor = cursor_at(document, offset)
        self.gate.workspace.modules(document.path)
        recalled = self.recall(document, offset)
        if recalled is not None and len(recalled.suggestions) >= candidates:
            return recalled
        nothing = silence(cursor, self.settings)
        if nothing is not None:
            return nothing
        known = recalled.suggestions if recalled else ()
        is_begun = bool(cursor.typed.strip())
        certainties = self._certainty()
        measured = certainties.half_typed_line if is_begun else certainties.new_line
        floor = _floor(certainty, measured)
        return self._answer(
            document,
            Task.FILL,
            cursor.line,
            cancelled,
            lambda job: complete(job, cursor, known, recent=recent, candidates=candidates, floor=floor),
        )

    def recall(self, document: Document, offset: int) -> Outcome | None:
        """The answer to `complete` when it is known already. Takes no model, and may run in any thread."""
        return remembered.recall(self.memory, self.holds, document, offset)

    def recall_next(self, document: Document) -> Suggestion | None:
        """The first answer to `next_edit`, in the same way."""
        known = self.memory.recall_next(document)
        return known if known is not None and self.holds(known) else None

    def holds(self, suggestion: Suggestion) -> bool:
        """Whether its evidence is still true. Quick, and in any thread."""
        return remembered.holds(self.gate, suggestion)

    # Anywhere in the document

    def next_edit(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...] = (),
        certainty: float = 0.0,
        on_clean: Callable[[Outcome, Document], None] = lambda *_: None,
        cancelled: Cancelled = lambda: False,
    ) -> Outcome:
        """The edits that the model would make next, in sequence order.

        The document is clean after the first, after the first two, and so on; all are in offsets of
        `document` and none overlap. What is further along waits in the memory. `recent` is what the user
        changed lately, the newest last. Each edit, location included, has a probability of at least
        `certainty ** lines`; -1 for what was measured for the model. `on_clean` gets the answer so far and
        the latest state, whenever one more is clean.
        """
        self.gate.workspace.modules(document.path)
        known = self.memory.recall_next(document)
        if known is not None and self.memory.is_declined(known):
            return Outcome(reason=Reason.REJECTED_BEFORE)
        if known is not None and self.holds(known):
            return Outcome((known,), Reason.ACCEPTED, cached=True)
        floor = _floor(certainty, self._certainty().next_edit)
        return self._answer(
            document,
            Task.NEXT,
            None,
            cancelled,
            lambda job: next_edit(job, offset, known, recent=recent, floor=floor, on_clean=on_clean),
        )

    # On demand

    def edit(
        self,
        document: Document,
        instruction: str,
        *,
        lines: tuple[int, int] | None = None,
        sampling: Sampling | None = None,
        cancelled: Cancelled = lambda: False,
    ) -> Iterator[Step | Ended]:
        """The steps by which the model follows `instruction`.

        With `lines` (zero-based, inclusive) the first one goes inside of those or right around them.
        """
        if Task.INSTRUCT not in self._format.tasks:
            yield Ended(Reason.UNSUPPORTED, document, 0, 0)
            return
        job = self._job(document, None, cancelled)
        if job.bar.failure:
            yield Ended(Reason.LINTER_FAILED, document, 0, 0)
        else:
            yield from edit(job, instruction, lines, sampling)

    def resolve(self, document: Document, action: Action, *, cancelled: Cancelled = lambda: False) -> Outcome:
        """Does what `action` names: one suggestion, one replacement."""
        if action.last_line >= len(document.lines):
            return Outcome(reason=Reason.STALE)
        return self._answer(
            document, Task.LINES, action.first_line, cancelled, lambda job: resolve(job, action)
        )

    def rebase(
        self, suggestion: Suggestion, now: Document, *, cancelled: Cancelled = lambda: False
    ) -> Suggestion | None:
        """The suggestion for what the user's typing made of its base meanwhile, judged anew.

        None when the typing touches it, or when both together are not clean.
        """
        return remembered.moved(self.gate, suggestion, now, cancelled)

    def _answer(
        self,
        document: Document,
        task: Task,
        line: int | None,
        cancelled: Cancelled,
        ask: Callable[[Job], Outcome],
    ) -> Outcome:
        """What `ask` makes of a job for `document`, when the linter can tell what that has already."""
        if task not in self._format.tasks:
            return Outcome(reason=Reason.UNSUPPORTED)
        job = self._job(document, line, cancelled)
        failure = job.bar.failure
        try:
            outcome = job.outcome(Reason.LINTER_FAILED, detail=failure) if failure else ask(job)
        except PromptError as error:
            outcome = job.outcome(Reason.UNSUPPORTED, detail=str(error))
        return replace(outcome, milliseconds=job.clock.milliseconds)

    def _job(self, document: Document, line: int | None, cancelled: Cancelled) -> Job:
        clock = Clock()
        bar = self.gate.against(document, line, cancelled)
        others = self._others(document.path)
        return Job(
            document, bar, self.backend, self.memory, self.settings, self._format, cancelled, clock, others
        )

    def _others(self, path: str) -> dict[str, str]:
        """The texts of other files that are open."""
        modules = self.gate.workspace.modules(path)
        return {path: text for path, text in modules.items() if text is not None}


def _floor(certainty: float, measured: float) -> float:
    """The least log-probability, by what was `measured` for the model where `certainty` is negative."""
    least = measured if certainty < 0 else certainty
    return math.log(least) if least else -math.inf
