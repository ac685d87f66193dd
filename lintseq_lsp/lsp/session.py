"""What the server knows of its client, and what every request needs: settings, documents, the worker.

Deliberately absent: the methods of the protocol, which have a module each.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lintseq_lsp.errors import Cancelled, LintSeqError
from lintseq_lsp.gate import Reason
from lintseq_lsp.lsp import settings as client_settings
from lintseq_lsp.lsp.convert import Json, negotiated
from lintseq_lsp.lsp.documents import Documents, Snapshot, is_ignored, path_of
from lintseq_lsp.lsp.feedback import Feedback
from lintseq_lsp.lsp.progress import Progress
from lintseq_lsp.lsp.worker import NoModel, Priority, Superseded, Worker
from lintseq_lsp.settings import Settings
from lintseq_lsp.suggestions import Outcome, Suggestion
from lintseq_lsp.text import Document

if TYPE_CHECKING:
    from lintseq_lsp.engine import Engine
    from lintseq_lsp.lsp.next_edit import Chain

_log = logging.getLogger(__name__)

_SCHEMES = ("file", "untitled", "vscode-notebook-cell")
_ANSWER_TIMEOUT = 2.0
_LINE = 100  # characters that a line has at most in the mean, where the number of lines bounds a file
_MOST_MODULES = 500
_ROOM_FOR_MODULES = 8_000_000  # characters
_IDLE_AFTER = 0.4
_LOADED_WITH = ("model", "threads", "python", "gate_timeout", "linter_memory", "trusted")
"""Settings which the engine must be opened anew for."""


UNREADABLE = Outcome(
    reason=Reason.STALE,
    detail="a change of the document could not be read: it counts again when all of its text is sent, "
    "as when it is closed and opened",
)


class Running(Protocol):
    """Work that goes on while its document may change."""

    def document_changed(self, now: Document) -> bool:
        """Whether the change is the work's own."""
        ...


class Session:
    """One client."""

    def __init__(self, server: LanguageServer) -> None:
        self.server = server
        self.settings = Settings()
        self.documents = Documents()
        self.feedback = Feedback(self._reject, self._decline)
        self.worker = Worker(self._on_busy)
        self.progress = Progress(server)
        self.outcomes: dict[str, Outcome] = {}
        self.running: dict[str, Running] = {}
        self.chains: dict[str, Chain] = {}
        self.model_error = ""
        self._capabilities: Json = {}
        self._folders: list[str] = []
        self._initial: Json = {}
        self._configured: Json = {}
        self._trusted = False
        self._wants_status = False
        self._status: Json = {}
        self._busy = False
        self._warned: set[str] = set()
        self._registered: set[str] = set()
        self._loaded: tuple[Any, ...] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed_at: dict[str, float] = {}
        self._idle: dict[str, asyncio.TimerHandle] = {}
        self._latency = 0.0

    # The client

    def start(self, params: Json) -> None:
        """Takes what `initialize` says."""
        capabilities = params.get("capabilities")
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        self.progress.can_create = bool(self.supports("window", "workDoneProgress"))
        self.documents.encoding = negotiated(self.supports("general", "positionEncodings"))
        options = params.get("initializationOptions")
        self._initial = client_settings.section(options)
        self._trusted = self._initial.get("trusted") is True
        self._wants_status = isinstance(options, dict) and options.get("didChangeStatus") is True
        folders = params.get("workspaceFolders")
        uris = (
            [folder.get("uri") for folder in folders if isinstance(folder, dict)]
            if isinstance(folders, list)
            else []
        )
        self._folders = [uri for uri in uris or [params.get("rootUri")] if isinstance(uri, str)]
        self.settings, _ = client_settings.parse(self._initial, trusted=self._trusted)

    def supports(self, *path: str) -> Any:
        """The client's capability at `path`, None when it has none."""
        value: Any = self._capabilities
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def change_folders(self, added: Sequence[str], removed: Sequence[str]) -> None:
        self._folders = [uri for uri in self._folders if uri not in removed] + list(added)
        self.spawn(self._load_as_set())

    def folders(self) -> list[Path]:
        """The workspace's, as they are now. May be asked in any thread."""
        return [Path(path) for path in map(path_of, self._folders) if path]

    def spawn(self, work: Awaitable[Any]) -> None:
        """Runs `work` beside the messages."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def show(self, message: str, *, kind: types.MessageType = types.MessageType.Warning) -> None:
        self.server.window_show_message(types.ShowMessageParams(kind, message))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for timer in self._idle.values():
            timer.cancel()
        await self.worker.close(timeout=2.0)

    async def register(self, method: str, options: object) -> None:
        """Announces a method that was not among the capabilities; once."""
        if method in self._registered:
            return
        self._registered.add(method)
        registration = types.Registration(method, method, options)
        with contextlib.suppress(JsonRpcException, TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await self.server.client_register_capability_async(types.RegistrationParams([registration]))

    def modules(self) -> dict[str, str]:
        """What the client has of Python files that may be read, by path. May be asked in any thread.

        Of too many those count that were opened last.
        """
        most, room = self.settings.max_file_lines * _LINE, _ROOM_FOR_MODULES
        found: dict[str, str] = {}
        for uri, document in reversed(list(self.documents.files())):
            length = len(document.text)
            if length <= most and not is_ignored(uri, self.settings.ignore):
                room -= length
                if room < 0 or len(found) == _MOST_MODULES:
                    break
                found[document.path] = document.text
        return found

    # Settings, and the model that they name

    async def configure(self, values: object = None) -> None:
        """Takes settings that the client pushed, or else asks for them; loads the model accordingly."""
        if isinstance(values, dict) and client_settings.SECTION in values:
            self._configured = client_settings.section(values)
        elif self.supports("workspace", "configuration"):
            wanted = types.ConfigurationParams([types.ConfigurationItem(section=client_settings.SECTION)])
            with contextlib.suppress(JsonRpcException, TimeoutError):
                async with asyncio.timeout(_ANSWER_TIMEOUT):
                    answer: object = await self.server.workspace_configuration_async(wanted)
                if isinstance(answer, list) and answer:
                    self._configured = client_settings.section(answer[0])
        values = {**self._initial, **self._configured}
        self.settings, warnings = client_settings.parse(values, trusted=self._trusted)
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.show(f"LintSeq: {warning}")
        if self.worker.engine is not None:
            self.worker.engine.settings = self.settings
        self._tell_status()
        if self.settings.completion_items and self.supports(
            "textDocument", "completion", "dynamicRegistration"
        ):
            python = types.TextDocumentFilterLanguage(language="python")
            options = types.CompletionRegistrationOptions(document_selector=[python])
            await self.register(types.TEXT_DOCUMENT_COMPLETION, options)
        await self._load_as_set()

    async def _load_as_set(self) -> None:
        settings, folder = self.settings, next(iter(self.folders()), None)
        wanted = (*(getattr(settings, name) for name in _LOADED_WITH), folder)
        if not settings.enabled or wanted == self._loaded:
            return
        self._loaded = wanted
        loading = asyncio.ensure_future(
            self.worker.load(lambda: _open_engine(settings, folder, self.folders, self.modules))
        )
        async with self.progress.shown("LintSeq: loading the model"):
            try:
                await loading
            except Exception as error:  # noqa: BLE001 - whatever a library raises, the server lives on
                known = isinstance(error, LintSeqError | OSError)
                self.model_error = str(error) if known else f"internal error ({type(error).__name__})"
                _log.debug("the model could not be loaded", exc_info=True)
                self.show(f"LintSeq makes no suggestions: {self.model_error}")
            else:
                self.model_error = ""
                if self.worker.engine is not None:
                    self.worker.engine.settings = self.settings
        self._tell_status()

    # Requests

    def refusal(self, snapshot: Snapshot | None, version: int | None = None) -> Reason | None:
        """Why nothing is done for a document at all."""
        if snapshot is None:
            return Reason.IGNORED
        if not self.settings.enabled:
            return Reason.OFF
        if snapshot.language != "python" or urlsplit(snapshot.uri).scheme not in _SCHEMES:
            return Reason.IGNORED
        if is_ignored(snapshot.uri, self.settings.ignore):
            return Reason.IGNORED
        lines, most = snapshot.document.lines, self.settings.max_file_lines
        if len(lines) - (not lines[-1]) > most or len(snapshot.document.text) > most * _LINE:
            return Reason.TOO_LONG
        outdated = version is not None and version != snapshot.own.version
        return Reason.STALE if outdated or self.documents.in_doubt(snapshot.uri) else None

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
            outcome = Outcome(reason=Reason.NO_MODEL, detail=self.model_error)
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
            )
        if moved is None or not self.is_current(now):
            return Outcome(reason=Reason.STALE)
        return replace(outcome, suggestions=(moved,))

    # Time

    def document_changed(self, uri: str, line: int | None = None) -> None:
        """Tells who waits for it, and prepares the document as soon as nothing else is to be done.

        `line` is where it was changed.
        """
        snapshot, running, chain = self.documents.snapshot(uri), self.running.get(uri), self.chains.get(uri)
        if snapshot is not None and chain is not None:
            chain.document_changed(snapshot.document)
        if snapshot is not None and not (running is not None and running.document_changed(snapshot.own)):
            self.feedback.changed(uri, snapshot.document)
        self._changed_at[uri] = time.monotonic()
        self._stop_idle(uri)
        loop = asyncio.get_running_loop()
        self._idle[uri] = loop.call_later(_IDLE_AFTER, lambda: self.spawn(self._prepare(uri, line)))

    def document_closed(self, uri: str) -> None:
        self._stop_idle(uri)
        self._changed_at.pop(uri, None)
        self.outcomes.pop(uri, None)
        self.feedback.closed(uri)
        if self.chains.pop(uri, None) is not None:
            self.worker.supersede(("next-edit", uri))

    def debounce(self, uri: str) -> float:
        """Seconds until the model may start by itself: the rest of the quiet that is wanted after typing.

        A tenth of what an answer takes lately, so that a slow machine is not kept busy with answers
        that the next key makes worthless.
        """
        wanted = (
            self.settings.debounce / 1000 if self.settings.debounce >= 0 else min(self._latency / 10, 0.3)
        )
        return max(0.0, self._changed_at.get(uri, 0.0) + wanted - time.monotonic())

    def took(self, seconds: float) -> None:
        """Measures an answer of the model."""
        self._latency = seconds if not self._latency else 0.8 * self._latency + 0.2 * seconds

    def _stop_idle(self, uri: str) -> None:
        if (timer := self._idle.pop(uri, None)) is not None:
            timer.cancel()

    async def _prepare(self, uri: str, line: int | None) -> None:
        snapshot = self.documents.snapshot(uri)
        if snapshot is None or self.refusal(snapshot) is not None:
            return
        document = snapshot.document
        typed = None if line is None else line + snapshot.lines_above

        def prepare(engine: "Engine", cancelled: Callable[[], bool]) -> None:
            # Nobody who wants something waits for it. What the linter has begun by then, it ends.
            engine.prepare(document, typed, cancelled=lambda: cancelled() or self.worker.is_wanted)

        with contextlib.suppress(Superseded, NoModel, Cancelled):
            await self.worker.run(Priority.IDLE, prepare, slot=("idle", uri))

    def _reject(self, suggestion: Suggestion) -> None:
        if self.worker.engine is not None:
            self.worker.engine.memory.reject(suggestion)

    def _decline(self, suggestion: Suggestion) -> None:
        if self.worker.engine is not None:
            self.worker.engine.memory.decline(suggestion)

    # Status

    def _on_busy(self, busy: bool) -> None:
        self._busy = busy
        self._tell_status()

    def _tell_status(self) -> None:
        if not self.settings.enabled:
            kind, message = "Inactive", "switched off"
        elif self.model_error:
            kind, message = "Warning", self.model_error
        else:
            kind, message = "Normal", ""
        status = {"busy": self._busy, "kind": kind, "message": message}
        if self._wants_status and status != self._status:
            self._status = status
            self.server.protocol.notify("didChangeStatus", status)


def _open_engine(
    settings: Settings,
    folder: Path | None,
    folders: Callable[[], Sequence[Path]],
    opened: Callable[[], Mapping[str, str]],
) -> Any:
    from lintseq_lsp.runtime import open_engine  # not before `initialize` is answered

    # The process may be started anywhere: relative paths are the workspace's.
    return open_engine(settings, folders, opened, model_folder=folder)
