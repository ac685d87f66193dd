"""The model of a server that the user named: which kind of server it is, and what to do while it is away.

It is asked what it is when something is wanted of it, not before, and again after it was away. While it is
away, requests fail at once; one of them asks again when some seconds have passed, which become more.
Deliberately absent: a connection in idle time, and what is sent (http.py, llama_server.py, openai.py).
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from importlib.util import find_spec

from lintseq_lsp.backends.base import Ability, Piece, Request, Special, Usage
from lintseq_lsp.backends.http import Body, Http
from lintseq_lsp.backends.llama_server import LlamaServer, never
from lintseq_lsp.backends.openai import OpenAIServer
from lintseq_lsp.errors import Cancelled, ServerError

_log = logging.getLogger(__name__)

KEY = "LINTSEQ_API_KEY"
"""The environment variable with the key. A settings file is no place for one."""

_FIRST, _LONGEST = 1.0, 60.0  # seconds to the next try, twice as many after each
_POLL = 0.02  # seconds between two looks at whether the answer is still wanted
_OF_ONE_REQUEST = (400, 413, 422)  # HTTP's statuses that say nothing of others

Server = LlamaServer | OpenAIServer


class RemoteBackend:
    """See `base.Backend`. All but `close` may raise `ServerError`, and goes on when the server is back.

    `model` is the name of one of the server's models, empty for its only one. A caller waits `patience`
    seconds for the server to say what it is.
    """

    def __init__(self, endpoint: str, *, model: str = "", patience: float = 2.0) -> None:
        self._http = Http(endpoint)
        self._model = model
        self._patience = patience
        self._server: Server | None = None
        self._last: Server | None = None
        self._asking: Future[Server] | None = None
        self._failure = ""
        self._next_try, self._wait = 0.0, 0.0
        self.usage = Usage()

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def kind(self) -> str:
        return self._known().kind

    @property
    def name(self) -> str:
        return self._known().name

    @property
    def names(self) -> frozenset[str]:
        """All that the server calls the model."""
        return self._known().names

    @property
    def context(self) -> int:
        return self._known().context

    @property
    def abilities(self) -> Ability:
        return self._known().abilities

    def has(self, special: Special) -> bool:
        server = self.server()
        with self._noticing():
            return server.has(special)

    def count(self, text: str) -> int:
        return self._known().count(text)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        before = self._last
        server = self.server(cancelled)
        if before is not None and server.name != before.name:  # the request was made for that one
            raise ServerError(f"{self.url} has another model now: {server.name}")
        with self._noticing():
            try:
                yield from server.write(request, cancelled)
            finally:
                self.usage = server.usage
        self._wait = 0.0

    def round_trip(self) -> float:
        """Seconds of a small request on a connection that is open already."""
        with self._noticing():
            for _ in range(2):
                began = time.monotonic()
                self._http.wait(lambda: self._http.json("/v1/models"), never)
        return time.monotonic() - began

    def close(self) -> None:
        self._server = self._asking = None
        self._http.close()

    def _known(self) -> Server:
        """What answered last, also while it is away: the memory of answers needs no server."""
        return self._last or self.server()

    def server(self, cancelled: Callable[[], bool] = never) -> Server:
        """What answers at the endpoint. Waits a moment for it to say so. May raise `ServerError`."""
        if self._server is None:
            if time.monotonic() < self._next_try:
                raise ServerError(self._failure)
            asking = self._asking = self._asking or self._http.begin(self._ask)
            deadline = time.monotonic() + self._patience
            while not asking.done():
                if cancelled():
                    raise Cancelled
                if time.monotonic() > deadline:  # it is still asked, and the next request may know
                    raise ServerError(f"{self.url} has not yet said which model it has")
                wait([asking], _POLL)
            self._asking = None
            with self._noticing():
                self._server = self._last = asking.result()
        return self._server

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Notices that the server is away: then it is not asked for a while, and then anew what it is."""
        try:
            yield
        except ServerError as error:
            if error.status not in _OF_ONE_REQUEST:
                self._server = None
                self._wait = min(_LONGEST, 2 * self._wait or _FIRST)
                self._next_try = time.monotonic() + self._wait
                self._failure = str(error)
            raise

    async def _ask(self) -> Server:
        """What answers at the endpoint. Runs in the thread of the connections."""
        if not self._http.key:
            self._http.key = await asyncio.to_thread(api_key, self.url)
        try:
            props = self._http.object(await self._http.json("/props"))
        except ServerError as error:
            if error.status in (401, 403, 503):  # it wants a key, or still loads its model
                raise
            props = {}
        if "default_generation_settings" in props:
            return LlamaServer(self._http, _names(props), props)
        models = self._http.object(await self._http.json("/v1/models")).get("data")
        entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
        names = [name for entry in entries if isinstance(name := entry.get("id"), str)]
        name = self._model or (names[0] if len(names) == 1 else "")
        if name not in names:
            wanted = f"{self._model} is not one of them" if self._model else "set lintseq.model to one"
            raise ServerError(f"{self.url} has the models {', '.join(names)[:200] or '(none)'}: {wanted}")
        entry = next(entry for entry in entries if entry.get("id") == name)
        return OpenAIServer(self._http, name, entry)


def api_key(url: str) -> str:
    """From the environment, or from the keyring (`keyring set lintseq-lsp URL`) where there is one."""
    if key := os.environ.get(KEY, ""):
        return key
    if find_spec("keyring") is None:
        return ""
    import keyring

    try:
        return keyring.get_password("lintseq-lsp", url) or ""
    except Exception as error:  # noqa: BLE001 - of whatever kind of keyring this system has
        _log.warning("the keyring cannot be read (%s)", type(error).__name__)
        return ""


def _names(props: Body) -> list[str]:
    """The model's, as its user calls it, and its file's."""
    named = [props.get("model_alias"), props.get("model_path")]
    return [re.split(r"[/\\]", name)[-1] or "model" for name in named if isinstance(name, str) and name]
