"""One client's session: its documents, what is at work on them, and what came of each request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from lintseq_lsp.errors import Cancelled, LintSeqError, ServerError
from lintseq_lsp.lsp import served
from lintseq_lsp.lsp.client import Client
from lintseq_lsp.lsp.configuration import Configuration
from lintseq_lsp.lsp.convert import Json, negotiated
from lintseq_lsp.lsp.documents import Documents, Snapshot
from lintseq_lsp.lsp.engine import Engine, IsCancelled
from lintseq_lsp.lsp.feedback import Feedback
from lintseq_lsp.lsp.idle import AWAKE, Pauses
from lintseq_lsp.lsp.recent import Recent
from lintseq_lsp.lsp.worker import PATIENCE, NoModel, Priority, Superseded, Worker
from lintseq_lsp.reasons import Reason
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Memory, Outcome

_log = logging.getLogger(__name__)

UNREADABLE = Outcome(
    reason=Reason.STALE,
    detail="a change of this file could not be read: close and reopen the file to get suggestions again",
)


class Watcher(Protocol):
    """Work that goes on while its document may change."""

    def document_changed(self, snapshot: Snapshot) -> bool:
        """Whether the change is the work's own, and not the user's."""
        ...

    def document_closed(self, uri: str) -> None: ...


class Session:
    """`outcomes` has the last one of each document. `memory` outlives the engine, which uses it, too."""

    def __init__(self, server: LanguageServer) -> None:
        self.client = Client(server)
        self.documents = Documents()
        self.memory = Memory()
        self.feedback = Feedback(self.memory.reject, self.memory.decline)
        self.pauses = Pauses(self._prepare)
        self.outcomes: dict[str, Outcome] = {}
        self.worker = Worker(self._on_busy)
        self.configuration = Configuration(
            self.client, self.worker, self.memory, self._modules, self._show_status
        )
        self.recent = Recent(lambda snapshot: self.refusal(snapshot) is None)
        self._watchers: list[Watcher] = [self.recent]
        self._is_busy = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, params: Json) -> None:
        """Takes what `initialize` says."""
        self.client.start(params)
        self.documents.encoding = negotiated(self.client.supports("general", "positionEncodings"))
        self.configuration.start(params)

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    def spawn(self, work: Awaitable[Any]) -> None:
        """Runs `work` beside the messages."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.pauses.close()
        await self.worker.close(timeout=2.0)

    # Documents

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    @contextlib.contextmanager
    def watching(self, watcher: Watcher) -> Iterator[None]:
        """Tells `watcher` of changes while the block runs."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def document_changed(self, uri: str, line: int | None = None) -> None:
        """Tells who watches. What is nobody's own change is the user's. `line` is where it was changed."""
        snapshot = self.documents.snapshot(uri)
        if snapshot is None:
            return
        claims = [watcher.document_changed(snapshot) for watcher in list(self._watchers)]
        if not any(claims):
            self.feedback.changed(uri, snapshot.document)
        self.pauses.document_changed(uri, line)

    def document_closed(self, uri: str) -> None:
        for watcher in list(self._watchers):
            watcher.document_closed(uri)
        self.feedback.closed(uri)
        self.pauses.document_closed(uri)
        self.outcomes.pop(uri, None)

    def refusal(self, snapshot: Snapshot | None, version: int | None = None) -> Reason | None:
        """Why nothing is done for a document at all."""
        return served.refusal(self.documents, self.settings, snapshot, version)

    def open_for(self, name: types.OptionalVersionedTextDocumentIdentifier) -> Snapshot | Reason:
        """The document as it is now, or why nothing is done for it."""
        snapshot = self.documents.snapshot(name.uri)
        refusal = self.refusal(snapshot, name.version)
        if refusal is not None or snapshot is None:
            reason = refusal or Reason.IGNORED
            self.outcomes[name.uri] = (
                UNREADABLE if self.documents.in_doubt(name.uri) else Outcome(reason=reason)
            )
            return reason
        return snapshot

    def is_current(self, snapshot: Snapshot) -> bool:
        return self.documents.document(snapshot.uri) is snapshot.own

    def _modules(self) -> dict[str, str]:
        return served.modules(self.documents, self.settings)

    async def _prepare(self, uri: str, line: int | None) -> bool:
        """Has the document linted and read, while nothing else is to be done; whether the linter could."""
        begun = time.monotonic()
        snapshot = self.documents.snapshot(uri)
        if snapshot is None or self.refusal(snapshot) is not None:
            return True
        document = snapshot.document
        typed = None if line is None else line + snapshot.lines_above
        try:
            linted = await self.worker.run(
                Priority.IDLE, lambda engine, _: engine.prepare(document, typed, patience=PATIENCE)
            )
            if typed is not None and typed < len(document.lines):
                await self._read_ahead(snapshot, typed, begun + AWAKE)
        except (NoModel, Cancelled):
            return True
        except Exception as error:  # noqa: BLE001 - nobody asked for it; its text may be the user's
            _log.error("a document could not be prepared: %s", type(error).__name__)
            return False
        return linted

    async def _read_ahead(self, snapshot: Snapshot, line: int, until: float) -> None:
        """Has the model read what it is asked next, until it is wanted for something else."""
        document, recent = snapshot.document, self.recent.edits_for(snapshot)
        end = document.starts[line] + len(document.lines[line])

        def work(engine: Engine, cancelled: IsCancelled) -> None:
            def stop() -> bool:
                return cancelled() or self.worker.is_wanted or time.monotonic() > until

            if not stop():
                engine.read_ahead(document, end, recent=recent, below=True, cancelled=stop)

        await self.worker.run(Priority.IDLE, work)

    # Answers

    async def outcome(
        self, snapshot: Snapshot, answer: Awaitable[Outcome], *, catch_up: bool = False
    ) -> Outcome:
        """What `answer` comes to, or the reason why it does not; remembered for `lintseq/explain`.

        When the document has changed meanwhile, the answer is stale; with `catch_up` it is moved to what
        the document is now, if the change lets it. When other modules have changed, it is judged again.
        """
        try:
            outcome = await answer
        except Superseded:
            return Outcome(reason=Reason.SUPERSEDED)  # the newer request's outcome is the one to explain
        except asyncio.CancelledError:
            self.outcomes[snapshot.uri] = Outcome(reason=Reason.CANCELLED)
            raise
        except Cancelled:
            outcome = Outcome(reason=Reason.CANCELLED)
        except NoModel:
            outcome = Outcome(reason=Reason.NO_MODEL, detail=self.configuration.failure)
        except ServerError as error:  # that is away fails at every key
            self.client.warn_once("no suggestions while the model server does not answer")
            _log.info("the model's server failed: %s", error)
            outcome = Outcome(reason=Reason.NO_MODEL, detail=str(error))
        except LintSeqError as error:
            _log.warning("the model failed: %s", error)
            outcome = Outcome(reason=Reason.NO_MODEL, detail=str(error))
        is_current = self.is_current(snapshot)
        if outcome.suggestions and not (is_current and self._holds(outcome)):
            again = is_current or catch_up
            outcome = await self._caught_up(snapshot, outcome) if again else Outcome(reason=Reason.STALE)
        self.outcomes[snapshot.uri] = outcome
        return outcome

    def _holds(self, outcome: Outcome) -> bool:
        """Whether it is still true of what other modules are by now."""
        engine = self.worker.engine
        return engine is not None and all(engine.holds(suggestion) for suggestion in outcome.suggestions)

    async def _caught_up(self, snapshot: Snapshot, outcome: Outcome) -> Outcome:
        now = self.documents.snapshot(snapshot.uri)
        if now is None:
            return Outcome(reason=Reason.STALE)
        late, moved = outcome.suggestions[0], None
        with contextlib.suppress(LintSeqError, Cancelled):
            moved = await self.worker.run(
                Priority.DEMAND,
                lambda engine, cancelled: engine.rebase(late, now.document, cancelled=cancelled),
                linted=(now.document, None),
            )
        if moved is None or not self.is_current(now):
            return Outcome(reason=Reason.STALE)
        return replace(outcome, suggestions=(moved,))

    # Status

    def _on_busy(self, busy: bool) -> None:
        self._is_busy = busy
        self._show_status()

    def _show_status(self) -> None:
        if not self.settings.enabled:
            kind, message = "Inactive", "switched off"
        elif self.configuration.failure:
            kind, message = "Warning", self.configuration.failure
        else:
            kind, message = "Normal", ""
        self.client.show_status(busy=self._is_busy, kind=kind, message=message)
