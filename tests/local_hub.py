"""A server on this machine that speaks the Hub's paths, with a redirection of files as the real one has."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

REPOSITORY = "upiter/TinyCodeLM-150M-LintSeqInstruct"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What is served, what was asked, and how the next answers go wrong."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.card = {"license": "apache-2.0"}
        self.gated: bool | str = False
        self.redirection = "/cdn/"
        """Where files are, in place of the Hub's own paths."""
        self.asked: list[tuple[str, str | None]] = []
        self.authorised = False
        self.cuts: list[int] = []
        """Bodies of weights end after so many bytes, one after another."""
        self.broken = False
        """Weights are answered with 503."""
        self.damaged = False
        """Weights have a wrong byte in them."""
        self.answer: tuple[int, bytes, str] | None = None
        """Status, body and error code, in place of the listing."""

    def listing(self) -> bytes:
        siblings = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
            sibling: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": blob}
            if not name.endswith(".json"):
                digest = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
            siblings.append(sibling)
        listing = {"id": REPOSITORY, "sha": REVISION, "siblings": siblings}
        return json.dumps(listing | {"cardData": self.card, "gated": self.gated}).encode()

    def ranges(self, name: str) -> list[str | None]:
        return [wanted for path, wanted in self.asked if path == f"/cdn/{name}"]


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        hub = self.hub
        path, wanted = self.path.partition("?")[0], self.headers["Range"]
        hub.asked.append((path, wanted))
        hub.authorised |= "Authorization" in self.headers
        name = path.removeprefix("/cdn/").removeprefix(f"/{REPOSITORY}/resolve/{REVISION}/")
        if path == f"/api/models/{REPOSITORY}":
            status, body, code = hub.answer or (200, hub.listing(), "")
            self._answer(status, body, headers={"X-Error-Code": code} if code else {})
        elif path == f"/{REPOSITORY}/resolve/{REVISION}/{name}" and name in hub.files:
            self._answer(302, b"", headers={"Location": f"{hub.redirection}{name}"})
        elif path != f"/cdn/{name}" or name not in hub.files:
            self._answer(404, b"")
        else:
            data = hub.files[name]
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if name.endswith(".json"):
                self._answer(206 if wanted else 200, data[start:])
            elif hub.broken:
                self._answer(503, b"")
            else:
                if hub.damaged:
                    data = data[:-1] + bytes([data[-1] ^ 1])
                self._answer(206 if wanted else 200, data[start:], hub.cuts.pop(0) if hub.cuts else None)

    def _answer(
        self,
        status: int,
        body: bytes,
        cut: int | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        for header in headers.items():
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def serving(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """`HF_ENDPOINT` is a server that has the files of `folder`."""
    served = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": served}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    patch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
