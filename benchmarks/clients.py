"""Clients of what is measured: of language servers, and of a llama-server that is asked as llama.vim asks."""

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from llama_server import LlamaServer
from typist import Press, is_word

from lintseq_lsp.bench.texts import Keystroke
from lintseq_lsp.edits import replacement_between
from lintseq_lsp.text import Document


class Connection:
    """A client of a language server, that does not wait for one answer before it asks for the next."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._id = 0
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, *command: str) -> "Connection":
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=null))

    @property
    def process(self) -> int:
        return self._process.pid

    def ask(self, method: str, params: Any) -> tuple[int, asyncio.Future[Any]]:
        self._id += 1
        answer = self._answers[self._id] = asyncio.get_running_loop().create_future()
        self._send({"id": self._id, "method": method, "params": params})
        return self._id, answer

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    async def stop(self) -> None:
        await self.ask("shutdown", None)[1]
        self.tell("exit", None)
        await self._process.wait()
        await self._reading

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await stdout.readuntil(b"\r\n\r\n")
                length = header.lower().partition(b"content-length:")[2].split(maxsplit=1)[0]
                message = json.loads(await stdout.readexactly(int(length)))
                if "method" in message:
                    if "id" in message:
                        self._send({"id": message["id"], "result": None})
                elif (answer := self._answers.pop(message["id"], None)) is not None:
                    answer.set_result(message.get("result"))
        for answer in self._answers.values():  # nobody is there to give them any more
            answer.set_exception(ConnectionError("the server ended"))


@dataclass(frozen=True, slots=True)
class Question:
    """What a language server is asked, and `when`. `shown` names what of an item is on the screen."""

    method: str
    trigger: int
    shown: str
    when: Callable[[Keystroke], bool]


def _at_names(keystroke: Keystroke) -> bool:
    """Where an editor opens its list, which it filters from there on."""
    before, last = keystroke.document.text[: keystroke.offset][-2:]
    return last == "." or (is_word(last) and not last.isdigit() and not is_word(before))


GHOST_TEXT = Question("textDocument/inlineCompletion", 2, "insertText", lambda _: True)  # automatic
NAMES = Question("textDocument/completion", 1, "label", _at_names)  # invoked


class LanguageServer:
    """Told of each key as it is pressed. A request that is out of date is cancelled."""

    def __init__(
        self, name: str, about: str, command: Sequence[str], question: Question, **options: Any
    ) -> None:
        self.name, self.about = name, about
        self._command, self._question, self._options = command, question, options
        self._press: Press | None = None
        self._document: Document | None = None
        self._version = 1
        self._waiting: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def process(self) -> int:
        return self._connection.process

    async def start(self) -> None:
        self._connection = await Connection.start(*self._command)
        params = {
            "processId": os.getpid(),
            "rootUri": None,
            "capabilities": {},
            "initializationOptions": self._options,
        }
        await self._connection.ask("initialize", params)[1]
        self._connection.tell("initialized", {})

    async def open(self, document: Document) -> None:
        self._document, self._version = document, 1
        item = {"uri": _uri(document), "languageId": "python", "version": 1, "text": document.text}
        self._connection.tell("textDocument/didOpen", {"textDocument": item})

    def press(self, press: Press) -> None:
        self._press = press
        self._change(press.keystroke.document)
        if self._waiting is not None:
            self._connection.tell("$/cancelRequest", {"id": self._waiting})
            self._waiting = None
        if self._question.when(press.keystroke):
            document, offset = press.keystroke.document, press.keystroke.offset
            params = {
                "textDocument": {"uri": _uri(document)},
                "position": _position(document, offset),
                "context": {"triggerKind": self._question.trigger},
            }
            press.asked = time.perf_counter()
            self._waiting, answer = self._connection.ask(self._question.method, params)
            task = asyncio.ensure_future(self._answered(press, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Returns when nothing is waited for. Raises `ConnectionError` when the server has ended."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await self._connection.stop()

    def _change(self, document: Document) -> None:
        """Tells what is between what both texts begin and end with."""
        old, new = self._document, document
        assert old is not None
        change = replacement_between(old.text, new.text)
        assert change is not None
        where = {"start": _position(old, change.start), "end": _position(old, change.end)}
        event = {"range": where, "text": change.text}
        self._document, self._version = new, self._version + 1
        identifier = {"uri": _uri(new), "version": self._version}
        params = {"textDocument": identifier, "contentChanges": [event]}
        self._connection.tell("textDocument/didChange", params)

    async def _answered(self, press: Press, answer: asyncio.Future[Any]) -> None:
        result = await answer
        items = result.get("items") if isinstance(result, dict) else result
        if press is self._press:
            self._waiting = None
            press.answered = time.perf_counter()
            if items:
                press.shown, press.text = press.answered, str(items[0][self._question.shown])


class LlamaVim:
    """A llama-server, asked as llama.vim asks one (its commit a1c8e6e of January 2026).

    On each key the cache is looked through, as far as 128 characters back, and a request is sent if none
    runs; else that is tried again after 100 ms. A first answer may take 250 ms to write; while one is shown,
    the one behind it is asked for. The prompt is 256 lines, of which the server takes 768 tokens (3/4 of a
    batch). Its ring of chunks from other files is left out: there is one file at a time.
    """

    PREFIX, SUFFIX, BATCH, BACK, WAIT, CACHE = 256, 64, 1024, 128, 0.1, 250

    def __init__(self, name: str, about: str, model: Path, threads: int) -> None:
        self.name, self.about = name, about
        self._folder = tempfile.TemporaryDirectory()
        # The preset of llama.vim's page; threads as our server has them.
        options = (
            "--ctx-size",
            0,
            "--batch-size",
            self.BATCH,
            "--ubatch-size",
            self.BATCH,
            "--cache-reuse",
            256,
        )
        both = ("--threads", max(1, threads // 2), "--threads-batch", threads)
        self._server = LlamaServer(model, Path(self._folder.name) / "log", *map(str, (*options, *both)))
        self._http = httpx2.AsyncClient(base_url=self._server.url, timeout=60.0, trust_env=False)
        self._cache: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._current: Press | None = None
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began: tuple[str, list[int]] = ("", [])
        self._can_fill = False

    @property
    def process(self) -> int:
        return self._server.process_id

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)
        tried = await self._http.post(
            "/infill", json={"input_prefix": "x", "input_suffix": "", "n_predict": 1}
        )
        self._can_fill = tried.status_code == 200

    async def open(self, document: Document) -> None:
        """The server is not told."""

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            await self._running
        await self._http.aclose()
        self._server.kill()
        self._folder.cleanup()

    def press(self, press: Press) -> None:
        self._current = press
        self._show()
        self._ask(press)

    def _show(self) -> None:
        """What the cache has for the cursor, if anything."""
        press = self._current
        if press is None:
            return
        before, after = self._around(press)
        found = [self._cache.get((before, after), "")]
        for back in range(1, min(self.BACK, len(before)) + 1):
            content = self._cache.get((before[:-back], after), "")
            if content.startswith(before[-back:]):
                found.append(content[back:])
        text = found[0] or max(found, key=len)
        if text.strip():
            press.asked = press.at if press.asked is None else press.asked
            press.shown, press.text = time.perf_counter(), text
            press.answered = press.answered or press.shown
            self._ask(press, text)

    def _ask(self, press: Press, shown: str = "") -> None:
        """`shown` is the text behind which the next answer is made; none is shown yet when it is empty."""
        if press is not self._current:
            if shown or self._current is None:
                return
            press = self._current  # a retry is for where the cursor is
        if self._running is not None:
            if self._timer is not None:
                self._timer.cancel()
            again = asyncio.get_running_loop().call_later
            self._timer = again(self.WAIT, self._ask, press, shown)
            return
        before, after = self._around(press, shown)
        if (before, after) not in self._cache:
            if not shown and press.asked is None:
                press.asked = time.perf_counter()
            milliseconds = 1000 if shown else 250
            self._running = asyncio.ensure_future(self._request(press, before, after, milliseconds))

    async def _request(self, press: Press, before: str, after: str, milliseconds: int) -> None:
        prefix, _, middle = before.rpartition("\n")
        asked: dict[str, Any] = {
            "id_slot": 0,
            "n_predict": 128,
            "n_indent": len(middle) - len(middle.lstrip()),
            "top_k": 40,
            "top_p": 0.9,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": 500,
            "t_max_predict_ms": milliseconds,
            "response_fields": ["content"],
        }
        try:
            if self._can_fill:
                asked |= {"input_prefix": f"{prefix}\n", "input_suffix": after, "prompt": middle}
                answer = await self._http.post("/infill", json=asked)
            else:
                asked["prompt"] = (
                    [*await self._tokens(f"{prefix}\n"), middle]
                    if middle
                    else await self._tokens(f"{prefix}\n")
                )
                answer = await self._http.post("/completion", json=asked)
            self._cache[before, after] = answer.raise_for_status().json()["content"]
            if len(self._cache) > self.CACHE:
                self._cache.popitem(last=False)
            if press is self._current and press.answered is None:
                press.answered = time.perf_counter()
            if self._current is not None and self._current.shown is None:
                self._show()
        finally:
            self._running = None

    async def _tokens(self, prefix: str) -> list[int]:
        """The last of the prefix, as `/infill` would cut it. It is the same for all keys of a line."""
        if self._began[0] != prefix:
            answer = await self._http.post("/tokenize", json={"content": prefix})
            self._began = prefix, answer.raise_for_status().json()["tokens"][-self.BATCH * 3 // 4 :]
        return self._began[1]

    def _around(self, press: Press, shown: str = "") -> tuple[str, str]:
        """What stands before the cursor, and behind it; a line of blanks counts as empty."""
        text, offset = press.keystroke.document.text, press.keystroke.offset
        above, _, line = text[:offset].rpartition("\n")
        rest, _, below = text[offset:].partition("\n")
        if not shown and not f"{line}{rest}".strip():
            line = rest = ""
        lines = f"{above}\n{line}{shown}".split("\n")[-self.PREFIX - 1 :]
        return "\n".join(lines), f"{rest}\n" + "\n".join(below.split("\n")[: self.SUFFIX]) + "\n"


def _position(document: Document, offset: int) -> dict[str, int]:
    """In the files that are typed in, a character is one unit."""
    line, column = document.position(offset)
    return {"line": line, "character": column}


def _uri(document: Document) -> str:
    return Path(document.path).as_uri()
