"""pygls' protocol, made to answer every request exactly once and to keep users' text to itself.

pygls leaves a message that it cannot read, or a result that it cannot write, without any response, and
puts what an exception says into what it sends and logs. Its own features are left out, too: the session
keeps the documents, the folders and the progress.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidRequest
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

_log = logging.getLogger(__name__)

_NOT_INITIALIZED = -32002
_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]+)[ \t]*\r?\n", re.IGNORECASE)


class Protocol(LanguageServerProtocol):
    """Handlers get the parameters as they came, and read them with `params.read`.

    The features of pygls are the requests; `notifications` are those that need no answer, and never raise.
    """

    initialized = False

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self.notifications: dict[str, Callable[[Any], None]] = {}

    @property
    def is_shut_down(self) -> bool:
        return self._shutdown

    def shut_down(self) -> None:
        """Takes no more requests, and answers those in flight as cancelled."""
        self._shutdown = True
        for future in list(self._request_futures.values()):
            future.cancel()

    def refuse(self, error: JsonRpcException) -> None:
        """Answers what cannot be told from a request; `ResponseErrorMessage` would omit the id."""
        failure = {"code": error.code, "message": error.message}
        self._send_data({"jsonrpc": self.VERSION, "id": None, "error": failure})

    def structure_message(self, data: dict[str, Any]) -> dict[str, Any]:
        """As it is: pygls calls this for each object in a message, too."""
        return data

    def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("id"), int | str | None):
            self.refuse(JsonRpcInvalidRequest("not a message of JSON-RPC"))
            return
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str):
            failed = isinstance(message.get("error"), dict)
            error = types.ResponseError(JsonRpcException.CODE, "refused by the client") if failed else None
            self._handle_response(message.get("id"), message.get("result"), error)
        elif "id" in message and message["id"] in self._request_futures:
            # Of two by one name only one could be cancelled, or answered at the end.
            twice = JsonRpcInvalidRequest("a request with this id is not answered yet")
            self._send_response(message["id"], error=twice.to_response_error())
        elif "id" in message:
            self._handle_request(message["id"], method, params)
        elif method == types.CANCEL_REQUEST:
            wanted = params.get("id") if isinstance(params, dict) else None
            if isinstance(wanted, int | str) and (future := self._request_futures.get(wanted)):
                future.cancel()  # it keeps its id until it is answered
        else:
            self._handle_notification(method, params)

    def _register_builtin_features(self) -> None:
        """Leaves out the handlers of pygls: the server has its own for every method."""

    def _handle_notification(self, method_name: str, params: Any) -> None:
        is_at_work = self.initialized and not self._shutdown
        handler = self.notifications.get(method_name)
        if handler is None:
            _log.warning("a notification was ignored: there is no %.100r", method_name)
        elif is_at_work or method_name == types.EXIT:
            handler(params)

    def _get_handler(self, feature_name: str) -> Any:
        if self._shutdown:
            raise JsonRpcInvalidRequest("the server is shut down")
        if not self.initialized and feature_name != types.INITIALIZE:
            raise JsonRpcException("the server is not initialized", code=_NOT_INITIALIZED)
        return super()._get_handler(feature_name)

    def _handle_response(
        self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        self._result_types.pop(msg_id, None)
        if isinstance(self._request_futures.get(msg_id), Future):  # else it is one that the client sent
            with suppress(InvalidStateError):  # nobody waits any more
                super()._handle_response(msg_id, result, error)

    def _send_data(self, data: Any) -> None:
        try:
            values = self._converter.unstructure(data)
            body = json.dumps(values, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            _log.error("a message cannot be written as JSON")
            raise JsonRpcInternalError("internal error") from None
        assert self.writer is not None
        try:
            self.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except ConnectionError:
            _log.debug("the client does not listen any more")


class InTurn:
    """What is read, for pygls. What a handler does first happens before the next message is looked at:
    documents are as they were when the request was sent.

    Names of header fields are written as pygls wants them: to the protocol capitals do not matter.
    """

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self.readexactly = stream.readexactly

    async def readline(self) -> bytes:
        await asyncio.sleep(0)
        line = await self._stream.readline()
        length = _LENGTH.fullmatch(line)
        return b"Content-Length: %b\r\n" % length[1] if length else line
