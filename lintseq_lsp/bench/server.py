"""The benchmark of the server as an editor meets it: a process of its own, over standard streams."""

import contextlib
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import psutil

from lintseq_lsp.bench.texts import statements, texts
from lintseq_lsp.bench.values import Plan, Result, Results, Target
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.text import Document

_INVOKED, _AUTOMATIC = 1, 2
_MB = 1 << 20
_LIMIT = 120.0  # seconds for one answer
_SAMPLES = 100  # of memory in one run
_EDITS = 20  # in one file, while memory is watched
_SETTLED = 500  # suggestions over which a slope says something


class _Server:
    """A server process and its client, which waits for one answer at a time."""

    def __init__(self, plan: Plan, **options: Any) -> None:
        self._options = {"model": plan.model, **options}
        self._id = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lintseq_lsp", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(LintSeqError, OSError):
            self.ask("shutdown", None)
            self.tell("exit", None)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def initialize(self) -> None:
        params = {
            "processId": None,
            "rootUri": None,
            "capabilities": {},
            "initializationOptions": self._options,
        }
        self.ask("initialize", params)

    def open(self, document: Document) -> None:
        item = {"uri": uri(document), "languageId": "python", "version": 1, "text": document.text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def complete(self, document: Document, line: int, column: int, trigger: int) -> list[Any]:
        answer = self.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri(document)},
                "position": {"line": line, "character": column},
                "context": {"triggerKind": trigger},
            },
        )
        items: list[Any] = answer["items"] if isinstance(answer, dict) else answer or []
        return items

    def ask(self, method: str, params: Any) -> Any:
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        watchdog = threading.Timer(_LIMIT, self.process.kill)
        watchdog.start()
        try:
            while True:
                message = self._receive()
                if "method" in message:
                    if "id" in message:
                        self._send({"id": message["id"], "result": None})
                elif message.get("id") == self._id:
                    if "error" in message:
                        raise LintSeqError(f"{method}: {message['error'].get('message')}")
                    return message["result"]
        finally:
            watchdog.cancel()

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise LintSeqError("the server ended or did not answer")
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


def uri(document: Document) -> str:
    return f"file://{document.path}"


def start(plan: Plan) -> Results:
    """A new process: the time to its `initialize` response, and to the first suggestion."""
    with _Server(plan) as server:  # also warms the system's file cache, as any earlier start had
        document, line, column, _ = _answered(server)
    initialized, suggested = [], []
    for _ in range(plan.times(9, 2)):
        begun = time.perf_counter()
        with _Server(plan) as server:
            server.initialize()
            initialized.append(time.perf_counter() - begun)
            server.tell("initialized", {})
            server.open(document)
            items = server.complete(document, line, column, _AUTOMATIC)
            suggested.append(time.perf_counter() - begun)
        if not items:
            raise LintSeqError("a place that had a suggestion has none in a new process")
    yield Result("start to the initialize response", "s", tuple(initialized), (Target("p50", 0.5),))
    note = f"{len(document.lines)} lines, files in the system's cache"
    yield Result("start to the first suggestion", "s", tuple(suggested), (Target("p50", 1.5),), note)


def cached(plan: Plan) -> Results:
    """A suggestion that is known already, from the request to its answer over standard streams."""
    with _Server(plan) as server:
        document, line, column, _ = _answered(server)
        times = []
        for _ in range(plan.times(300, 20)):
            begun = time.perf_counter()
            if not server.complete(document, line, column, _AUTOMATIC):
                raise LintSeqError("a suggestion was not found again")
            times.append((time.perf_counter() - begun) * 1000)
    yield Result("cached suggestion, over stdio", "ms", tuple(times), (Target("p50", 10),))


def memory(plan: Plan) -> Results:
    """Resident memory of server and linter worker together, while lines are typed anew in many files."""
    wanted = plan.times(plan.suggestions, min(plan.suggestions, 60))
    every = max(1, wanted // _SAMPLES)
    suggestions: list[int] = []
    samples: list[tuple[float, ...]] = []
    asked = count = 0
    with _Server(plan, candidates=1) as server:
        server.initialize()
        server.tell("initialized", {})
        for document, line, column in _edits(server):
            asked += 1
            if asked > 5 * wanted:
                raise LintSeqError(f"{asked} requests had no more than {count} answers")
            count += bool(server.complete(document, line, column, _INVOKED))
            if asked % every == 0:
                suggestions.append(count)
                samples.append(_resident(server.process.pid))
            if count >= wanted:
                break
    together = [sum(sample) for sample in samples]
    both = " and ".join(f"{value:.0f}" for value in samples[-1])
    note = f"{asked} requests, {wanted} suggestions; server and worker at the end: {both} MB"
    yield Result("server and worker, resident", "MB", tuple(together), (Target("max", 450),), note)
    yield growth(suggestions, together)


def growth(suggestions: Sequence[int], megabytes: Sequence[float]) -> Result:
    """The slope of memory over the second half, by how many suggestions there had been at each sample.

    Of a short run there is none: modules that are read for the first time, and places that are kept, are
    no growth, and would be taken for hundreds of megabytes.
    """
    name, unit, half = "growth of both", "MB per 1,000 suggestions", len(suggestions) // 2
    if not suggestions or suggestions[-1] - suggestions[half] < _SETTLED:
        return Result(name, unit, note=f"not measured by fewer than {2 * _SETTLED} suggestions")
    slope = np.polyfit(suggestions[half:], megabytes[half:], 1)[0] * 1000
    note = "over the second half; flat is about 1 % of 450 MB"
    return Result(name, unit, (float(slope),), (Target("p50", 5.0),), note)


def _answered(server: _Server) -> tuple[Document, int, int, list[Any]]:
    """A place in a 200-line file for which the model has an answer; the server has it open then."""
    server.initialize()
    server.tell("initialized", {})
    for document, line, column in _places(texts(200)):
        server.open(document)
        if items := server.complete(document, line, column, _AUTOMATIC):
            return document, line, column, items
    raise LintSeqError("the model has no suggestion for any place")


def _places(documents: Sequence[Document]) -> Iterator[tuple[Document, int, int]]:
    """Files in which one line is half typed."""
    for document in documents:
        for line in statements(document):
            text = document.lines[line]
            column = (len(text) + len(text) - len(text.lstrip())) // 2
            start = document.starts[line]
            changed = document.text[: start + column] + document.text[start + len(text) :]
            yield Document(changed, 1, document.path.replace("cut_", f"line{line}_")), line, column


def _edits(server: _Server) -> Iterator[tuple[Document, int, int]]:
    """Random lines of one file after the other, cut off somewhere, told to the server as it is with typing.

    What is typed over was declined and does not come again, so each file is soon left for a new one.
    """
    choice = random.Random(0)
    documents = texts(200)
    for number in itertools.count():
        text = documents[number % len(documents)]
        document = Document(text.text, 1, text.path.replace("cut_", f"file{number}_"))
        server.open(document)
        places = statements(document)
        for version in range(2, 2 + _EDITS):
            line = choice.choice(places)
            whole = document.lines[line]
            column = choice.randrange(len(whole) - len(whole.lstrip()), len(whole))
            begin = document.starts[line]
            changed = document.text[: begin + column] + document.text[begin + len(whole) :]
            server.tell(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": uri(document), "version": version},
                    "contentChanges": [{"text": changed}],
                },
            )
            yield document, line, column
        server.tell("textDocument/didClose", {"textDocument": {"uri": uri(document)}})


def _resident(process: int) -> tuple[float, ...]:
    """Megabytes of the process and of each of its children."""
    root = psutil.Process(process)
    sizes = []
    for member in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(member.memory_info().rss / _MB)
    return tuple(sizes)
