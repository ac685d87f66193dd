"""`textDocument/copilotInlineEdit`: the edits that come next, anywhere in the document.

The list is prefix-closed: applied one after the other from the top, every state is clean. Some
clients apply all of it, some the first edit only.
"""

import asyncio

from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp.convert import Json, accept_command, offset_at, text_edit, with_line_feeds
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.engine import Engine, IsCancelled
from lintseq_lsp.lsp.params import InlineEditParams
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import Priority, Worker
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.suggestions import Memory, Outcome, Suggestion
from lintseq_lsp.text import Document

PATIENCE = 0.3
"""Seconds after which an edit that is clean does not wait for the ones behind it."""


class NextEdits:
    """What is asked for, and the chain of edits that is at work in each document."""

    def __init__(self) -> None:
        self._chains: dict[str, Chain] = {}

    async def inline_edit(self, session: Session, params: InlineEditParams) -> Json:
        snapshot = session.open_for(params.text_document)
        if isinstance(snapshot, Reason):
            return {"edits": []}
        if not session.settings.next_edit:
            session.outcomes[snapshot.uri] = Outcome(reason=Reason.OFF)
            return {"edits": []}
        cursor = snapshot.shift + offset_at(snapshot.own, params.position, session.documents.encoding)
        certainty = 0.0 if params.is_manual else session.settings.certainty
        outcome = await session.outcome(snapshot, self._answer(session, snapshot, cursor, certainty))
        edits = prefix(snapshot, outcome.suggestions)
        session.feedback.offered_edits(snapshot.uri, [suggestion for suggestion, _ in edits])
        return {"edits": [_edit(session, snapshot, suggestion, change) for suggestion, change in edits]}

    def document_changed(self, snapshot: Snapshot) -> bool:
        if (chain := self._chains.get(snapshot.uri)) is not None:
            chain.document_changed(snapshot.document)
        return False

    def document_closed(self, uri: str) -> None:
        if (chain := self._chains.pop(uri, None)) is not None:
            chain.supersede()

    async def _answer(self, session: Session, snapshot: Snapshot, cursor: int, certainty: float) -> Outcome:
        document, chain = snapshot.document, self._chains.get(snapshot.uri)
        if chain is not None:
            await chain.comes_to(document)
        engine = session.worker.engine
        known = None if engine is None else engine.recall_next(document)
        if known is not None and not session.memory.is_declined(known):
            if chain is not None and not chain.leads_to(document):
                chain.supersede()
            return Outcome((known,), Reason.ACCEPTED, cached=True)
        slot = ("next-edit", snapshot.uri)
        self._chains[snapshot.uri] = chain = Chain(
            session.worker,
            session.memory,
            document,
            cursor,
            session.recent.edits_for(snapshot),
            certainty,
            slot,
        )
        return await chain.answer()


class Chain:
    """Edits that the model makes one after the other.

    Those that are not clean yet when the request is answered are made all the same, unless the user does
    something else, or the model is wanted elsewhere.
    """

    def __init__(
        self,
        worker: Worker,
        memory: Memory,
        document: Document,
        cursor: int,
        recent: tuple[RecentEdit, ...],
        certainty: float,
        slot: tuple[str, str],
    ) -> None:
        self._worker = worker
        self._memory = memory
        self._slot = slot
        self._latest: Outcome | None = None
        self._is_answered = False
        self._progress = asyncio.Event()
        self._states = {document.text}
        loop = asyncio.get_running_loop()

        def work(engine: Engine, cancelled: IsCancelled) -> Outcome:
            def is_over() -> bool:
                return cancelled() or (self._is_answered and worker.is_wanted)

            def on_clean(outcome: Outcome, state: Document) -> None:
                loop.call_soon_threadsafe(self._note, outcome, state)

            return engine.next_edit(
                document, cursor, recent=recent, certainty=certainty, on_clean=on_clean, cancelled=is_over
            )

        self._job = asyncio.ensure_future(
            worker.run(Priority.NEXT_EDIT, work, linted=(document, None), slot=slot)
        )
        self._job.add_done_callback(self._end)

    async def answer(self) -> Outcome:
        """All edits if they are done within `PATIENCE` seconds, else those clean by then, else the first."""
        try:
            await asyncio.wait({self._job}, timeout=PATIENCE)
            while not self._job.done() and self._latest is None:
                await self._more()
        except asyncio.CancelledError:
            self._job.cancel()
            raise
        self._is_answered = True
        return self._job.result() if self._job.done() or self._latest is None else self._latest

    def leads_to(self, document: Document) -> bool:
        """Whether what follows on `document` may be on the way."""
        return not self._job.done() and document.text in self._states

    async def comes_to(self, document: Document) -> None:
        """Waits until it is known what follows on `document`, if that is on the way."""
        while self.leads_to(document):
            if self._memory.recall_next(document) is not None:
                return
            await self._more()

    def supersede(self) -> None:
        """Ends the work, if it goes on."""
        self._worker.supersede(self._slot)

    def document_changed(self, now: Document) -> None:
        if self._is_answered and now.text not in self._states:
            self._job.cancel()

    def _note(self, outcome: Outcome, state: Document) -> None:
        self._latest = outcome
        self._states.add(state.text)
        self._progress.set()

    async def _more(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _end(self, job: asyncio.Future[Outcome]) -> None:
        if not job.cancelled():
            job.exception()  # seen: who waits for the answer gets it
        self._progress.set()


def prefix(snapshot: Snapshot, suggestions: tuple[Suggestion, ...]) -> list[tuple[Suggestion, Replacement]]:
    """The first suggestions, up to one that leaves the client's document or overlaps an earlier one."""
    taken: list[tuple[Suggestion, Replacement]] = []
    for suggestion in suggestions:
        change = snapshot.moved(suggestion.replacements[0])
        if change is None or any(_overlap(change, earlier) for _, earlier in taken):
            break
        taken.append((suggestion, change))
    return taken


def _overlap(one: Replacement, other: Replacement) -> bool:
    """Two insertions at one place count, too: their order would be the client's choice."""
    if one.start == other.start:
        return True
    return one.start < other.end and other.start < one.end


def _edit(session: Session, snapshot: Snapshot, suggestion: Suggestion, change: Replacement) -> Json:
    edit = text_edit(snapshot.own, change, session.documents.encoding)
    return {
        "text": with_line_feeds(edit.new_text),
        "range": edit.range,
        "textDocument": {"uri": snapshot.uri, "version": snapshot.own.version},
        "command": accept_command(suggestion.id),
    }
