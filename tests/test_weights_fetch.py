"""`model pull` against a server on this machine that speaks the Hub's paths."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from filelock import FileLock
from llama_oracle import loaded
from local_hub import REPOSITORY, REVISION, Hub, serving
from tiny_checkpoint import PUBLISHED, write_checkpoint
from typer.testing import CliRunner

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights import fetch, registry
from lintseq_lsp.weights.commands import app
from lintseq_lsp.weights.gguf_header import Type, verify

pytest_plugins = ["model_places"]
pytestmark = pytest.mark.usefixtures("places")

NAME = "tinycodelm-150m-lintseq"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("published") / "checkpoint", PUBLISHED, dtype="F16")


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)  # before a retry
    # what an unfinished chunk held is lost; 10 MB in earnest, too much for a test
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    with serving(checkpoint, monkeypatch) as served:
        yield served


def pull(kind: Type = Type.Q8_0) -> registry.ModelFile:
    return fetch.pull(NAME, kind=kind, announce=lambda _: None, agree=lambda _: True)


def test_pull_converts_verifies_and_registers(hub: Hub, tmp_path: Path) -> None:
    run = CliRunner().invoke
    pulled = run(app, ["pull", NAME])
    assert pulled.exit_code == 0, pulled.output
    model = registry.find(NAME)
    assert model is not None
    assert model.path.parent == registry.data_folder()
    assert model.license == "apache-2.0"
    header = verify(model.path, model.sha256)
    assert (header.id_of(DIFF), header.context) == (50281, 2048)
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
    assert "continues where it stopped" in errors[0]
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
    assert errors[0].startswith(f"error: cannot download {REPOSITORY} from http://127.0.0.1:9")
    assert "check the network" in errors[0]


def test_pytorch_files_are_not_fetched_without_torch(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    monkeypatch.setattr(fetch, "find_spec", lambda _: None)
    with pytest.raises(ModelFileError, match=r"lintseq-lsp\[torch\]"):
        pull()
    assert [path for path, _ in hub.asked] == [f"/api/models/{REPOSITORY}"]


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_or_a_name_that_is_unknown() -> None:
    with pytest.raises(ModelFileError, match=r"cannot download upiter/TinyCodeLM-400M.* check the network"):
        fetch.pull("tinycodelm-400m-lintseq", announce=lambda _: None, agree=lambda _: True)
    with pytest.raises(ModelFileError, match=r"one of .*tinycodelm-150m-lintseq"):
        fetch.pull("gpt-5", announce=lambda _: None, agree=lambda _: True)


@pytest.mark.parametrize(("status", "code"), [(401, "RepoNotFound"), (403, "GatedRepo")])
def test_a_repository_that_is_not_open_to_all(hub: Hub, status: int, code: str) -> None:
    hub.answer = (status, b"", code)
    with pytest.raises(ModelFileError, match=f"has no {REPOSITORY} that is open to all"):
        pull()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_is_busy_or_out_of_order(hub: Hub, status: int) -> None:
    hub.answer = (status, b"oops", "")
    with pytest.raises(ModelFileError, match="try again later"):
        pull()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Please log in.</html>",
        b"[]",
        b"{}",
        b'{"id": "x"}',
        b'{"id": "x", "sha": 1, "siblings": []}',
        b'{"id": "x", "sha": "a", "siblings": [{"rfilename": 5}]}',
        b'{"id": "x", "sha": "a", "siblings": [{"rfilename": "model.safetensors"}]}',
        b'{"id": "x", "sha": "a", "siblings": 5}',
        b'{"id": "x", "sha": "a", "cardData": ["apache-2.0"], '
        b'"siblings": [{"rfilename": "model.safetensors", "size": 9, "blobId": "b"}]}',
    ],
)
def test_an_answer_that_is_not_the_hubs(hub: Hub, body: bytes) -> None:
    hub.answer = (200, body, "")
    with pytest.raises(ModelFileError, match="did not answer like the Hub"):
        pull()


@pytest.mark.timeout(30)
def test_a_hub_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ModelFileError, match="timed out"):
            pull()


@pytest.fixture
def new_client() -> Iterator[None]:
    """The Hub's client reads the proxies once; here it does so in the test, and again after it."""
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


@pytest.mark.usefixtures("new_client")
@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "pip install socksio"),
        ("ALL_PROXY", "gopher://127.0.0.1:9", "gopher"),
        ("HTTPS_PROXY", "http://127.0.0.1:port", "port"),
        ("HF_ENDPOINT", "http://127.0.0.1:port", "port"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "No such file"),
    ],
)
def test_settings_of_the_network_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ModelFileError, match=rf"no connection is possible \(.*{message}.*{variable}"):
        pull()


@pytest.mark.usefixtures("new_client")
def test_an_empty_endpoint_is_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ModelFileError, match=r"from https://huggingface\.co .*check the network"):
        pull()


def test_a_pull_that_runs_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache" / "checkpoints").mkdir(parents=True)
    with (
        FileLock(tmp_path / "cache" / "checkpoints" / f"{NAME}.lock"),
        pytest.raises(ModelFileError, match="is being pulled by another process"),
    ):
        pull()
    assert hub.asked == []


@pytest.mark.parametrize("path", ["data", "data/models/registry.json"])
def test_what_could_not_be_registered_is_not_fetched(hub: Hub, tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text('{"models": 3}')
    failed = CliRunner().invoke(app, ["pull", NAME])
    assert failed.exit_code == 1
    assert failed.output.startswith("error: ")
    assert hub.asked == []


def test_a_full_disk_is_no_fault_of_the_network(hub: Hub) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ModelFileError, match=f"{NAME} cannot be written: File too large"):
            pull()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert hub.asked


@pytest.mark.usefixtures("hub")
def test_what_another_revision_left_is_removed(tmp_path: Path) -> None:
    stale = tmp_path / "cache" / "checkpoints" / NAME / "model-old.safetensors"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another revision")
    pull()
    assert registry.find(NAME) is not None


@pytest.mark.usefixtures("hub")
def test_another_type_takes_the_place_of_the_earlier_file() -> None:
    pull(Type.Q8_0)
    model = pull(Type.Q4_0)
    assert list(registry.data_folder().glob("*.gguf")) == [model.path]
