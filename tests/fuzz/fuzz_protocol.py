"""Sessions of a client that sends anything, with a real server process whose engine says what text it has.

Right is: every request that must be answered has exactly one response, and nothing else has one; the server's
text, and where it takes a position to be, are what this file's own code says, in each position encoding; on
standard output there is the protocol alone, and on standard error nothing of a text; the server ends when it
must, with the right status.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from fuzz_frame import Case, Fuzz, Result
from fuzz_server import digest
from lsp_client import Client, Json, position

SERVER = [sys.executable, str(Path(__file__).with_name("fuzz_server.py")), "--stdio"]
MESSAGES = 300
"""In one session, and some at its beginning and end."""
LIMIT = 60.0
SECRET = "qwSECRETwq"

DOCUMENTS = ["file:///w/a.py", "file:///w/b%20c.py", "file:///w/ü.py", "untitled:Untitled-1"]
ELSEWHERE = [
    "file:///w/.env",
    "https://x/y.py",
    "git:/w/a.py",
    "",
    "no uri",
    "file://host/a.py",
    "file:///%00",
    "\ud800",
]
NOTEBOOK, CELLS = "file:///w/n.ipynb", [f"vscode-notebook-cell:/w/n.ipynb#c{number}" for number in range(3)]
TEXTS = [
    f"# {SECRET}\nimport os\n\n\ndef f(a):\n    x = a +\n",
    f"x = '{SECRET} 😀😀é'\r\ny = '😀'\r\ndef h(): ...\r\n",
    f"# block\n# {SECRET}\n# next: 1 x = 1\n# step: y = 1\n# Do it\n",
    f"# offer: pass\n# {SECRET}\n# step: y = 1\n# bad step\ndef g():\n    pass\n",
    *(
        "",
        "\n",
        "\ufeffx = 1\n",
        "s = '\ud83d'\n",
        "a\rb\r\nc\r",
        "x = 1\f\ny\x0b = '\u2028'\n",
        "(" * 300,
        "# crash\n",
    ),
]
SNIPPETS = [
    "",
    "x",
    "\n",
    "\r\n",
    "\r",
    "😀",
    "é",
    "    return a\n",
    "#",
    '"""',
    "\ud83d",
    "\ude00",
    "\u2028",
    "(",
    "a\nb",
]
ODD: list[Any] = [
    *(None, True, 0, -1, 2**31, 2**64, 10**30, 1.5, float("nan"), float("inf"), -(2**63), 1e308),
    *("", "x", "1", [], {}, [1], {"a": 1}, "\ud800", [[]], {"uri": 1}, {"line": 0}),
]
NO_MESSAGES = [
    *(
        "[]",
        "[1,2]",
        "null",
        "1",
        '"x"',
        "{",
        "\xff\xfe",
        '{"jsonrpc":"2.0"}',
        '{"id":1.5,"method":"x"}',
        "nul",
    ),
    *(
        '{"id":[],"method":"lintseq/explain"}',
        '{"method":5,"params":{}}',
        "{}{}",
        "[" * 50_000,
        '{"a":' * 2000 + "1",
    ),
]
SETTINGS: list[Json] = [
    *(
        {},
        {"maxLines": 3},
        {"debounce": 50},
        {"completionItems": True},
        {"certainty": 0.5},
        {"nextEdit": False},
    ),
    *({"enabled": False}, {"tries": "x"}, {"ignore": ["["]}, {"ignore": 3}, {"nope": 1}, {"maxLines": 2**70}),
]


# Cases


class Session:
    """Draws the messages of one session. `texts` are those that the server must have by now.

    None stands for a text that the server may have or not, False for one that it must leave alone.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.encoding = random.choice(["utf-8", "utf-16", "utf-32"])
        self.texts: dict[str, str | bool | None] = {}
        self.steps: list[Json] = []
        self._version = 0
        self._id = 1  # of the request `initialize`

    def draw(self, messages: int) -> Case:
        pick, random = self.random.choice, self.random
        for uri in DOCUMENTS:
            self._open(uri, pick(TEXTS))
        while len(self.steps) < messages:
            kind = random.choices(
                ["change", "open", "ask", "known", "request", "notify", "cancel", "response", "raw"],
                [35, 3, 6, 4, 25, 10, 8, 2, 4],
            )[0]
            getattr(self, f"_{kind}")(*([pick(DOCUMENTS)] if kind in ("change", "open", "ask") else []))
        self._notify("workspace/didChangeConfiguration", {"settings": {"lintseq": {}}})
        return {"encoding": self.encoding, "steps": self.steps, "texts": self.texts, "end": pick(list(ENDS))}

    # What changes documents

    def _open(self, uri: str, text: str | None = None) -> None:
        text = self.random.choice(TEXTS) if text is None else text
        self._version += 1
        item = {"uri": uri, "languageId": "python", "version": self._version, "text": text}
        if self.random.random() < 0.1:
            self._say("textDocument/didClose", {"textDocument": {"uri": uri}})
        self._say("textDocument/didOpen", {"textDocument": item})
        self.texts[uri] = text

    def _change(self, uri: str) -> None:
        random = self.random
        text = self.texts[uri]
        changes: list[Json] = []
        for _ in range(random.choice([0, 1, 1, 1, 2, 5])):
            if random.random() < 0.06:
                text = random.choice(TEXTS)
                changes.append({"text": text})
                continue
            where, new = self._range(), random.choice(SNIPPETS)
            changes.append({"range": where, "text": new})
            if isinstance(text, str):
                start = offset_of(text, where["start"], self.encoding)
                end = offset_of(text, where["end"], self.encoding)
                text = text[:start] + new + text[max(start, end) :]
        damage = random.random()
        if changes and damage < 0.03:
            changes[-1] = {"range": "nowhere", "text": "x"}
            text = False
        elif changes and damage < 0.06:
            changes = damaged(random, changes)
            text = None
        self._version += 1
        version = self._version if random.random() < 0.9 else random.choice([0, -5, 10**9])
        name = {"uri": uri, "version": version}
        self._say("textDocument/didChange", {"textDocument": name, "contentChanges": changes})
        self.texts[uri] = text

    def _notify(self, method: str | None = None, params: Any = None) -> None:
        random = self.random
        if method is None:
            method, params = random.choice(self._notifications())
            if random.random() < 0.2:
                params = damaged(random, params)
                if method.endswith("/didChange"):  # of what, is perhaps not known
                    self.texts = dict.fromkeys(self.texts)
        self._say(method, params)

    def _notifications(self) -> list[tuple[str, Any]]:
        random = self.random
        accept = {
            "item": {"command": {"command": "lintseq.accept", "arguments": [random.choice(["s1", "s9", 5])]}}
        }
        cells = [{"kind": random.choice([1, 2]), "document": cell} for cell in CELLS]
        items = [
            {"uri": cell, "languageId": "python", "version": 1, "text": "x = 1\n%ls\n"} for cell in CELLS
        ]
        content = [
            {"document": {"uri": CELLS[1], "version": 2}, "changes": [{"range": self._range(), "text": "y"}]}
        ]
        array = {
            "start": random.choice([0, 1, 9]),
            "deleteCount": random.choice([0, 1, 9]),
            "cells": cells[:1],
        }
        return [
            ("textDocument/didSave", {"textDocument": {"uri": random.choice(DOCUMENTS)}}),
            (
                "textDocument/didChange",
                {"textDocument": {"uri": "file:///closed.py", "version": 1}, "contentChanges": []},
            ),
            ("textDocument/didClose", {"textDocument": {"uri": random.choice(ELSEWHERE)}}),
            (
                "notebookDocument/didOpen",
                {
                    "notebookDocument": {"uri": NOTEBOOK, "notebookType": "j", "version": 1, "cells": cells},
                    "cellTextDocuments": items,
                },
            ),
            (
                "notebookDocument/didChange",
                {
                    "notebookDocument": {"uri": NOTEBOOK, "version": 2},
                    "change": {"cells": {"structure": {"array": array}, "textContent": content}},
                },
            ),
            (
                "notebookDocument/didClose",
                {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": [{"uri": CELLS[0]}]},
            ),
            ("workspace/didChangeConfiguration", {"settings": {"lintseq": random.choice(SETTINGS)}}),
            ("workspace/didChangeConfiguration", {"settings": random.choice(ODD)}),
            ("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": []}}),
            ("textDocument/didShowCompletion", accept),
            ("lintseq/didReject", accept),
            ("window/workDoneProgress/cancel", {"token": random.choice(["w", 2, "zz"])}),
            ("$/setTrace", {"value": "verbose"}),
            ("initialized", {}),
            ("no/such", random.choice(ODD)),
            ("textDocument/inlineCompletion", {}),
        ]

    # What is asked

    def _ask(self, uri: str) -> None:
        """By hand: the answer, when there is one, says what text the server has."""
        text = self.texts[uri]
        where = self._position()
        step = self._request("textDocument/inlineCompletion", by_hand(uri, where), whole=True)
        if isinstance(text, str):
            step["digest"] = digest(text, offset_of(text, where, self.encoding))

    def _known(self) -> None:
        self._request(
            "lintseq/explain", {"textDocument": {"uri": self.random.choice([*DOCUMENTS, *ELSEWHERE])}}
        )

    def _request(self, method: str | None = None, params: Any = None, *, whole: bool = False) -> Json:
        random = self.random
        if method is None:
            method, params = random.choice(self._requests())
        if not whole and random.random() < 0.25:
            params = damaged(random, params)
        self._id += 1
        number: Any = self._id
        if not whole and random.random() < 0.05:
            number = random.choice([0, -7, "s", "", "é", 2**40, "twice", "twice"])
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.steps.append({"send": message})
        step = self.steps[-1]
        if not whole and random.random() < 0.2:
            self._say("$/cancelRequest", {"id": number})
        return step

    def _requests(self) -> list[tuple[str, Any]]:
        random = self.random
        uri = random.choice([*DOCUMENTS, *DOCUMENTS, *CELLS, *ELSEWHERE])
        document: Json = {"textDocument": {"uri": uri}}
        if random.random() < 0.2:
            document["textDocument"]["version"] = random.choice([1, None, 99])
        here = {**document, "position": self._position()}
        action = {
            "kind": random.choice(["implement", "continue", "rewrite", "fix", "no"]),
            "firstLine": 1,
            "lastLine": 3,
        }
        diagnostic = {
            "range": self._range(),
            "message": random.choice(["Undefined variable 'x'", ""]),
            "code": "E0602",
        }
        edit = {
            **document,
            "instruction": "Do.",
            "workDoneToken": random.choice(["w", 2]),
            "partialResultToken": "p",
        }
        selected = {"range": self._range(), "text": "self.x"}
        return [
            ("textDocument/inlineCompletion", {**here, "context": {"triggerKind": 2}}),
            (
                "textDocument/inlineCompletion",
                {**here, "context": {"triggerKind": 2, "selectedCompletionInfo": selected}},
            ),
            ("textDocument/copilotInlineEdit", {**here, "context": {"triggerKind": random.choice([1, 2])}}),
            ("textDocument/completion", here),
            (
                "textDocument/codeAction",
                {**document, "range": self._range(), "context": {"diagnostics": [diagnostic]}},
            ),
            (
                "codeAction/resolve",
                {"title": "x", "data": {"uri": uri, "actions": [action], "version": None}},
            ),
            ("workspace/executeCommand", {"command": "lintseq.accept", "arguments": ["s1"]}),
            ("workspace/executeCommand", {"command": "lintseq.edit", "arguments": [edit]}),
            ("workspace/executeCommand", {"command": "rm", "arguments": None}),
            ("lintseq/edit", edit),
            (
                random.choice(["no/such", "$/optional", "initialize", "textDocument/hover", "", "exit2"]),
                random.choice(ODD),
            ),
        ]

    def _cancel(self) -> None:
        number = self.random.randint(1, self._id + 3)
        self._say(
            "$/cancelRequest",
            self.random.choice([{"id": number}, {"id": number}, {"id": "no"}, {}, None, {"id": [1]}]),
        )

    def _response(self) -> None:
        """One that nobody waits for."""
        random = self.random
        answer = random.choice(
            [{"result": None}, {"error": {"code": 1, "message": SECRET}}, {"error": "x"}, {}]
        )
        self.steps.append(
            {"send": {"jsonrpc": "2.0", "id": random.choice([1, "x", None, self._id]), **answer}}
        )

    def _raw(self) -> None:
        self.steps.append({"raw": self.random.choice(NO_MESSAGES)})

    def _say(self, method: str, params: Any) -> None:
        self.steps.append({"send": {"jsonrpc": "2.0", "method": method, "params": params}})

    def _position(self) -> Json:
        numbers = [0, 0, 1, 2, 3, 5, 9, 40, 2**31 - 1]
        return position(self.random.choice(numbers), self.random.choice(numbers))

    def _range(self) -> Json:
        start, end = self._position(), self._position()
        if self.random.random() < 0.6:
            end = position(start["line"], min(start["character"] + self.random.randrange(4), 2**31 - 1))
        if self.random.random() < 0.9 and (end["line"], end["character"]) < (
            start["line"],
            start["character"],
        ):
            start, end = end, start
        return {"start": start, "end": end}


def make(random: Random) -> Case:
    return Session(random).draw(MESSAGES)


def damaged(random: Random, value: Any, depth: int = 0) -> Any:
    """The same with one of its parts taken out or replaced."""
    if depth < 5 and random.random() < 0.8:
        if isinstance(value, dict) and value:
            key = random.choice(list(value))
            if random.random() < 0.3:
                return {name: entry for name, entry in value.items() if name != key}
            return {**value, key: damaged(random, value[key], depth + 1)}
        if isinstance(value, list) and value:
            at = random.randrange(len(value))
            return [*value[:at], damaged(random, value[at], depth + 1), *value[at + 1 :]]
    return random.choice(ODD)


def by_hand(uri: str, where: Json) -> Json:
    return {"textDocument": {"uri": uri}, "position": where, "context": {"triggerKind": 1}}


# What is right


def offset_of(text: str, where: Json, encoding: str) -> int:
    """In code points: what is behind a line's end is its end, and inside of a character its beginning."""
    parts = re.split("(\r\n|\r|\n)", text)
    if where["line"] > len(parts) // 2:
        return len(text)
    line, left = parts[2 * where["line"]], where["character"]
    column = 0
    while column < len(line) and (left := left - units(line[column], encoding)) >= 0:
        column += 1
    return sum(map(len, parts[: 2 * where["line"]])) + column


def units(character: str, encoding: str) -> int:
    """Of a position's `character`."""
    name, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    return len(character.encode(name, "surrogatepass")) // width


# Trials


def check(cases: Sequence[Case]) -> Result:
    result = Result()
    for case in cases:
        result.count += len(case["steps"])
        if wrong := _wrong(case):
            result.wrong.append((case, "; ".join(wrong)))
    return result


def _wrong(case: Case) -> list[str]:
    client = Client(SERVER)
    try:
        client.initialize({"debounce": 0}, encodings=[case["encoding"]])
        wrong = _session(client, case)
    except (AssertionError, OSError) as error:
        wrong = [f"{type(error).__name__}: {str(error)[-2000:]}"]
    finally:
        client.process.kill()
        client.process.wait()
    logged = [line for line in client.stderr.splitlines() if not line.startswith(b"fake: ")]
    if SECRET.encode() in b"\n".join(logged):  # what the fake engine says is no log
        wrong.append("text in the log")
    if b"Task exception" in client.stderr or b"failed with" in client.stderr.replace(
        b"failed with ValueError", b""
    ):
        wrong.append(f"in the log: {client.stderr[-2000:].decode(errors='replace')}")
    return wrong


def _session(client: Client, case: Case) -> list[str]:
    asked = Counter({"1": 1})
    for step in case["steps"]:
        if "raw" in step:
            client.send_raw(step["raw"].encode("latin-1"))
            continue
        message = step["send"]
        if "id" in message and "method" in message:
            asked[json.dumps(message["id"])] += 1
        client.send(message)
    if case["end"] == "at once":
        return _ended(client, case["end"], asked)
    for number in asked:
        client.tell("$/cancelRequest", {"id": json.loads(number)})
    limit = time.monotonic() + LIMIT
    while asked - answered(client) and time.monotonic() < limit and client.process.poll() is None:
        time.sleep(0.01)
    wrong = [f"no response: {dict(asked - answered(client))}"] if asked - answered(client) else []
    wrong += [
        f"another text at {step['send']['id']}"
        for step in case["steps"]
        if "digest" in step and offered(client, step["send"]["id"]) not in ([], [step["digest"]])
    ]
    for number, (uri, text) in enumerate(case["texts"].items()):
        name = f"text {number}"
        asked[json.dumps(name)] += 1
        message = {
            "id": name,
            "method": "textDocument/inlineCompletion",
            "params": by_hand(uri, position(0, 0)),
        }
        client.send({"jsonrpc": "2.0", **message})
        client.wait(lambda entry, name=name: entry.get("id") == name and "method" not in entry)
        expected = [digest(text, 0)] if isinstance(text, str) else []
        if text is not None and offered(client, name) != expected:
            wrong.append(f"another text of {uri}: {offered(client, name)}, not {expected}")
    return wrong + _ended(client, case["end"], asked)


def _ended(client: Client, end: str, asked: Counter[str]) -> list[str]:
    """Ends the session, and looks at what came."""
    assert client.process.stdin is not None
    if end == "shutdown":
        asked['"end"'] += 1
        client.send({"jsonrpc": "2.0", "id": "end", "method": "shutdown"})
    if end in ("shutdown", "exit"):
        client.tell("exit", None)
    if end == "in a message":
        client.process.stdin.write(b'Content-Length: 500\r\n\r\n{"jso')
    with suppress(BrokenPipeError):
        client.process.stdin.close()
    try:
        status = client._finish()
    except subprocess.TimeoutExpired:
        return ["the server does not end"]
    wrong = [] if status == ENDS[end] else [f"exit status {status}"]
    if surplus := answered(client) - asked:
        wrong.append(f"responses too many: {dict(surplus)}")
    if end != "at once" and (missing := asked - answered(client)):
        wrong.append(f"no response: {dict(missing)}")
    return wrong


ENDS = {"shutdown": 0, "exit": 1, "end of input": 1, "in a message": 1, "at once": 1}
"""How a session ends, and with which exit status of the server."""


def answered(client: Client) -> Counter[str]:
    """How many responses each id has. Those without one are to what was no message."""
    ids = [message.get("id") for message in list(client.received) if "method" not in message]
    return Counter(json.dumps(number) for number in ids if number is not None)


def offered(client: Client, number: Any) -> list[str]:
    """The digests in the responses to a request: none where it was cancelled or superseded."""
    results = [
        message.get("result") or {"items": []}
        for message in list(client.received)
        if "method" not in message and message.get("id") == number
    ]
    texts = [item["insertText"] for result in results for item in result["items"]]
    return [text for text in texts if re.fullmatch(r"[0-9a-f]{16}:\d+", text)]


FUZZ = Fuzz("protocol", "messages", 1, make, check)
