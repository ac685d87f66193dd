"""A raw JSON-RPC client over a server process, for end-to-end tests and driver scripts.

It knows nothing of the server's code. Every message in both directions is kept, and everything on
the server's standard output that is not a frame is an error.
"""

import itertools
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

TIMEOUT = 60.0


class ResponseError(Exception):
    """The server answered a request with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Client:
    """One server process. `answers` has a function of the parameters for what the server may ask for."""

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            command or [sys.executable, "-m", "lintseq_lsp", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
        )
        self.received: list[Json] = []
        self.answered: list[str] = []  # methods of the server's requests
        self.sent: dict[int, str] = {}  # methods of requests by id
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.stderr = b""
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._impure: str | None = None
        self._ended = False
        self._calls: queue.Queue[Json | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._read, self._read_stderr, self._answer_calls)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.process.poll() is None:
            self.shutdown()
        else:
            self.process.kill()
            self._finish()
        if kind is None:
            assert self._impure is None, self._impure

    # The life of a server

    def initialize(
        self,
        options: Any = None,
        *,
        capabilities: Json | None = None,
        encodings: Sequence[str] | None = None,
        folder: Path | None = None,
        process: int | None = None,
    ) -> Json:
        """Shakes hands, and returns the server's capabilities."""
        offered: Json = dict(capabilities or {})
        if encodings is not None:
            offered["general"] = {"positionEncodings": list(encodings)}
        params = {
            "processId": process,
            "rootUri": folder.as_uri() if folder else None,
            "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}] if folder else None,
            "capabilities": offered,
            "initializationOptions": options,
        }
        result = self.ask("initialize", params)
        self.tell("initialized", {})
        capabilities = result["capabilities"]
        assert isinstance(capabilities, dict)
        return capabilities

    def shutdown(self) -> int:
        """Ends the server in the orderly way; its exit status."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        return self._finish()

    def _finish(self) -> int:
        status = self.process.wait(TIMEOUT)
        for thread in self._threads[:2]:
            thread.join(TIMEOUT)
        self._calls.put(None)
        self._threads[2].join(TIMEOUT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return status

    # Messages

    def ask(self, method: str, params: Any) -> Any:
        """Sends a request and waits for its result."""
        return self.result(self.begin(method, params))

    def begin(self, method: str, params: Any) -> int:
        """Sends a request; its id."""
        number = next(self._ids)
        self.sent[number] = method
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def result(self, number: int) -> Any:
        """The result of the request with that id. Raises `ResponseError`."""
        response = self.wait(lambda message: message.get("id") == number and "method" not in message)
        if "error" in response:
            raise ResponseError(response["error"]["code"], response["error"]["message"])
        return response["result"]

    def cancel(self, number: int) -> None:
        self.tell("$/cancelRequest", {"id": number})

    def tell(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def wait_for(self, method: str, matches: Callable[[Any], bool] = lambda _: True) -> Any:
        """Parameters of the first message of the server with that method."""
        message = self.wait(lambda entry: entry.get("method") == method and matches(entry.get("params")))
        return message["params"]

    def all_of(self, method: str) -> list[Any]:
        """Parameters of all messages so far with that method."""
        with self._changed:
            return [entry.get("params") for entry in self.received if entry.get("method") == method]

    def responses(self, number: int) -> list[Json]:
        with self._changed:
            return [entry for entry in self.received if entry.get("id") == number and "method" not in entry]

    def wait(self, matches: Callable[[Json], bool]) -> Json:
        """The first received message that `matches`, as soon as it is there."""
        seen = 0
        with self._changed:
            while True:
                for message in self.received[seen:]:
                    seen += 1
                    if matches(message):
                        return message
                assert self._impure is None, self._impure
                assert not self._ended, f"the server ended: {self.stderr.decode(errors='replace')}"
                assert self._changed.wait(TIMEOUT), (
                    f"no answer; stderr: {self.stderr.decode(errors='replace')}"
                )

    def send(self, message: Json) -> None:
        self.send_raw(json.dumps(message).encode())

    def send_raw(self, body: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    # Documents

    def open(self, uri: str, text: str, *, language: str = "python", version: int = 1) -> None:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: Json) -> None:
        self.tell(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )

    # In threads of their own

    def _read(self) -> None:
        assert self.process.stdout is not None
        stream = self.process.stdout
        while line := stream.readline():
            name, _, value = line.partition(b":")
            if name != b"Content-Length" or stream.readline() != b"\r\n":
                self._note(impure=f"standard output has something else: {line!r}")
                break
            message = json.loads(stream.read(int(value)))
            self._note(message)
            if "method" in message and "id" in message:
                self._calls.put(message)
        self._note(ended=True)

    def _note(self, message: Json | None = None, *, impure: str | None = None, ended: bool = False) -> None:
        with self._changed:
            if message is not None:
                self.received.append(message)
            self._impure = self._impure or impure
            self._ended = self._ended or ended
            self._changed.notify_all()

    def _answer_calls(self) -> None:
        while (call := self._calls.get()) is not None:
            answer = self.answers.get(call["method"])
            reply: Json = {"jsonrpc": "2.0", "id": call["id"]}
            if answer is None:
                reply["error"] = {"code": -32601, "message": "unknown method"}
            else:
                reply["result"] = answer(call["params"])
            try:
                self.send(reply)
            except (BrokenPipeError, ValueError):
                return
            self.answered.append(call["method"])

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line


def position(line: int, character: int) -> Json:
    return {"line": line, "character": character}


def span(line: int, start: int, end: int, *, last: int | None = None) -> Json:
    """A range on one line, or from `line` to line `last`."""
    return {"start": position(line, start), "end": position(line if last is None else last, end)}
