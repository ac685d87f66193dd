"""A stranger's check of the whole: drives `lintseq-lsp --stdio` and believes nothing it says.

    python tests/acceptance.py --inline 100 --next 50

Opens real files of the standard library and of installed packages, deletes a statement, types into
its place or asks for the next edit, in all three position encodings, applies what comes back by the
protocol's rules alone, and lets pylint, run in a process of its own on a file of its own, compare
each state with the text before. Knows nothing of the package: not one import from it.
"""

import argparse
import ast
import difflib
import functools
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
PYLINT = ["--rcfile=/dev/null", "--disable=all", "--enable=E,F,W0311,W0231", "--generated-members=cv2.*"]


class Client:
    """JSON-RPC over the pipes of one server process."""

    def __init__(self, command: list[str], encoding: str, folder: Path) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = 0
        result = self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": folder.as_uri(),
                "capabilities": {"general": {"positionEncodings": [encoding]}},
                "initializationOptions": {"certainty": 0},  # states that the model doubts are judged, too
            },
        )
        self.encoding = result["capabilities"].get("positionEncoding", "utf-16")
        assert self.encoding == encoding, f"asked for {encoding}, got {self.encoding}"
        self.notify("initialized", {})

    def notify(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "id" in message:  # the server asks something: nothing is known here
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})

    def measured(self, method: str, params: Any) -> tuple[Any, float]:
        """The answer, and how many milliseconds it took."""
        began = time.perf_counter()
        answer = self.request(method, params)
        return answer, (time.perf_counter() - began) * 1000

    def close(self) -> None:
        self.request("shutdown", None)
        self.notify("exit", None)
        self.process.wait(timeout=20)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline().strip()) or not length:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            elif not line and self.process.poll() is not None:
                raise RuntimeError("the server is gone")
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


def units(text: str, encoding: str) -> int:
    """Length of `text` in the units of a position encoding."""
    if encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-8")) if encoding == "utf-8" else len(text.encode("utf-16-le")) // 2


def split(text: str) -> list[str]:
    """Lines with their ends, as the protocol has them."""
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def offset(text: str, position: dict[str, int], encoding: str) -> int:
    lines = split(text)
    line = lines[position["line"]]
    column = 0
    while units(line[:column], encoding) < position["character"]:
        column += 1
    return sum(map(len, lines[: position["line"]])) + column


def applied(text: str, edits: list[dict[str, Any]], encoding: str) -> str:
    """`text` with text edits, all in its own coordinates."""
    spans = sorted(
        (offset(text, e["range"]["start"], encoding), offset(text, e["range"]["end"], encoding), e["text"])
        for e in edits
    )
    for (_, end, _), (start, _, _) in itertools.pairwise(spans):
        assert end <= start, "edits overlap"
    for start, end, new in reversed(spans):
        text = text[:start] + new + text[end:]
    return text


@functools.cache
def findings(text: str, folder: Path) -> Counter[tuple[str, str]]:
    """What a new pylint process says of `text` in a file of its own.

    Line numbers inside of messages and "maybe ...?" hints are no part of a finding.
    """
    file = folder / "judged.py"
    file.write_bytes(text.encode("utf-8"))
    command = [sys.executable, "-m", "pylint", *PYLINT, "--output-format=json2", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    messages = json.loads(run.stdout)["messages"]
    return Counter(
        (m["symbol"], re.sub(r"\bline \d+|; maybe .*", "", m["message"], flags=re.DOTALL)) for m in messages
    )


def statements(text: str) -> list[tuple[int, int]]:
    """Line ranges [first, end) of simple statements on lines of their own, in functions."""
    found = []
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Assign | ast.Return | ast.Expr | ast.AugAssign) and node.end_lineno:
                    found.append((node.lineno - 1, node.end_lineno))
    return sorted(set(found))


def sources(rng: random.Random) -> list[Path]:
    folders = [Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["purelib"])]
    files = [
        file for folder in folders for file in sorted(folder.glob("*/*.py")) + sorted(folder.glob("*.py"))
    ]
    rng.shuffle(files)
    return files


@dataclass
class Results:
    """What was asked of the server, and what became of it: by kind, "inline" or "next"."""

    wanted: dict[str, int]
    folder: Path
    asked: Counter[str] = field(default_factory=Counter)
    got: Counter[str] = field(default_factory=Counter)
    milliseconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bad: list[str] = field(default_factory=list)

    def wants(self, kind: str) -> bool:
        return self.got[kind] < self.wanted[kind]

    @property
    def is_complete(self) -> bool:
        return not any(map(self.wants, self.wanted))

    def note(self, kind: str, milliseconds: float) -> None:
        self.asked[kind] += 1
        self.milliseconds[kind].append(milliseconds)

    def judge(self, kind: str, before: str, after: str) -> None:
        """One more state that was offered."""
        self.got[kind] += 1
        new = findings(after, self.folder) - findings(before, self.folder)
        if new:
            difference = "".join(difflib.unified_diff(split(before), split(after), n=1))
            self.bad.append(f"{kind}: {dict(new)}\n{difference}")

    def show(self) -> None:
        for kind in self.wanted:
            times = self.milliseconds[kind] or [0.0]
            print(
                f"{kind}: {self.got[kind]} answers of {self.asked[kind]} requests, "
                f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms"
            )
        print(f"states with a finding that the text before did not have: {len(self.bad)}")
        for line in self.bad:
            print("  " + line)


class Open:
    """A document that is open in the server."""

    def __init__(self, client: Client, uri: str, text: str) -> None:
        self.client, self.uri, self.text, self.version = client, uri, text, 1
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, line: int, column: int, text: str) -> int:
        """Inserts it character by character, as an editor reports it; the column behind it, in units."""
        for character in text:
            position = {"line": line, "character": column}
            edit = {"range": {"start": position, "end": position}, "text": character}
            self._change(edit, applied(self.text, [edit], self.client.encoding))
            column += units(character, self.client.encoding)
        return column

    def become(self, text: str) -> None:
        self._change({"text": text}, text)

    def _change(self, change: dict[str, Any], text: str) -> None:
        self.version, self.text = self.version + 1, text
        self.client.notify("textDocument/didChange", {"textDocument": self.name, "contentChanges": [change]})

    @property
    def name(self) -> dict[str, Any]:
        return {"uri": self.uri, "version": self.version}

    def close(self) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inline", type=int, default=100, help="non-empty inline answers to collect")
    parser.add_argument("--next", type=int, default=50, help="next edits to collect")
    parser.add_argument("--seconds", type=int, default=1500, help="bound on the whole run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", default=f"{sys.executable} -m lintseq_lsp --stdio")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    deadline = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = Results({"inline": options.inline, "next": options.next}, folder)
        clients = {encoding: Client(options.server.split(), encoding, folder) for encoding in ENCODINGS}
        for number, file in enumerate(sources(rng)):
            if results.is_complete or time.monotonic() > deadline:
                break
            try:
                text = file.read_bytes().decode("utf-8")
                places = statements(text)
            except (UnicodeDecodeError, SyntaxError):
                continue
            if not places or not 20 <= text.count("\n") <= 600:
                continue
            client = clients[ENCODINGS[number % 3]]
            # A line that is longer in some encodings than in others stands above the place, and on it.
            text = "# žluťoučký 🐍 \u2028 kůň\n" + text
            places = [(first + 1, end + 1) for first, end in places]
            for place in rng.sample(places, min(3, len(places))):
                try_place(client, text, place, rng, results)
        for client in clients.values():
            client.close()
    print(f"{sys.version.split()[0]}, seed {options.seed}, encodings {', '.join(ENCODINGS)}")
    results.show()
    sys.exit(1 if results.bad or not results.is_complete else 0)


def try_place(
    client: Client, text: str, place: tuple[int, int], rng: random.Random, results: Results
) -> None:
    """The statement on the lines [first, end) goes; the server is asked for what may stand there."""
    first, end = place
    lines = split(text)
    uri = (results.folder / f"open{rng.randrange(10**9)}.py").as_uri()
    removed = lines[first]
    indent = removed[: len(removed) - len(removed.lstrip())]
    newline = "\r\n" if removed.endswith("\r\n") else "\n"
    typed = removed.strip()[: rng.choice([0, 0, 2, 5, 9])]
    without = "".join(lines[:first] + lines[end:])
    blank = "".join([*lines[:first], indent + newline, *lines[end:]])
    # An empty block is no Python, so pylint says nothing else of it: `pass` shows what there was before.
    known = "".join([*lines[:first], indent + "pass" + newline, *lines[end:]])
    document = Open(client, uri, blank)
    if results.wants("inline"):
        column = document.type(first, units(indent, client.encoding), typed)
        answer, milliseconds = client.measured(
            "textDocument/inlineCompletion",
            {
                "textDocument": document.name,
                "position": {"line": first, "character": column},
                "context": {"triggerKind": 1},
            },
        )
        results.note("inline", milliseconds)
        for item in answer["items"][:1]:
            assert item["range"]["start"]["line"] == item["range"]["end"]["line"] == first
            edit = {"range": item["range"], "text": item["insertText"]}
            results.judge("inline", known, applied(document.text, [edit], client.encoding))
    document.become(without)
    if results.wants("next"):
        answer, milliseconds = client.measured(
            "textDocument/copilotInlineEdit",
            {"textDocument": document.name, "position": {"line": first, "character": 0}},
        )
        results.note("next", milliseconds)
        edits = answer["edits"]
        for count in range(1, len(edits) + 1):
            results.judge("next", without, applied(without, edits[:count], client.encoding))
    document.close()


if __name__ == "__main__":
    main()
