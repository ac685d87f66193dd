"""Models that other programs have fetched, in folders laid out as theirs are."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_checkpoint import write_checkpoint
from typer.testing import CliRunner

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.weights import elsewhere, registry
from lintseq_lsp.weights.catalogue import CATALOGUE, in_bytes
from lintseq_lsp.weights.commands import app
from lintseq_lsp.weights.convert import convert

pytest_plugins = ["model_places"]
pytestmark = pytest.mark.usefixtures("places")

SNAPSHOT = "models--o--m-GGUF/snapshots/0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    convert(write_checkpoint(folder / "checkpoint"), folder / "tiny.gguf", name="tiny")
    return folder / "tiny.gguf"


@pytest.fixture
def home(places: Path) -> Path:
    return places / "home"


@pytest.fixture
def put(model: Path, home: Path) -> Callable[[str], Path]:
    """Lays a copy of the model there, below the home folder."""

    def lay(place: str) -> Path:
        path = home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(model, path))

    return lay


def ollama(root: Path, name: str, model: Path, **changed: object) -> Path:
    """A model as Ollama keeps it; `changed` goes into its manifest. Returns the blob."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    blob = root / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(model, blob)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": f"sha256:{'0' * 64}", "size": 7},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": 9},
    ]
    manifest = root / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers} | changed))
    return blob


def names() -> list[str]:
    return [found.name for found in elsewhere.models()]


def listed() -> dict[str, dict[str, object]]:
    shown = CliRunner().invoke(app, ["list", "--json"])
    assert shown.exit_code == 0, shown.output
    return {row["name"]: row for row in json.loads(shown.output)}


def test_each_programs_folder_is_known(put: Callable[[str], Path], home: Path, model: Path) -> None:
    paths = {
        "lmstudio:o/m-GGUF/m.Q8_0.gguf": put(".lmstudio/models/o/m-GGUF/m.Q8_0.gguf"),
        "lmstudio:old/m/m.gguf": put(".cache/lm-studio/models/old/m/m.gguf"),
        "ollama:qwen2.5-coder:1.5b-base": ollama(
            home / ".ollama/models", "registry.ollama.ai/library/qwen2.5-coder/1.5b-base", model
        ),
        "llama.cpp:ggml-org_m_m.gguf": put(".cache/llama.cpp/ggml-org_m_m.gguf"),
        "hub:o/m-GGUF/deep/m.gguf": put(f".cache/huggingface/hub/{SNAPSHOT}/deep/m.gguf"),
    }
    put(".cache/llama.cpp/ggml-org_m_m.gguf.downloadInProgress")
    assert {found.name: found.path for found in elsewhere.models()} == paths
    rows = listed()
    for name, path in paths.items():
        assert rows[name]["path"] == str(path)
        assert (rows[name]["prompt_format"], rows[name]["problem"]) == ("paper-1", "")
        assert rows[name]["size"] == model.stat().st_size
        assert rows[name]["where"] == elsewhere.PROGRAMS[name.partition(":")[0]]


@pytest.mark.parametrize(
    ("variable", "value", "place", "name"),
    [
        ("LLAMA_CACHE", "llama", "llama/m.gguf", "llama.cpp:m.gguf"),
        ("LLAMA_CACHE", "llama", f"llama/{SNAPSHOT}/m.gguf", "llama.cpp:o/m-GGUF/m.gguf"),
        ("XDG_CACHE_HOME", "xdg", "xdg/llama.cpp/m.gguf", "llama.cpp:m.gguf"),
        ("XDG_CACHE_HOME", "xdg", f"xdg/huggingface/hub/{SNAPSHOT}/m.gguf", "hub:o/m-GGUF/m.gguf"),
        ("HF_HOME", "hf", f"hf/hub/{SNAPSHOT}/m.gguf", "hub:o/m-GGUF/m.gguf"),
        ("HF_HUB_CACHE", "cache", f"cache/{SNAPSHOT}/m.gguf", "hub:o/m-GGUF/m.gguf"),
        ("HUGGINGFACE_HUB_CACHE", "cache", f"cache/{SNAPSHOT}/m.gguf", "hub:o/m-GGUF/m.gguf"),
    ],
)
def test_variables_move_the_folders(
    put: Callable[[str], Path],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    place: str,
    name: str,
) -> None:
    path = put(place)
    assert names() == []
    for written in (str(home / value), f"~/{value}"):
        monkeypatch.setenv(variable, written)
        assert [(found.name, found.path) for found in elsewhere.models()] == [(name, path)]


def test_lm_studio_may_be_elsewhere(put: Callable[[str], Path], home: Path) -> None:
    put("studio/models/o/m/m.gguf")
    (home / ".lmstudio-home-pointer").write_text(f"{home / 'studio'}\n")
    assert names() == ["lmstudio:o/m/m.gguf"]


def test_ollama_may_be_elsewhere_and_has_names_of_its_own(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "big"))
    other = home / "other.gguf"
    other.write_bytes(model.read_bytes() + b"\0")
    ollama(home / "big", "registry.ollama.ai/somebody/m/latest", model)
    ollama(elsewhere.OLLAMA_SERVICE, "hf.co/o/m-GGUF/Q8_0", other)
    assert names() == ["ollama:somebody/m:latest", "ollama:hf.co/o/m-GGUF:Q8_0"]


def test_a_model_is_used_where_it_is(home: Path, model: Path) -> None:
    blob = ollama(home / ".ollama/models", "registry.ollama.ai/library/tiny/latest", model)
    before = blob.stat()
    run = CliRunner().invoke
    used = run(app, ["use", "ollama:tiny"])
    assert used.exit_code == 1
    assert "no model is called 'ollama:tiny'" in used.output
    assert registry.resolve_model("ollama:tiny:latest").path == blob
    used = run(app, ["use", "ollama:tiny:latest"])
    assert used.output == f"using ollama:tiny:latest ({blob})\n"
    assert registry.resolve_model(None).path == blob
    assert "as recorded" in run(app, ["verify", "ollama:tiny:latest"]).output
    row = listed()["ollama:tiny:latest"]
    assert (row["used"], row["where"]) == (True, "registered")
    assert [name for name, row in listed().items() if row["used"]] == ["ollama:tiny:latest"]
    after = blob.stat()
    assert (after.st_mtime_ns, after.st_nlink, after.st_mode) == (
        before.st_mtime_ns,
        before.st_nlink,
        before.st_mode,
    )
    assert [path.name for path in registry.data_folder().glob("*.gguf")] == []
    blob.unlink()
    with pytest.raises(ModelFileError, match="does not exist"):
        registry.resolve_model(None)


def test_a_link_of_the_hubs_cache_stays_one(put: Callable[[str], Path], home: Path) -> None:
    """Its file's name tells which model it is; the blob's does not."""
    cache = home / ".cache/huggingface/hub"
    blob = put(".cache/huggingface/hub/models--o--m-GGUF/blobs/0123")
    for revision in ("older", "newer"):
        link = cache / "models--o--m-GGUF/snapshots" / revision / "m.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
    os.utime(cache / "models--o--m-GGUF/snapshots/older", (1, 1))
    assert names() == ["hub:o/m-GGUF/m.gguf"]
    assert registry.choose("hub:o/m-GGUF/m.gguf").path == link
    assert registry.resolve_model(None).path == link


def test_what_cannot_be_used_is_listed_with_the_reason(
    put: Callable[[str], Path], home: Path, model: Path
) -> None:
    root, prefix = home / ".ollama/models", "registry.ollama.ai/library"
    two = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digit * 64}"}
        for digit in "12"
    ]
    ollama(root, f"{prefix}/two/x", model, layers=two)
    ollama(root, f"{prefix}/gone/x", model, layers=two[:1])
    ollama(root, f"{prefix}/up/x", model, layers=[two[0] | {"digest": "sha256:../../../etc/passwd"}])
    ollama(root, f"{prefix}/odd/x", model, layers=3)
    (root / "manifests" / prefix / "text").mkdir()
    (root / "manifests" / prefix / "text" / "x").write_bytes(b"\xff{")
    studio = ".lmstudio/models/o/m"
    put(f"{studio}/m-00001-of-00002.gguf")
    put(f"{studio}/mmproj-m-f16.gguf")
    cut, other, foreign = (put(f"{studio}/{name}.gguf") for name in ("cut", "other", "foreign"))
    cut.write_bytes(model.read_bytes()[:-40])
    other.write_bytes(model.read_bytes().replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz"))
    foreign.write_bytes(b"PK\x03\x04")
    problems = {name: str(row["problem"]) for name, row in listed().items() if row["path"] and row["problem"]}
    expected = {
        "ollama:two:x": "names 2 files of weights",
        "ollama:gone:x": "does not exist",
        "ollama:up:x": "names 1 files of weights",
        "ollama:odd:x": "its manifest cannot be read",
        "ollama:text:x": "its manifest cannot be read",
        "lmstudio:o/m/m-00001-of-00002.gguf": "one of 2 parts",
        "lmstudio:o/m/mmproj-m-f16.gguf": "the image part",
        "lmstudio:o/m/cut.gguf": "is truncated",
        "lmstudio:o/m/other.gguf": "has no tokenizer",
        "lmstudio:o/m/foreign.gguf": "is not a GGUF file",
    }
    assert problems.keys() == expected.keys()
    for name, message in expected.items():
        assert message in problems[name]
        used = CliRunner().invoke(app, ["use", name])
        assert used.exit_code == 1
        assert used.output.startswith("error: ")
    assert registry.chosen() is None
    text = CliRunner().invoke(app, ["list"]).output
    assert f"Ollama, {root / 'manifests' / prefix / 'gone' / 'x'}; cannot be used: " in text


def test_a_header_without_end_is_given_up(put: Callable[[str], Path]) -> None:
    """A sparse file whose header says that it holds a thousand million texts."""
    path = put(".lmstudio/models/o/m/m.gguf")
    with path.open("wb") as file:
        file.write(b"GGUF" + (3).to_bytes(4, "little") + (1).to_bytes(8, "little") * 2)
        file.write((1).to_bytes(8, "little") + b"k" + (9).to_bytes(4, "little"))
        file.write((8).to_bytes(4, "little") + (10**9).to_bytes(8, "little"))
        file.truncate(2 * 10**9)
    assert "truncated or damaged" in str(listed()["lmstudio:o/m/m.gguf"]["problem"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_what_is_no_file_is_left_alone(home: Path, put: Callable[[str], Path]) -> None:
    folder = home / ".lmstudio/models/o/m"
    put(".lmstudio/models/o/m/m.gguf")
    os.mkfifo(folder / "pipe.gguf")
    (folder / "folder.gguf").mkdir()
    (folder / "round").symlink_to(folder)
    (folder / "nowhere.gguf").symlink_to(home / "nothing")
    (folder / "/".join("deep" * 6)).mkdir(parents=True)
    (home / ".ollama/models").mkdir(parents=True)
    os.mkfifo(home / ".ollama/models/manifests")
    os.mkfifo(home / ".lmstudio-home-pointer")
    assert names() == ["lmstudio:o/m/m.gguf"]


def test_a_folder_that_is_closed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = elsewhere.OLLAMA_SERVICE

    def scandir(path: str | Path) -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    [found] = elsewhere.models()
    assert (found.name, found.path) == ("ollama:", closed)
    assert found.problem == "cannot be read: Permission denied"


def test_no_other_name_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers resolve their model: that must not look through folders, unless it is wanted."""
    monkeypatch.setattr(elsewhere, "models", lambda: 1 / 0)
    assert registry.resolve_model(None) == registry.embedded()[0]
    assert elsewhere.find("C:/models/m.gguf") is None
    with pytest.raises(ZeroDivisionError):
        elsewhere.find("ollama:x")


def test_the_list_has_what_can_be_pulled(model: Path) -> None:
    registry.register(model, name="smollm2-135m", license="mit", description="mine")
    rows = listed()
    assert rows["smollm2-135m"]["path"] == str(model)
    assert rows["smollm2-135m"]["license"] == "mit"
    entry, row = CATALOGUE["qwen2.5-coder-0.5b"], rows["qwen2.5-coder-0.5b"]
    assert row["path"] is None
    assert (row["size"], row["prompt_format"], row["license"]) == (
        entry.size,
        entry.prompt_format,
        entry.license,
    )
    text = CliRunner().invoke(app, ["list"]).output.splitlines()
    [line] = [line for line in text if line.startswith("  qwen2.5-coder-0.5b ")]
    assert in_bytes(531_068_128) in line
    assert text.index(line) > text.index("by `lintseq-lsp model pull NAME`:")
    [unconfirmed] = [line for line in text if line.startswith("  sweep-next-edit-0.5b ")]
    assert " -  sweep-2 " in unconfirmed
    assert " unknown " in unconfirmed
