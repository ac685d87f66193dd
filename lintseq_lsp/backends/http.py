"""JSON over HTTP with a server that is not to be trusted: nothing of what it sends raises but `ServerError`.

A thread with an event loop has the connections, so that who asks may stop waiting at any time: what it
waited for is cancelled there, and the connection closed. Redirections are not followed, proxies and `.netrc`
not looked at, compressed answers not read, and all is bounded in size and time.
Deliberately absent: what is asked (llama_server.py, openai.py), and when to ask again (remote.py).
"""

import asyncio
import json
import queue
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from lintseq_lsp.errors import Cancelled, ModelError, ServerError

_CONNECT, _SILENCE, _WHOLE = 3.0, 30.0, 120.0  # seconds
_CLOSING = 1.0  # seconds that connections may take to be closed
_LINE, _ANSWER = 1 << 20, 16 << 20  # bytes, most of a line and of an answer
_POLL = 0.02  # seconds between two looks at whether the answer is still wanted

_T = TypeVar("_T")
Body = Mapping[str, Any]


def base_url(endpoint: str) -> str:
    """The endpoint without what clients of other kinds have at its end. Raises `ModelError` if it is none."""
    try:
        parts = urlsplit(endpoint)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        well = False
    if not well or parts.query or parts.fragment or not endpoint.isprintable() or " " in endpoint:
        raise ModelError("lintseq.endpoint must be the address of a server, such as http://127.0.0.1:8080")
    if "@" in parts.netloc:
        raise ModelError(
            "lintseq.endpoint must not contain a password: set the environment variable LINTSEQ_API_KEY"
        )
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/v1")
    return f"{parts.scheme}://{parts.netloc}{path}"


class Http:
    """Requests to `endpoint`, and to nothing else. Opens no connection before the first."""

    def __init__(self, endpoint: str) -> None:
        self.url = base_url(endpoint)
        self.key = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx2.AsyncClient | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> Future[_T]:
        """Runs `work` in the thread. Its future can be cancelled, which closes its connections."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=[self._loop], name="endpoint", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work(), self._loop)

    def wait(self, work: Callable[[], Coroutine[Any, Any, _T]], cancelled: Callable[[], bool]) -> _T:
        """What `work` returns. Raises `Cancelled` without waiting for it, and `ServerError`."""
        future = self.begin(work)
        try:
            while True:
                if cancelled():
                    raise Cancelled
                try:
                    return future.result(_POLL)
                except TimeoutError:
                    if future.done():
                        raise ServerError(f"{self.url} did not answer in time") from None
                except CancelledError:
                    raise ServerError(f"{self.url} was closed by this program") from None
        finally:
            future.cancel()

    async def json(self, path: str, body: Body | None = None) -> Any:
        """The answer to a GET, or to a POST of `body`. Raises `ServerError`."""
        data = bytearray()
        async for chunk in self._answer(path, body):
            data += chunk
        return self._parsed(bytes(data))

    def events(self, path: str, body: Body, cancelled: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """The server-sent events of the answer, each an object, as they come.

        Raises `Cancelled` and `ServerError`. Closing the iterator closes the connection.
        """
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        async def read() -> None:
            line = bytearray()
            async for chunk in self._answer(path, body):
                *whole, rest = chunk.split(b"\n")
                for part in whole:
                    lines.put(bytes(line + part))
                    line.clear()
                line += rest
                if len(line) > _LINE:
                    raise ServerError(f"{self.url} sent a line that is too long")
            lines.put(bytes(line))

        future = self.begin(read)
        future.add_done_callback(lambda _: lines.put(b""))  # wakes who waits
        try:
            while True:
                if cancelled():
                    raise Cancelled
                is_all = future.done()
                try:
                    line = lines.get(timeout=0 if is_all else _POLL)
                except queue.Empty:
                    if is_all:
                        self._outcome(future)
                        return
                    continue
                name, _, data = line.partition(b":")
                data = data.strip()
                if name == b"data" and data == b"[DONE]":
                    return
                if name in (b"data", b"error"):
                    yield self.object(self._parsed(data))
        finally:
            future.cancel()

    def object(self, value: Any) -> dict[str, Any]:
        """`value`, which must be one. An object that is an error raises it."""
        if not isinstance(value, dict):
            raise ServerError(f"{self.url} did not answer with a JSON object")
        error = value.get("error")
        if error:
            said = error.get("message") if isinstance(error, dict) else error
            raise ServerError(f"{self.url} answers with an error: {_short(said)}")
        return value

    def close(self) -> None:
        """Closes all connections. A closed one is opened again when something is asked."""
        loop, client, self._loop, self._client = self._loop, self._client, None, None
        if loop is not None:

            async def end() -> None:
                mine = asyncio.current_task()
                others = [task for task in asyncio.all_tasks() if task is not mine]
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                if client is not None:
                    await client.aclose()

            ended = asyncio.run_coroutine_threadsafe(end(), loop)
            ended.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
            self._thread.join(_CLOSING)

    def _outcome(self, future: "Future[None]") -> None:
        try:
            future.result(0)
        except (CancelledError, TimeoutError):
            raise ServerError(f"{self.url} did not answer in time") from None

    async def _answer(self, path: str, body: Body | None) -> AsyncIterator[bytes]:
        """The bytes of the answer's body, all within the bounds."""
        if self._client is None:
            secure = self.url.startswith("https:")
            self._client = httpx2.AsyncClient(
                timeout=httpx2.Timeout(_SILENCE, connect=_CONNECT, pool=_CONNECT),
                verify=ssl.create_default_context() if secure else False,
                trust_env=False,
                follow_redirects=False,
            )
        method = "GET" if body is None else "POST"
        headers = {"Accept-Encoding": "identity"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        size = 0
        try:
            async with (
                asyncio.timeout(_WHOLE),
                self._client.stream(method, self.url + path, json=body, headers=headers) as answer,
            ):
                encoding = answer.headers.get("Content-Encoding", "identity").lower()
                if answer.is_redirect:
                    raise ServerError(f"{self.url} redirects to another address, which is not followed")
                if encoding != "identity":
                    raise ServerError(
                        f"{self.url} sent a compressed answer, which is not read ({_short(encoding)})"
                    )
                async for chunk in answer.aiter_raw(1 << 16 if answer.is_error else None):
                    size += len(chunk)
                    if answer.is_error:
                        raise ServerError(self._refusal(answer.status_code, chunk), answer.status_code)
                    if size > _ANSWER:
                        raise ServerError(f"{self.url} sent an answer that is too long")
                    yield chunk
                if answer.is_error:
                    raise ServerError(self._refusal(answer.status_code, b""), answer.status_code)
        except TimeoutError:
            raise ServerError(f"{self.url} did not answer in time") from None
        except httpx2.TimeoutException as error:
            raise ServerError(f"{self.url} did not answer in time ({type(error).__name__})") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            said = _short(error) or type(error).__name__
            raise ServerError(f"{self.url} cannot be reached ({said})") from None

    def _refusal(self, status: int, body: bytes) -> str:
        mend = {401: ": its key belongs in LINTSEQ_API_KEY", 403: ": its key belongs in LINTSEQ_API_KEY"}
        if status in mend:
            return f"{self.url} wants a key (status {status}){mend[status]}"
        try:
            value = json.loads(body)
            said = value["error"]["message"] if isinstance(value["error"], dict) else value["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            said = ""
        return f"{self.url} answers with status {status}{': ' if said else ''}{_short(said)}"

    def _parsed(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise ServerError(f"{self.url} did not answer with JSON") from None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _short(text: object) -> str:
    """One line for people, of what a server said."""
    return " ".join(str(text).split())[:200]
