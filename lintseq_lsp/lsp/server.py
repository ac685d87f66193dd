"""One client's connection: its life, and which handler takes which method.

Until `initialize` is answered nothing heavy is imported.
"""

import asyncio
import logging
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
)
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer

from lintseq_lsp import __version__
from lintseq_lsp.lsp import code_actions, inline, instructions, sync
from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.explain import explain
from lintseq_lsp.lsp.next_edit import NextEdits
from lintseq_lsp.lsp.params import converter, read
from lintseq_lsp.lsp.protocol import InTurn, Protocol
from lintseq_lsp.lsp.record import record
from lintseq_lsp.lsp.session import Session

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 2.0


class Server(LanguageServer):
    """One client's connection, from `initialize` to `exit`."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "lintseq-lsp", __version__, protocol_cls=Protocol, converter_factory=lambda: converter
        )
        self.exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.session = Session(self)
        self._client_process: int | None = None
        next_edits = NextEdits()
        self.session.watch(next_edits)
        requests: dict[str, Callable[[Session, Any], Awaitable[Any]]] = {
            types.INITIALIZE: self._initialize,
            types.TEXT_DOCUMENT_INLINE_COMPLETION: inline.inline_completion,
            types.TEXT_DOCUMENT_COMPLETION: inline.completion,
            "textDocument/copilotInlineEdit": next_edits.inline_edit,
            types.TEXT_DOCUMENT_CODE_ACTION: code_actions.code_action,
            types.CODE_ACTION_RESOLVE: code_actions.resolve,
            types.WORKSPACE_EXECUTE_COMMAND: execute_command,
            "lintseq/edit": instructions.edit,
            "lintseq/explain": explain,
            "lintseq/record": record,
        }
        notifications: dict[str, Callable[[Session, Any], None]] = {
            **sync.NOTIFICATIONS,
            types.INITIALIZED: self._on_initialized,
            types.EXIT: self._exit,
            "textDocument/didShowCompletion": inline.did_show,
            "textDocument/didPartiallyAcceptCompletion": inline.did_accept_partially,
            "textDocument/didShowInlineEdit": inline.did_show,
            "lintseq/didReject": inline.did_reject,
            types.WINDOW_WORK_DONE_PROGRESS_CANCEL: cancel_progress,
        }
        self.feature(types.SHUTDOWN)(lambda _: self.protocol.shut_down())
        for method, request in requests.items():
            self._on_request(method, request)
        for method, notification in notifications.items():
            self._on_notification(method, notification)

    def _on_request(self, method: str, handler: Callable[[Session, Any], Awaitable[Any]]) -> None:
        """Parameters are read as what `handler` is annotated with."""
        shape = handler.__annotations__["params"]

        async def handle(raw: Any) -> Any:
            try:
                return await handler(self.session, read(shape, raw))
            except JsonRpcException:
                raise
            except Exception as error:  # noqa: BLE001 - the request is answered, whatever was raised
                _log_crash(method, error)
                raise JsonRpcInternalError(f"internal error ({type(error).__name__})") from None

        self.feature(method)(handle)

    def _on_notification(self, method: str, handler: Callable[[Session, Any], None]) -> None:
        shape = handler.__annotations__["params"]

        def handle(raw: Any) -> None:
            try:
                handler(self.session, read(shape, raw))
            except JsonRpcException as error:
                _log.warning("%s was ignored: %s", method, error)
            except Exception as error:  # noqa: BLE001 - one bad notification must not end the server
                _log_crash(method, error)
            else:
                return
            sync.note_unreadable(self.session, method, raw)

        self.protocol.notifications[method] = handle

    async def serve(self, reader: asyncio.StreamReader, writer: StdoutWriter | asyncio.StreamWriter) -> int:
        """Serves until `exit` or the end of the stream; the process's exit status."""
        self.protocol.set_writer(writer)
        reading = asyncio.ensure_future(self._read(reader))
        ends: tuple[asyncio.Future[Any], ...] = (reading, self.exit_code)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._end()
        finally:
            reading.cancel()
            self.protocol.shut_down()
            await self.session.close()
        return self.exit_code.result()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        handle_error = self.report_server_error
        try:
            await run_async(threading.Event(), InTurn(reader), self.protocol, error_handler=handle_error)
        except (EOFError, ConnectionError, ValueError) as error:  # in the middle of a message
            _log.warning("the stream broke off: %s", type(error).__name__)

    def report_server_error(self, error: Exception, source: Any) -> None:  # noqa: ARG002
        """pygls tells of every error, and would have the client pop it up: one that no request has.

        What a handler raises is logged here already.
        """
        if source is JsonRpcException:
            self.protocol.refuse(JsonRpcParseError("not JSON"))

    def _end(self) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(int(not self.protocol.is_shut_down))

    async def _initialize(self, session: Session, params: Json) -> types.InitializeResult:
        """The parameters stay as they came: whatever a client says it can, it is served."""
        if self.protocol.initialized:
            raise JsonRpcInvalidRequest("initialized already")
        self.protocol.initialized = True
        session.start(params)
        process = params.get("processId")
        self._client_process = process if isinstance(process, int) else None
        return types.InitializeResult(
            capabilities(session), types.ServerInfo(name=self.name, version=self.version)
        )

    def _on_initialized(self, session: Session, params: Any) -> None:  # noqa: ARG002
        if self._client_process is not None:
            session.spawn(self._watch(self._client_process))
        session.spawn(sync.register(session))
        session.spawn(session.configuration.update())

    def _exit(self, _session: Session, params: Any) -> None:  # noqa: ARG002
        self._end()

    async def _watch(self, process: int) -> None:
        """Ends the server when the client has died without a word.

        What is not there from the beginning is the process of another machine or container.
        """
        import psutil  # not before `initialize` is answered

        try:
            client = psutil.Process(process)
        except (psutil.Error, ValueError, OverflowError):
            return
        while client.is_running():  # noqa: ASYNC110 - nothing tells of its death
            await asyncio.sleep(_WATCH_SECONDS)
        _log.warning("the client's process is gone")
        if not self.exit_code.done():
            self.exit_code.set_result(1)


def capabilities(session: Session) -> types.ServerCapabilities:
    """Written out: pygls would announce completion items whatever the settings are, and no notebooks."""
    cells = types.NotebookDocumentFilterWithCells(notebook="*", cells=[types.NotebookCellLanguage("python")])
    return types.ServerCapabilities(
        position_encoding=session.documents.encoding.value,
        text_document_sync=types.TextDocumentSyncOptions(
            open_close=True, change=types.TextDocumentSyncKind.Incremental
        ),
        notebook_document_sync=types.NotebookDocumentSyncOptions(notebook_selector=[cells]),
        completion_provider=types.CompletionOptions() if session.settings.completion_items else None,
        inline_completion_provider=types.InlineCompletionOptions(),
        code_action_provider=types.CodeActionOptions(
            code_action_kinds=code_actions.KINDS, resolve_provider=True
        ),
        execute_command_provider=types.ExecuteCommandOptions(commands=COMMANDS),
        workspace=types.WorkspaceOptions(
            workspace_folders=types.WorkspaceFoldersServerCapabilities(
                supported=True, change_notifications=True
            )
        ),
    )


COMMANDS = ("lintseq.accept", "lintseq.edit", "lintseq.action")


async def execute_command(session: Session, params: types.ExecuteCommandParams) -> Any:
    arguments = params.arguments or ()
    match params.command:
        case "lintseq.accept":
            if not arguments or not isinstance(arguments[0], str):
                raise JsonRpcInvalidParams("invalid parameters: lintseq.accept takes a suggestion's id")
            session.feedback.accepted(arguments[0])
            return None
        case "lintseq.edit":
            return await instructions.edit_command(session, arguments, params.work_done_token)
        case "lintseq.action":
            return await code_actions.apply_action(session, arguments)
    raise JsonRpcInvalidParams("invalid parameters: no such command")


def cancel_progress(session: Session, params: types.WorkDoneProgressCancelParams) -> None:
    session.client.progress.cancel(params.token)


def _log_crash(method: str, error: BaseException) -> None:
    """Where it happened; what the exception says may hold the user's text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s failed with %s\n%s", method, type(error).__name__, frames)
    _log.debug("%s: %s", type(error).__name__, error)
