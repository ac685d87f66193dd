"""The editor at the other end: what it said that it can do, and what it is told and asked."""

import asyncio
import contextlib
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lintseq_lsp.lsp.convert import Json
from lintseq_lsp.lsp.progress import Progress
from lintseq_lsp.reasons import Reason

_ANSWER_TIMEOUT = 2.0


class Client:
    """Knows nothing of the client before `start`."""

    def __init__(self, server: LanguageServer) -> None:
        self.progress = Progress(server)
        self._server = server
        self._capabilities: Json = {}
        self._registered: set[str] = set()
        self._warned: set[str] = set()
        self._wants_status = False
        self._status: Json = {}

    def start(self, params: Json) -> None:
        """Takes what `initialize` says."""
        capabilities, options = params.get("capabilities"), params.get("initializationOptions")
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        self._wants_status = isinstance(options, dict) and options.get("didChangeStatus") is True
        self.progress.can_create = bool(self.supports("window", "workDoneProgress"))

    def supports(self, *path: str) -> Any:
        """The capability at `path`, None when there is none."""
        value: Any = self._capabilities
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def show(self, message: str, *, kind: types.MessageType = types.MessageType.Warning) -> None:
        self._server.window_show_message(types.ShowMessageParams(kind, f"LintSeq: {message}"))

    def show_nothing(self, reason: Reason) -> None:
        """Tells a user who waits for something."""
        self.show(f"nothing to offer. {reason.sentence}", kind=types.MessageType.Info)

    def warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self.show(message)

    def show_status(self, *, busy: bool, kind: str, message: str) -> None:
        """Tells a client that asked for it, when it changes."""
        status = {"busy": busy, "kind": kind, "message": message}
        if self._wants_status and status != self._status:
            self._status = status
            self._server.protocol.notify("didChangeStatus", status)

    def report(self, token: int | str, value: Any) -> None:
        """A part of the result of a request that came with such a token."""
        self._server.progress(types.ProgressParams(token, value))

    async def register(self, method: str, options: object) -> None:
        """Announces a method that was not among the server's capabilities; once."""
        if method in self._registered:
            return
        self._registered.add(method)
        registration = types.Registration(method, method, options)
        with contextlib.suppress(JsonRpcException, TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await self._server.client_register_capability_async(types.RegistrationParams([registration]))

    async def configuration(self, section: str) -> Json | None:
        """What is set in `section`; None when the client cannot or does not say."""
        if not self.supports("workspace", "configuration"):
            return None
        wanted = types.ConfigurationParams([types.ConfigurationItem(section=section)])
        with contextlib.suppress(JsonRpcException, TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                answer: object = await self._server.workspace_configuration_async(wanted)
            if isinstance(answer, list) and answer:
                return answer[0] if isinstance(answer[0], dict) else {}
        return None

    async def apply(self, label: str, edit: types.WorkspaceEdit) -> bool:
        """Asks it to make `edit` as one undoable change; whether it did."""
        try:
            answer: object = await self._server.workspace_apply_edit_async(
                types.ApplyWorkspaceEditParams(edit, label)
            )
        except JsonRpcException:
            return False
        return isinstance(answer, dict) and answer.get("applied") is True
