"""One client's connection: its life, and which handler takes which method.

Until `initialize` is answered nothing heavy is imported. Deliberately absent: what the methods do,
and how bytes come and go (start.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from lintseq_lsp import __version__
from lintseq_lsp.lsp import code_actions, inline, instructions, next_edit, sync
from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.explain import explain
from lintseq_lsp.lsp.messages import ExecuteCommandParams, ProgressCancelParams, read
from lintseq_lsp.lsp.rpc import INVALID_PARAMS, INVALID_REQUEST, NOT_INITIALIZED, Endpoint, RpcError
from lintseq_lsp.lsp.session import Session

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 2.0


class Server:
    """One client's connection, from `initialize` to `exit`."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.endpoint = Endpoint(write, self._refuse)
        self.session = Session(self.endpoint)
        self._initialized = False
        self._shut_down = False
        session = self.session
        requests: dict[str, Callable[[Session, Any], Awaitable[Any]]] = {
            "textDocument/inlineCompletion": inline.inline_completion,
            "textDocument/completion": inline.completion,
            "textDocument/copilotInlineEdit": next_edit.inline_edit,
            "textDocument/codeAction": code_actions.code_action,
            "codeAction/resolve": code_actions.resolve,
            "workspace/executeCommand": execute_command,
            "lintseq/edit": instructions.edit,
            "lintseq/explain": explain,
        }
        notifications: dict[str, Callable[[Session, Any], None]] = {
            **sync.NOTIFICATIONS,
            "textDocument/didShowCompletion": inline.did_show,
            "textDocument/didPartiallyAcceptCompletion": inline.did_accept_partially,
            "textDocument/didShowInlineEdit": inline.did_show,
            "window/workDoneProgress/cancel": cancel_progress,
        }
        for method, request in requests.items():
            self.endpoint.on_request(method, partial(request, session))
        for method, notification in notifications.items():
            self.endpoint.on_notification(method, partial(notification, session))
        self.endpoint.on_request("initialize", self._initialize)
        self.endpoint.on_request("shutdown", self._shutdown)
        self.endpoint.on_notification("initialized", self._on_initialized)
        self.endpoint.on_notification("exit", self._exit)

    async def serve(self, stream: asyncio.StreamReader) -> int:
        """Serves until `exit` or the end of the stream; the process's exit status."""
        serving = asyncio.ensure_future(self.endpoint.serve(stream))
        ends: tuple[asyncio.Future[Any], ...] = (serving, self.exit_code)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            self.endpoint.cancel_all()
            await self.session.close()
        return self.exit_code.result() if self.exit_code.done() else int(not self._shut_down)

    def _refuse(self, method: str) -> None:
        if self._shut_down and method != "exit":
            raise RpcError(INVALID_REQUEST, "the server is shut down")
        if not self._initialized and method not in ("initialize", "exit"):
            raise RpcError(NOT_INITIALIZED, "the server is not initialized")

    async def _initialize(self, params: Any) -> Json:
        if not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, "invalid parameters: of the wrong type @ $")
        if self._initialized:
            raise RpcError(INVALID_REQUEST, "initialized already")
        self._initialized = True
        self.session.start(params)
        if isinstance(params.get("processId"), int):
            self.session.spawn(self._watch(params["processId"]))
        return {
            "capabilities": capabilities(self.session),
            "serverInfo": {"name": "lintseq-lsp", "version": __version__},
        }

    def _on_initialized(self, _params: Any) -> None:
        self.session.spawn(sync.register(self.session))
        self.session.spawn(self.session.configure())

    async def _shutdown(self, _params: Any) -> None:
        self._shut_down = True
        self.endpoint.cancel_all()

    def _exit(self, _params: Any) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(int(not self._shut_down))

    async def _watch(self, process: int) -> None:
        """Ends the server when the client has died without a word."""
        await asyncio.sleep(_WATCH_SECONDS)
        import psutil  # not before `initialize` is answered

        while psutil.pid_exists(process):  # noqa: ASYNC110 - nothing tells of its death
            await asyncio.sleep(_WATCH_SECONDS)
        _log.warning("the client's process is gone")
        if not self.exit_code.done():
            self.exit_code.set_result(1)


def capabilities(session: Session) -> Json:
    result: Json = {
        "positionEncoding": session.documents.encoding.value,
        "textDocumentSync": {"openClose": True, "change": 2},
        "notebookDocumentSync": {
            "notebookSelector": [{"notebook": "*", "cells": [{"language": "python"}]}],
        },
        "inlineCompletionProvider": {},
        "codeActionProvider": {"codeActionKinds": list(code_actions.KINDS), "resolveProvider": True},
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if session.settings.completion_items:
        result["completionProvider"] = {}
    return result


COMMANDS = ("lintseq.accept", "lintseq.edit", "lintseq.action")


async def execute_command(session: Session, raw: Any) -> Any:
    params = read(ExecuteCommandParams, raw)
    arguments = params.arguments or ()
    match params.command:
        case "lintseq.accept":
            if not arguments or not isinstance(arguments[0], str):
                raise RpcError(INVALID_PARAMS, "invalid parameters: lintseq.accept takes a suggestion's id")
            session.feedback.accepted(arguments[0])
            return None
        case "lintseq.edit":
            return await instructions.edit_command(session, arguments, params.work_done_token)
        case "lintseq.action":
            return await code_actions.apply_action(session, arguments)
    raise RpcError(INVALID_PARAMS, "invalid parameters: no such command")


def cancel_progress(session: Session, raw: Any) -> None:
    session.progress.cancel(read(ProgressCancelParams, raw).token)
