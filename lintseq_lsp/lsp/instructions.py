"""Edits by instruction: the request `lintseq/edit`, and the command `lintseq.edit` that applies them.

Whatever ends the work, what was clean by then stays.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lintseq_lsp.edits import Replacement, replacement_between
from lintseq_lsp.errors import Cancelled, LintSeqError
from lintseq_lsp.gate import Reason, Verdict
from lintseq_lsp.lsp.changes import apply_edit, workspace_edit
from lintseq_lsp.lsp.convert import Json, lines_of, text_edit
from lintseq_lsp.lsp.documents import Snapshot
from lintseq_lsp.lsp.params import EditParams, read
from lintseq_lsp.lsp.session import Session
from lintseq_lsp.lsp.worker import NoModel, Stream, Superseded
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document

if TYPE_CHECKING:
    from lintseq_lsp.generation import Ended, Step

_ARRIVAL_TIMEOUT = 5.0
_LABEL_LENGTH = 40


async def edit(session: Session, params: EditParams) -> Json:
    """Reports each clean step, and answers with all of them as one edit of the version asked about."""
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        return {
            "textDocument": {"uri": params.text_document.uri},
            "edits": [],
            "steps": 0,
            "reason": snapshot.value,
        }
    running = Running(session, snapshot, params)
    encoding = session.documents.encoding
    async with running.at_work(params.work_done_token) as report:
        async for before, change in running.steps():
            report(f"step {running.count}")
            if params.partial_result_token is not None:
                value = {"step": running.count, "edits": [text_edit(before, change, encoding)]}
                session.server.progress(types.ProgressParams(params.partial_result_token, value))
    change_of_all = replacement_between(snapshot.own.text, running.own.text)
    return {
        "textDocument": {"uri": snapshot.uri, "version": snapshot.own.version},
        "edits": [text_edit(snapshot.own, change_of_all, encoding)] if change_of_all else [],
        "steps": running.count,
        "reason": running.reason.value,
    }


async def edit_command(session: Session, arguments: Sequence[Any], token: Any) -> Json:
    """Applies each clean step in the client, one undo each."""
    params = read(EditParams, arguments[0] if arguments else None)
    snapshot = session.open_for(params.text_document)
    if isinstance(snapshot, Reason):
        session.show(f"LintSeq: nothing to offer ({snapshot.value}).", kind=types.MessageType.Info)
        return {"steps": 0, "reason": snapshot.value}
    running = Running(session, snapshot, params)
    applied = 0
    async with running.at_work(token) as report:
        async for before, change in running.steps():
            report(f"step {running.count}")
            if not await running.apply(before, change):
                break
            applied += 1
    if not applied:
        session.show(f"LintSeq: nothing to offer ({running.reason.value}).", kind=types.MessageType.Info)
    return {"steps": applied, "reason": running.reason.value}


class Running:
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
        self._expected: asyncio.Future[bool] | None = None
        self._stream: Stream[Step | Ended] = Stream(
            session.worker,
            lambda engine, cancelled: engine.edit(
                snapshot.document, params.instruction, lines=lines, cancelled=cancelled
            ),
            slot=("edit", snapshot.uri),
        )

    @contextlib.asynccontextmanager
    async def at_work(self, token: Any) -> AsyncIterator[Callable[[str], None]]:
        """Shows the progress under `token`, listens to changes, and ends the work with the block."""
        session, uri = self._session, self._snapshot.uri
        session.running[uri] = self
        shown = token if isinstance(token, int | str) else None
        try:
            async with session.progress.shown(
                self._title, shown, lambda: self.stop(Reason.CANCELLED)
            ) as report:
                yield report
        finally:
            self._stream.stop()
            if session.running.get(uri) is self:
                del session.running[uri]
            session.outcomes[uri] = Outcome(reason=self.reason, rejected=self._rejected)

    def stop(self, reason: Reason) -> None:
        """Ends the work; what is clean stays."""
        if not self._stream.stopped:
            self.reason = reason
            self._stream.stop()
            self._arrived(False)

    def document_changed(self, now: Document) -> bool:
        """Whether the change is a clean step that the client has made. By any other one, the work ends."""
        if now.text not in self._states:
            self.stop(Reason.STALE)
            return False
        if now.text == self.own.text:
            self._arrived(True)
        return True

    def _arrived(self, own: bool, /) -> None:
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(own)

    async def steps(self) -> AsyncIterator[tuple[Document, Replacement]]:
        """Each clean step as a change of the client's document, and that document before it."""
        from lintseq_lsp.generation import Ended

        snapshot = self._snapshot
        try:
            async for item in self._stream:
                if isinstance(item, Ended):
                    self.reason = item.reason
                elif not item.verdict.accepted:
                    self._rejected.append(item.verdict)
                else:
                    above = item.document.text[: snapshot.shift]
                    if above != snapshot.document.text[: snapshot.shift]:
                        self.stop(Reason.NO_FIT)  # it would change another cell
                        break
                    before = self.own
                    self.own = Document(item.document.text[snapshot.shift :], before.version, before.path)
                    self._states.add(self.own.text)
                    change = replacement_between(before.text, self.own.text)
                    if change is not None:
                        self.count += 1
                        yield before, change
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
        if not await apply_edit(session, label, edit):
            self.stop(Reason.CANCELLED)
            return False
        try:
            return await asyncio.wait_for(self._expected, _ARRIVAL_TIMEOUT)
        except TimeoutError:
            self.stop(Reason.STALE)
            return False
