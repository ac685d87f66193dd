"""Edits by instruction: the request `lintseq/edit`, and the command `lintseq.edit` that applies them.

Whatever ends the work, what was clean by then stays.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lintseq_lsp.edits import Replacement, apply, replacement_between
from lintseq_lsp.errors import Cancelled, LintSeqError
from lintseq_lsp.lsp.changes import workspace_edit
from lintseq_lsp.lsp.convert import Json, lines_of, text_edit
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.explain import in_words
from lintseq_lsp.lsp.params import EditParams, read
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import NoModel, Stream, Superseded
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Evidence, Outcome
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

if TYPE_CHECKING:
    from lintseq_lsp.generation import Ended, Step

_log = logging.getLogger(__name__)

_ARRIVAL_TIMEOUT = 10.0
_BLOCKED_AFTER = 1.0
_LABEL_LENGTH = 40


async def edit(session: Session, params: EditParams) -> Json:
    """Reports each clean step, and answers with all of them as one edit of the version asked about."""
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        return {
            "textDocument": {"uri": params.text_document.uri},
            "edits": [],
            "steps": 0,
            **in_words(snapshot),
        }
    job = InstructedEdit(session, snapshot, params)
    encoding = session.documents.encoding
    async with job.at_work(params.work_done_token) as report:
        async for before, change, evidence in job.steps():
            report(f"step {job.count}")
            if params.partial_result_token is not None:
                edits = [text_edit(before, change, encoding)]
                value = {"step": job.count, "edits": edits, **evidence.record()}
                session.client.report(params.partial_result_token, value)
    change_of_all = replacement_between(snapshot.own.text, job.own.text)
    return {
        "textDocument": {"uri": snapshot.uri, "version": snapshot.own.version},
        "edits": [text_edit(snapshot.own, change_of_all, encoding)] if change_of_all else [],
        "steps": job.count,
        **in_words(job.reason),
    }


async def edit_command(session: Session, arguments: Sequence[Any], token: Any) -> Json:
    """Applies each clean step in the client, one undo each.

    A client that waits for this answer before it tells of its changes gets it after the first step, with
    no reason in it, and the other steps behind it.
    """
    params = read(EditParams, arguments[0] if arguments else None)
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        session.client.show_nothing(snapshot)
        return {"steps": 0, "reason": snapshot.value}
    job = InstructedEdit(session, snapshot, params)
    work = asyncio.ensure_future(_apply_all(session, job, token))
    session.spawn(work)
    ends: tuple[asyncio.Future[Any], ...] = (work, job.client_is_blocked)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        job.stop(Reason.CANCELLED)
        raise
    if work.done():
        return {"steps": work.result(), "reason": job.reason.value}
    work.add_done_callback(_note_crash)
    return {"steps": job.count, "reason": None}


async def _apply_all(session: Session, job: "InstructedEdit", token: Any) -> int:
    """How many steps the client has made."""
    applied = 0
    async with job.at_work(token) as report:
        async for before, change, _ in job.steps():
            report(f"step {job.count}")
            if not await job.apply(before, change):
                break
            applied += 1
    if not applied:
        session.client.show_nothing(job.reason)
    return applied


def _note_crash(work: asyncio.Future[int]) -> None:
    """Of work whose request is answered already; what the exception says may hold the user's text."""
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.error("lintseq.edit failed with %s", type(error).__name__)


def _timed(items: "Iterator[Step | Ended]") -> "Iterator[tuple[Step | Ended, float]]":
    """With the milliseconds that each took."""
    begun = time.perf_counter()
    for item in items:
        yield item, (time.perf_counter() - begun) * 1000
        begun = time.perf_counter()


class InstructedEdit:
    """One edit by instruction at work on a document. `own` is the client's document so far."""

    def __init__(self, session: Session, snapshot: Snapshot, params: EditParams) -> None:
        lines = None
        if params.range is not None:
            last = len(snapshot.own.lines) - 1
            first_line, last_line = (max(0, min(line, last)) for line in lines_of(params.range))
            lines = (first_line + snapshot.lines_above, last_line + snapshot.lines_above)
        self.own = snapshot.own
        self.reason = Reason.COMPLETE
        self.count = 0
        self._session = session
        self._snapshot = snapshot
        self._title = f"LintSeq: {' '.join(params.instruction.split())[:_LABEL_LENGTH]}"
        self._rejected: list[Verdict] = []
        self._states = {snapshot.own.text}
        self.client_is_blocked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected: asyncio.Future[bool] | None = None
        self._stream: Stream[tuple[Step | Ended, float]] = Stream(
            session.worker,
            lambda engine, cancelled: _timed(
                engine.edit(snapshot.document, params.instruction, lines=lines, cancelled=cancelled)
            ),
            linted=snapshot.document,
            slot=("edit", snapshot.uri),
        )

    @contextlib.asynccontextmanager
    async def at_work(self, token: Any) -> AsyncIterator[Callable[[str], None]]:
        """Shows the progress under `token`, listens to changes, and ends the work with the block."""
        session = self._session
        clients = token if isinstance(token, int | str) else None
        progress = session.client.progress.display(self._title, clients, lambda: self.stop(Reason.CANCELLED))
        try:
            with session.watching(self):
                async with progress as report:
                    yield report
        finally:
            self._stream.stop()
            session.outcomes[self._snapshot.uri] = Outcome(reason=self.reason, rejected=self._rejected)

    def stop(self, reason: Reason) -> None:
        """Ends the work; what is clean stays."""
        if not self._stream.stopped:
            self.reason = reason
            self._stream.stop()
            self._arrived(False)

    def document_changed(self, snapshot: Snapshot) -> bool:
        """Whether the change is a clean step that the client has made. By any other one, the work ends."""
        if snapshot.uri != self._snapshot.uri:
            return False
        if snapshot.own.text not in self._states:
            self.stop(Reason.STALE)
            return False
        if snapshot.own.text == self.own.text:
            self._arrived(True)
        return True

    def document_closed(self, uri: str) -> None:
        if uri == self._snapshot.uri:
            self.stop(Reason.STALE)

    def _arrived(self, own: bool, /) -> None:
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(own)

    async def steps(self) -> AsyncIterator[tuple[Document, Replacement, Evidence]]:
        """Each clean step as a change of the client's document, that document before it, and the evidence.

        States that were rejected on the way count for the step that came of them.
        """
        from lintseq_lsp.generation import Ended

        state = self._snapshot
        states, milliseconds = 0, 0.0
        try:
            async for item, took in self._stream:
                states, milliseconds = states + 1, milliseconds + took
                if isinstance(item, Ended):
                    self.reason = item.reason
                elif not item.verdict.accepted:
                    self._rejected.append(item.verdict)
                else:
                    evidence = Evidence.of(item.verdict, states, milliseconds)
                    states, milliseconds = 0, 0.0
                    made = replacement_between(state.document.text, item.document.text)
                    if made is None:
                        continue
                    change = state.moved(made)
                    if change is None:
                        self.stop(Reason.NO_FIT)  # it would change another cell, or what is no Python
                        break
                    before = self.own
                    state = state.with_own(apply(before.text, [change]))
                    self.own = state.own
                    self._states.add(self.own.text)
                    self.count += 1
                    yield before, change, evidence
        except Superseded:
            self.reason = Reason.SUPERSEDED
        except NoModel:
            self.reason = Reason.NO_MODEL
        except Cancelled:
            self.reason = Reason.CANCELLED
        except LintSeqError:
            self.reason = Reason.NO_MODEL

    async def apply(self, before: Document, change: Replacement) -> bool:
        """Whether the client has made the change, and its document is what was expected."""
        session, uri = self._session, self._snapshot.uri
        now = session.documents.document(uri)
        if now is None or now.text != before.text:
            self.stop(Reason.STALE)
            return False
        label = f"{self._title} ({self.count})"
        self._expected = asyncio.get_running_loop().create_future()
        edit = workspace_edit(session, uri, now, [change], label, confirm=False)
        if not await session.client.apply(label, edit):
            self.stop(Reason.CANCELLED)
            return False
        try:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self._expected), _BLOCKED_AFTER)
            if not self.client_is_blocked.done():
                self.client_is_blocked.set_result(None)
            return await asyncio.wait_for(self._expected, _ARRIVAL_TIMEOUT)
        except TimeoutError:
            self.stop(Reason.STALE)
            return False
