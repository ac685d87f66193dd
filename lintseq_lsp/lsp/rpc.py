"""One JSON-RPC peer over a byte stream: every request that arrives gets exactly one response.

Own code and not a library's, because importing the usual ones costs more than the whole start-up may
take. Everything runs in the event loop's thread. Deliberately absent: any method of the protocol.
"""

import asyncio
import itertools
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

_log = logging.getLogger(__name__)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800

Id = int | str | None
RequestHandler = Callable[[Any], Awaitable[Any]]
NotificationHandler = Callable[[Any], None]


class RpcError(Exception):
    """An error response, sent or received. The message holds no text of the user's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def read_message(stream: asyncio.StreamReader) -> bytes | None:
    """The next message's body; None at the end of the stream, also when that is in the middle of one."""
    length = -1
    try:
        while line := await stream.readline():
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
            elif not line.strip() and length >= 0:
                return await stream.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        _log.debug("the stream broke off")
    except ValueError:
        _log.error("a header without an end")
    return None


class Endpoint:
    """Handlers by method, requests in flight in both directions.

    A request's handler is a coroutine function; what it does before its first `await` happens before
    the next message is looked at, so documents are as they were when the request was sent.
    `refuse` may turn a method down by raising `RpcError`.
    """

    def __init__(self, write: Callable[[bytes], None], refuse: Callable[[str], None]) -> None:
        self._write = write
        self._refuse = refuse
        self._requests: dict[str, RequestHandler] = {}
        self._notifications: dict[str, NotificationHandler] = {"$/cancelRequest": self._cancel}
        self._running: dict[Id, asyncio.Task[Any]] = {}
        self._asked: dict[Id, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)

    def on_request(self, method: str, handler: RequestHandler) -> None:
        self._requests[method] = handler

    def on_notification(self, method: str, handler: NotificationHandler) -> None:
        self._notifications[method] = handler

    async def serve(self, stream: asyncio.StreamReader) -> None:
        """Handles messages in their order until the stream ends."""
        while (body := await read_message(stream)) is not None:
            self._receive(body)
            await asyncio.sleep(0)  # the handler's first part

    def tell(self, method: str, params: Any) -> None:
        """Sends a notification."""
        self._send({"method": method, "params": params})

    async def ask(self, method: str, params: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Sends a request and returns its result. Raises `RpcError` or `TimeoutError`."""
        msg_id = f"lintseq-{next(self._ids)}"
        self._asked[msg_id] = answer = asyncio.get_running_loop().create_future()
        self._send({"id": msg_id, "method": method, "params": params})
        try:
            return await asyncio.wait_for(answer, timeout)
        finally:
            del self._asked[msg_id]

    def cancel_all(self) -> None:
        """Every request in flight is answered as cancelled, except for the one that asks for this."""
        for task in self._running.values():
            if task is not asyncio.current_task():
                task.cancel()

    def _receive(self, body: bytes) -> None:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._fail(None, PARSE_ERROR, "not JSON")
            return
        if not isinstance(message, dict) or not isinstance(message.get("id"), int | str | None):
            self._fail(None, INVALID_REQUEST, "not a message of JSON-RPC")
            return
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str):
            self._answered(message)
        elif "id" in message:
            task = asyncio.ensure_future(self._handle(method, params))
            self._running[message["id"]] = task
            task.add_done_callback(partial(self._respond, message["id"], method))
        else:
            self._notify(method, params)

    async def _handle(self, method: str, params: Any) -> Any:
        self._refuse(method)
        handler = self._requests.get(method)
        if handler is None:
            raise RpcError(METHOD_NOT_FOUND, "unknown method")
        return await handler(params)

    def _respond(self, msg_id: Id, method: str, task: asyncio.Task[Any]) -> None:
        if self._running.get(msg_id) is task:
            del self._running[msg_id]
        if task.cancelled():
            self._fail(msg_id, REQUEST_CANCELLED, "cancelled")
        elif (error := task.exception()) is None:
            try:
                self._send({"id": msg_id, "result": task.result()})
            except (TypeError, ValueError, RecursionError):
                _log.error("the result of %s cannot be written as JSON", method)
                self._fail(msg_id, INTERNAL_ERROR, "internal error")
        elif isinstance(error, RpcError):
            self._fail(msg_id, error.code, str(error))
        else:
            _log_crash(method, error)
            self._fail(msg_id, INTERNAL_ERROR, f"internal error ({type(error).__name__})")

    def _notify(self, method: str, params: Any) -> None:
        handler = self._notifications.get(method)
        if handler is None:
            _log.debug("nothing listens to %s", method)
            return
        try:
            self._refuse(method)
            handler(params)
        except RpcError as error:
            _log.warning("%s was ignored: %s", method, error)
        except Exception as error:  # noqa: BLE001 - one bad notification must not end the server
            _log_crash(method, error)

    def _cancel(self, params: Any) -> None:
        msg_id = params.get("id") if isinstance(params, dict) else None
        task = self._running.get(msg_id) if isinstance(msg_id, int | str) else None
        if task is not None:
            task.cancel()

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._asked.get(message.get("id"))
        if answer is None or answer.done():
            return
        error = message.get("error")
        if isinstance(error, dict):
            answer.set_exception(RpcError(error.get("code", INTERNAL_ERROR), str(error.get("message", ""))))
        else:
            answer.set_result(message.get("result"))

    def _fail(self, msg_id: Id, code: int, message: str) -> None:
        self._send({"id": msg_id, "error": {"code": code, "message": message}})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"), allow_nan=False).encode()
        self._write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _log_crash(method: str, error: BaseException) -> None:
    """Where it happened; what the exception says may hold the user's text."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s failed with %s\n%s", method, type(error).__name__, frames)
    _log.debug("%s: %s", type(error).__name__, error)
