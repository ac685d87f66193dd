"""What the server's tests share: requests, an editor that applies edits, and the fake engine's command."""

import sys
import threading
from pathlib import Path

from lsp_client import Client, position, span

FAKE = [sys.executable, "-m", "tests.lsp_fake"]
ROOT = Path(__file__).parent.parent
URI = "file:///project/a.py"
OTHER = "file:///project/b.py"
APPLIES = {
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}},
    },
}
RESOLVES = {
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
            "resolveSupport": {"properties": ["edit"]},
        }
    }
}


FUNCTION = '# resolve:     return 1\ndef f():\n    """One."""\n    pass\n\n# Print it\nprint(undefined)\n'


DIAGNOSTIC = {
    "range": span(6, 6, 15),
    "severity": 1,
    "code": "undefined-variable",
    "message": "Undefined variable 'undefined'",
}


STEPS = "# step: a = 1\n# bad step\n# step: b = 2\n"


def started(**options):
    client = Client(FAKE, cwd=ROOT)
    client.answers["window/workDoneProgress/create"] = lambda _: None
    client.initialize(**options)
    return client


def inline(uri, line, character, *, version=None, kind=2, selected=None):
    context = {"triggerKind": kind}
    if selected is not None:
        context["selectedCompletionInfo"] = selected
    document = {"uri": uri} if version is None else {"uri": uri, "version": version}
    return {"textDocument": document, "position": position(line, character), "context": context}


def ask_inline(client, *arguments, **options):
    return client.ask("textDocument/inlineCompletion", inline(*arguments, **options))["items"]


def explain(client, uri=URI):
    return client.ask("lintseq/explain", {"textDocument": {"uri": uri}})


def wait_for_log(client, text):
    """Until the fake engine has written a line: an event of the other process."""
    poll = threading.Event()
    for _ in range(6000):
        if f"fake: {text}".encode() in client.stderr:
            return
        poll.wait(0.01)
    raise AssertionError(client.stderr.decode())


def insert(line, character, text):
    return {"range": span(line, character, character), "text": text}


def apply_to(text, edits):
    """Text edits as an editor applies them; ASCII only."""
    lines = text.split("\n")

    def offset(place):
        return sum(len(line) + 1 for line in lines[: place["line"]]) + place["character"]

    for edit in sorted(edits, key=lambda entry: offset(entry["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


def next_edits(client, uri, line, **extra):
    params = {"textDocument": {"uri": uri, "version": 1}, "position": position(line, 0), **extra}
    return client.ask("textDocument/copilotInlineEdit", params)["edits"]


def actions(client, line, last=None, *, diagnostics=(), only=None):
    context = {"diagnostics": list(diagnostics)}
    if only is not None:
        context["only"] = only
    where = {
        "start": position(line, 0),
        "end": position(line if last is None else last, 0 if last is None else 1),
    }
    return client.ask(
        "textDocument/codeAction", {"textDocument": {"uri": URI}, "range": where, "context": context}
    )


class Editor:
    """Applies `workspace/applyEdit` as an editor does; `meanwhile` is a change of the user's."""

    def __init__(self, client, text):
        self.client, self.text, self.version = client, text, 1
        self.edits = []
        self.refuses_from = 99
        self.tells = self.tells_first = True
        self.applied = threading.Event()
        client.answers["workspace/applyEdit"] = self.apply

    def apply(self, params):
        (change,) = params["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": self.version}
        if len(self.edits) + 1 >= self.refuses_from:
            return {"applied": False}
        self.edits.append(params)
        for edit in change["edits"]:
            assert edit.pop("annotationId") in params["edit"]["changeAnnotations"]
        self.text = apply_to(self.text, change["edits"])
        self.version += 1
        self.changes = [{"range": edit["range"], "text": edit["newText"]} for edit in change["edits"]]
        if self.tells and self.tells_first:
            self.tell()
        elif self.tells:
            threading.Timer(0.05, self.tell).start()
        self.applied.set()
        return {"applied": True}

    def tell(self):
        self.client.change(URI, self.version, *self.changes)

    def run(self):
        argument = {"textDocument": {"uri": URI}, "instruction": "add two"}
        return self.client.begin(
            "workspace/executeCommand", {"command": "lintseq.edit", "arguments": [argument]}
        )
