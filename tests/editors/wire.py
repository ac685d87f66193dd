"""What went over the wire, as tap.py wrote it down, and what the server makes of it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import converters, types

from lintseq_lsp.lsp.convert import Encoding
from lintseq_lsp.lsp.documents import Documents

BIN = Path(sys.executable).parent
SERVER = [str(BIN / "lintseq-lsp"), "--stdio"]
PATIENT = [sys.executable, str(Path(__file__).parent / "patient_server.py"), "--stdio"]
TAP = Path(__file__).parent / "tap.py"


@dataclass(frozen=True, slots=True)
class Wire:
    """One log. A server that was started anew goes on with it."""

    log: Path
    server: Sequence[str] = tuple(SERVER)

    @property
    def command(self) -> list[str]:
        """What an editor is to start."""
        return [sys.executable, str(TAP), str(self.log), *self.server]

    def entries(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        lines = self.log.read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]  # behind the last line end one may be half-written

    def sent(self, method: str) -> list[Any]:
        """Parameters of what the client sent."""
        return self._parameters("client", method)

    def received(self, method: str) -> list[Any]:
        """Parameters of what the server sent."""
        return self._parameters("server", method)

    def results(self, method: str) -> list[Any]:
        """Whole responses to the client's requests of that method, oldest first."""
        asked: dict[Any, str] = {}
        found = []
        for entry in self.entries():
            message = entry.get("message", {})
            if entry.get("from") == "client" and "method" in message and "id" in message:
                asked[message["id"]] = message["method"]
            elif entry.get("from") == "server" and "method" not in message:
                found += [message] if asked.get(message.get("id")) == method else []
        return found

    def servers(self) -> list[int]:
        """Process ids of the servers that were started, oldest first."""
        return [entry["pid"] for entry in self.entries() if "pid" in entry]

    def belief(self, of: Path | str) -> str | None:
        """What the server holds of a file or a URI: its own document store, fed with what it was sent."""
        documents, read = Documents(), converters.get_converter().structure
        for entry in self.entries():
            if "pid" in entry:
                documents = Documents()
                continue
            message = entry["message"]
            if entry["from"] == "server" and "capabilities" in (message.get("result") or {}):
                documents.encoding = Encoding(message["result"]["capabilities"]["positionEncoding"])
            match message.get("method"):
                case "textDocument/didOpen":
                    documents.open(read(message["params"], types.DidOpenTextDocumentParams).text_document)
                case "textDocument/didChange":
                    change = read(message["params"], types.DidChangeTextDocumentParams)
                    documents.change(change.text_document, change.content_changes)
                case "textDocument/didClose":
                    documents.close(message["params"]["textDocument"]["uri"])
                case "notebookDocument/didOpen":
                    documents.open_notebook(read(message["params"], types.DidOpenNotebookDocumentParams))
                case "notebookDocument/didChange":
                    documents.change_notebook(read(message["params"], types.DidChangeNotebookDocumentParams))
        document = documents.document(of.as_uri() if isinstance(of, Path) else of)
        return document.text if document else None

    def _parameters(self, side: str, method: str) -> list[Any]:
        messages = [entry["message"] for entry in self.entries() if entry.get("from") == side]
        return [message.get("params") for message in messages if message.get("method") == method]


def new_findings(folder: Path, before: str, after: str) -> list[str]:
    """What the gate says against `after` that it does not say against `before`."""
    old, new = folder / "before.py", folder / "after.py"
    old.write_text(before, "utf-8", newline="")
    new.write_text(after, "utf-8", newline="")
    command = [str(BIN / "lintseq-lsp"), "check", str(new), "--against", str(old), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    verdict = json.loads(result.stdout)
    if verdict["verdict"] == "accepted":
        assert result.returncode == 0
        return []
    return [f"{entry['code']} {entry['message']}" for entry in verdict["findings"]] or [verdict["reason"]]
