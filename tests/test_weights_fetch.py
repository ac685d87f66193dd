"""`model pull` against a server on this machine that speaks the Hub's paths."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
from llama_oracle import loaded
from tiny_checkpoint import PUBLISHED, write_checkpoint
from typer.testing import CliRunner

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.weights import fetch, registry
from lintseq_lsp.weights.commands import app
from lintseq_lsp.weights.gguf_header import Type, verify

pytest_plugins = ["model_places"]
pytestmark = pytest.mark.usefixtures("places")

NAME = "tinycodelm-150m-lintseq"
REPOSITORY = "upiter/TinyCodeLM-150M-LintSeqInstruct"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What is served, what was asked, and how the next answers go wrong."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.asked: list[tuple[str, str | None]] = []
        self.authorised = False
        self.cuts: list[int] = []
        """Bodies of weights end after so many bytes, one after another."""
        self.broken = False
        """Weights are answered with 503."""
        self.damaged = False
        """Weights have a wrong byte in them."""

    def listing(self) -> bytes:
        siblings = []
        for name, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
            sibling: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": blob}
            if not name.endswith(".json"):
                digest = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(data), "pointerSize": 134}
            siblings.append(sibling)
        card = {"license": "apache-2.0"}
        return json.dumps(
            {"id": REPOSITORY, "sha": REVISION, "siblings": siblings, "cardData": card}
        ).encode()

    def ranges(self, name: str) -> list[str | None]:
        return [wanted for path, wanted in self.asked if path.endswith(f"/resolve/{REVISION}/{name}")]


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        hub = self.hub
        path, wanted = self.path.partition("?")[0], self.headers["Range"]
        hub.asked.append((path, wanted))
        hub.authorised |= "Authorization" in self.headers
        name = path.rpartition("/")[2]
        if path == f"/api/models/{REPOSITORY}":
            self._answer(200, hub.listing())
        elif path != f"/{REPOSITORY}/resolve/{REVISION}/{name}" or name not in hub.files:
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

    def _answer(self, status: int, body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("published") / "checkpoint", PUBLISHED, dtype="F16")


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    served = Hub(checkpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": served}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)  # before a retry
    # what an unfinished chunk held is lost; 10 MB in earnest, too much for a test
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def pull(kind: Type = Type.Q8_0) -> registry.ModelFile:
    return fetch.pull(NAME, kind=kind, announce=lambda _: None)


def test_pull_converts_verifies_and_registers(hub: Hub, tmp_path: Path) -> None:
    run = CliRunner().invoke
    pulled = run(app, ["pull", NAME])
    assert pulled.exit_code == 0, pulled.output
    model = registry.find(NAME)
    assert model is not None
    assert model.path.parent == registry.data_folder()
    assert model.license == "apache-2.0"
    header = verify(model.path, model.sha256)
    assert (header.boundary, header.context) == (50281, 2048)
    assert header.metadata["lintseq.source"] == f"{REPOSITORY}@{REVISION}"
    with loaded(model.path) as running:
        assert running.logits([1, 2, 50281]).shape == (3, 50304)
    assert run(app, ["use", NAME]).exit_code == 0
    assert registry.resolve_model(None) == model
    assert "as recorded" in run(app, ["verify", NAME]).output
    assert not hub.authorised
    assert {path for path, _ in hub.asked if path.startswith("/api/")} == {f"/api/models/{REPOSITORY}"}
    assert not (tmp_path / "cache" / "checkpoints" / NAME).exists()


def test_a_dropped_connection_is_continued_at_once(hub: Hub) -> None:
    hub.cuts = [5000, 70000]
    pull()
    assert hub.ranges("model.safetensors") == [None, "bytes=5000-", "bytes=75000-"]


def test_an_interrupted_pull_is_continued_by_the_next(hub: Hub) -> None:
    def killed(stage: str) -> None:
        raise KeyboardInterrupt(stage)

    hub.cuts = [5000]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.time.sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            pull()
    assert registry.registered() == []
    pull()
    assert hub.ranges("model.safetensors") == [None, "bytes=5000-"]
    assert len(hub.ranges("tokenizer.json")) == 1
    assert registry.find(NAME) is not None


def test_a_server_that_fails_midway_is_one_clear_line_and_continued_later(hub: Hub) -> None:
    hub.broken = True
    failed = CliRunner().invoke(app, ["pull", NAME])
    assert failed.exit_code == 1
    errors = [line for line in failed.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "goes on where it stopped" in errors[0]
    hub.broken = False
    pull(Type.Q4_0)
    assert len(hub.ranges("tokenizer.json")) == 1


def test_damaged_weights_are_never_registered(hub: Hub) -> None:
    hub.damaged = True
    with pytest.raises(ModelFileError, match="wrong checksum"):
        pull()
    assert registry.registered() == []
    hub.damaged = False
    pull()
    assert hub.ranges("model.safetensors") == [None, None]


def test_without_network_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    failed = CliRunner().invoke(app, ["pull", NAME])
    assert failed.exit_code == 1
    errors = failed.output.splitlines()[1:]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: could not fetch {REPOSITORY} from http://127.0.0.1:9")
    assert "check the network" in errors[0]


def test_pytorch_files_are_not_fetched_without_torch(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    monkeypatch.setattr(fetch, "find_spec", lambda _: None)
    with pytest.raises(ModelFileError, match=r"lintseq-lsp\[torch\]"):
        pull()
    assert [path for path, _ in hub.asked] == [f"/api/models/{REPOSITORY}"]


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_or_a_name_that_is_unknown() -> None:
    with pytest.raises(ModelFileError, match="could not fetch upiter/TinyCodeLM-400M"):
        fetch.pull("tinycodelm-400m-lintseq", announce=lambda _: None)
    with pytest.raises(ModelFileError, match="there are tinycodelm-150m-lintseq"):
        fetch.pull("gpt-5", announce=lambda _: None)
