"""Work of some length, shown in the client where it can be, and cancelled from there."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

_CREATE_TIMEOUT = 1.0


class Progress:
    """`can_create` is what the client says: it takes progress that it did not ask for."""

    def __init__(self, server: LanguageServer) -> None:
        self.can_create = False
        self._server = server
        self._on_cancel: dict[int | str, Callable[[], None]] = {}
        self._tokens = itertools.count(1)

    @contextlib.asynccontextmanager
    async def display(
        self, title: str, token: int | str | None = None, on_cancel: Callable[[], None] | None = None
    ) -> AsyncIterator[Callable[[str], None]]:
        """Shows the block's work under the client's `token`, or under one that the client accepts.

        Yields what reports a message. `on_cancel` is called when the user cancels the work.
        """
        if token is None and self.can_create:
            token = await self._created()

        def report(value: object) -> None:
            if token is not None:
                self._server.progress(types.ProgressParams(token, value))

        if token is not None and on_cancel is not None:
            self._on_cancel[token] = on_cancel
        report(types.WorkDoneProgressBegin(title=title, cancellable=on_cancel is not None))
        try:
            yield lambda message: report(types.WorkDoneProgressReport(message=message))
        finally:
            if token is not None:
                self._on_cancel.pop(token, None)
            report(types.WorkDoneProgressEnd())

    def cancel(self, token: object) -> None:
        if isinstance(token, int | str) and (on_cancel := self._on_cancel.get(token)) is not None:
            on_cancel()

    async def _created(self) -> str | None:
        token = f"lintseq-progress-{next(self._tokens)}"
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT):
                await self._server.window_work_done_progress_create_async(
                    types.WorkDoneProgressCreateParams(token)
                )
        except (JsonRpcException, TimeoutError):
            return None
        return token
