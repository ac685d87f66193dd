"""`model pull` of GGUF files, against a server on this machine that speaks the Hub's paths."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from local_hub import REPOSITORY, REVISION, Hub, serving
from tiny_checkpoint import write_checkpoint
from tiny_model import write_model
from typer.testing import CliRunner, Result

from lintseq_lsp.commands import app as whole_app
from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.weights import fetch, registry
from lintseq_lsp.weights.catalogue import CATALOGUE, Published, in_bytes
from lintseq_lsp.weights.commands import app
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import checksum

pytest_plugins = ["model_places"]
pytestmark = pytest.mark.usefixtures("places")

FILE = "tiny-q8_0.gguf"
REFERENCE = f"{REPOSITORY}/{FILE}"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    convert(write_checkpoint(folder / "checkpoint"), folder / FILE, name="tiny")
    shutil.rmtree(folder / "checkpoint")
    return folder


@pytest.fixture
def hub(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)  # before a retry
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    with serving(published, monkeypatch) as served:
        yield served


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments], input=typed)


def error(*arguments: str, typed: str = "") -> str:
    """The one line that says what went wrong, after which there is none; nothing was registered."""
    failed = run(*arguments, typed=typed)
    assert failed.exit_code == 1, failed.output
    before, _, line = failed.output.partition("error: ")
    assert "error" not in before
    assert line.count("\n") == 1
    assert registry.registered() == []
    return line.strip()


def parts() -> list[Path]:
    return list(registry.data_folder().glob("*.part"))


def test_a_file_is_fetched_verified_registered_and_used(hub: Hub, published: Path) -> None:
    pulled = run("pull", REFERENCE)
    assert pulled.exit_code == 0, pulled.output
    size = in_bytes((published / FILE).stat().st_size)
    assert f"downloading {size} from {REPOSITORY}, licence apache-2.0" in pulled.output
    [model] = registry.registered()
    assert model.path == registry.data_folder() / FILE
    assert (model.name, model.sha256) == ("tiny-q8_0", checksum(published / FILE))
    assert model.license == "apache-2.0"
    assert not hub.authorised
    assert parts() == []
    assert run("use", "tiny-q8_0").exit_code == 0
    assert registry.resolve_model(None) == model


def test_a_short_name_is_the_catalogues_file(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Published(REPOSITORY, "for tests", "mit", "paper-1", f"deep/{FILE}", note="not for sale")
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    hub.files[f"deep/{FILE}"] = hub.files.pop(FILE)
    pulled = run("pull", "tiny")
    assert "licence apache-2.0 (not for sale)" in pulled.output
    model = registry.find("tiny")
    assert model is not None
    assert (model.path.name, model.description) == ("tiny.gguf", "for tests")


def test_what_this_release_cannot_use_is_not_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Published(REPOSITORY, "for tests", "mit", "from-the-future-9", FILE)
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    assert "this release has no prompt format from-the-future-9; update" in error("pull", "tiny")
    assert hub.asked == []
    shown = run("list").output.partition("by `lintseq-lsp model pull NAME`:")[2]
    assert "for tests; cannot be used: this release has no prompt format from-the-future-9" in shown


def test_a_licence_of_its_own_is_called_by_its_name(hub: Hub) -> None:
    hub.card = {"license": "other", "license_name": "qwen-research"}
    assert "licence qwen-research" in run("pull", REFERENCE).output
    hub.card = {}
    assert "licence unknown" in run("pull", REFERENCE, "--name", "again").output


def test_a_dropped_connection_is_continued_at_once(hub: Hub) -> None:
    hub.cuts = [5000, 70000]
    assert run("pull", REFERENCE).exit_code == 0
    assert hub.ranges(FILE) == [None, "bytes=5000-", "bytes=75000-"]


def test_an_interrupted_pull_is_continued_by_the_next(hub: Hub) -> None:
    hub.cuts = [50_000]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.time.sleep", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch.pull(REFERENCE, announce=lambda _: None, agree=lambda _: True)
    assert registry.registered() == []
    assert [part.stat().st_size for part in parts()] == [50_000]
    pulled = run("pull", REFERENCE)
    left = len(hub.files[FILE]) - 50_000
    assert f"downloading {in_bytes(left)} from" in pulled.output
    assert hub.ranges(FILE)[-1] == "bytes=50000-"
    assert parts() == []


def test_a_wrong_checksum_is_said_and_the_file_removed(hub: Hub) -> None:
    hub.damaged = True
    assert f"{FILE} of {REPOSITORY} arrived with a wrong checksum" in error("pull", REFERENCE)
    assert list(registry.data_folder().glob("*.gguf*")) == []
    hub.damaged = False
    assert run("pull", REFERENCE).exit_code == 0
    assert hub.ranges(FILE) == [None, None]


def test_what_another_revision_left_is_removed(hub: Hub) -> None:
    registry.data_folder().mkdir(parents=True)
    (registry.data_folder() / f"{FILE}.0123456789ab.part").write_bytes(b"of another revision")
    other = registry.data_folder() / "other.gguf.0123456789ab.part"
    other.write_bytes(b"of another model")
    assert run("pull", REFERENCE).exit_code == 0
    assert parts() == [other]
    assert hub.ranges(FILE) == [None]


def test_what_is_here_is_not_fetched_again(hub: Hub) -> None:
    run("pull", REFERENCE)
    again = run("pull", REFERENCE)
    assert again.exit_code == 0
    assert f"it is here already, and used where it is: {registry.data_folder() / FILE}" in again.output
    assert len(hub.ranges(FILE)) == 1


def test_what_another_program_has_is_used_where_it_is(hub: Hub, places: Path) -> None:
    studio = places / "home/.lmstudio/models/o/m"
    studio.mkdir(parents=True)
    data = hub.files[FILE]
    (studio / "damaged.gguf").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (studio / "same.gguf").write_bytes(data)
    for _ in range(2):
        pulled = run("pull", REFERENCE)
        assert pulled.exit_code == 0, pulled.output
        assert f"used where it is: {studio / 'same.gguf'}" in pulled.output
    assert hub.ranges(FILE) == []
    assert [model.path for model in registry.registered()] == [studio / "same.gguf"]
    assert registry.resolve_model("tiny-q8_0").path == studio / "same.gguf"


@pytest.mark.usefixtures("hub")
def test_a_hub_that_is_away_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    line = error("pull", REFERENCE)
    assert line.startswith(f"cannot download {REPOSITORY} from http://127.0.0.1:9")
    assert "check the network" in line


def test_a_file_on_another_host_is_fetched_and_one_of_this_machine_is_not(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_bytes(hub.files[FILE])
    hub.redirection = f"{tmp_path.as_uri()}/"
    assert f"cannot download {REPOSITORY}" in error("pull", REFERENCE)
    assert [part.stat().st_size for part in parts()] == [0]
    hub.redirection = f"{os.environ['HF_ENDPOINT'].replace('127.0.0.1', 'localhost')}/cdn/"
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert run("pull", REFERENCE).exit_code == 0
    assert len(hub.ranges(FILE)) == 1


def test_a_gigabyte_is_fetched_only_after_a_yes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(hub.files[FILE])
    monkeypatch.setattr(fetch, "_ASKED_FROM", size)
    question = f"{in_bytes(size)} from {REPOSITORY}, licence apache-2.0: download it?"
    for answer in ("n\n", ""):
        assert "nothing was downloaded: answer yes, or pass --yes" in error("pull", REFERENCE, typed=answer)
    assert hub.ranges(FILE) == []
    agreed = run("pull", REFERENCE, typed="y\n")
    assert agreed.exit_code == 0
    assert question in agreed.output
    assert question not in run("pull", REFERENCE, "--yes", "--name", "second").output
    monkeypatch.setattr(fetch, "_ASKED_FROM", size + 1)
    assert question not in run("pull", REFERENCE, "--name", "third").output
    assert len(registry.registered()) == 3


def test_a_full_disk_is_said_before(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("/"))(10**12, 10**12, len(hub.files[FILE]) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "make room, or choose a smaller model" in error("pull", REFERENCE)
    assert hub.ranges(FILE) == []


def test_parts_of_a_model_are_refused(hub: Hub) -> None:
    name = "large-00001-of-00003.gguf"
    hub.files[name] = hub.files[FILE]
    assert f"{name} is one of 3 parts of a model" in error("pull", f"{REPOSITORY}/{name}")
    assert hub.ranges(name) == []


def test_a_file_that_is_not_there_is_answered_with_those_that_are(hub: Hub) -> None:
    hub.files["README.md"] = b"# Tiny"
    line = error("pull", f"{REPOSITORY}/other.gguf")
    assert line == f"{REPOSITORY} has no other.gguf: it has {FILE}"


@pytest.mark.parametrize("gated", ["auto", "manual"])
def test_a_gated_repository_says_how_to_get_access(hub: Hub, gated: str) -> None:
    hub.gated = gated
    line = error("pull", REFERENCE)
    assert f"/{REPOSITORY}, accept its terms" in line
    assert f"`hf download {REPOSITORY}`" in line
    assert hub.ranges(FILE) == []


@pytest.mark.usefixtures("hub")
def test_a_name_that_is_taken_needs_another(tmp_path: Path, published: Path) -> None:
    mine = Path(shutil.copy(published / FILE, tmp_path / FILE))
    mine.write_bytes(mine.read_bytes() + b"\0")
    registry.choose(str(mine))
    failed = run("pull", REFERENCE)
    assert failed.exit_code == 1
    assert f"'tiny-q8_0' is already the name of {mine}: choose another with --name" in failed.output
    assert run("pull", REFERENCE, "--name", "theirs").exit_code == 0
    assert {model.name: model.path for model in registry.registered()} == {
        "tiny-q8_0": mine,
        "theirs": registry.data_folder() / "theirs.gguf",
    }


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a\nb", "a\\b"])
def test_a_name_stays_in_the_folder(hub: Hub, name: str) -> None:
    assert "cannot be the name of a model" in error("pull", REFERENCE, "--name", name)
    assert hub.asked == []


def test_a_model_that_cannot_be_used_stays_and_says_why(hub: Hub) -> None:
    hub.files[FILE] = hub.files[FILE].replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz")
    for _ in range(2):
        line = error("pull", REFERENCE)
        assert f"{registry.data_folder() / FILE} is complete, but cannot be used: " in line
    assert len(hub.ranges(FILE)) == 1


@pytest.mark.parametrize(
    ("text", "repository", "file"),
    [
        ("owner/model-GGUF/model.Q8_0.gguf", "owner/model-GGUF", "model.Q8_0.gguf"),
        ("hf:o_1/m.1/deep/er/a b.gguf", "o_1/m.1", "deep/er/a b.gguf"),
        ("https://huggingface.co/o/m/blob/main/f.gguf", "o/m", "f.gguf"),
        ("https://huggingface.co/o/m/resolve/main/q/f.gguf", "o/m", "q/f.gguf"),
    ],
)
def test_a_file_is_named_in_these_ways(text: str, repository: str, file: str) -> None:
    found = fetch._reference(text)
    assert (found.repository, found.file) == (repository, file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt-5",
        "owner/repository",
        "owner/file.gguf",
        "o/m/f.safetensors",
        "../../m/f.gguf",
        "o/m/../f.gguf",
        "o/m/a\\f.gguf",
        "o/m/f.gguf?x",
        "file:///m/f.gguf",
        "https://elsewhere.org/o/m/f.gguf",
    ],
)
def test_what_names_no_file_of_the_hubs_is_answered_with_the_names(hub: Hub, text: str) -> None:
    with pytest.raises(ModelFileError, match=r"OWNER/REPOSITORY/FILE\.gguf, or one of qwen2"):
        fetch.pull(text, announce=lambda _: None, agree=lambda _: True)
    assert hub.asked == []


def test_a_terminal_sees_how_far_it_is(hub: Hub, tmp_path: Path) -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "lintseq_lsp", "model", "pull", REFERENCE]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # nobody writes there any more
        while read := os.read(ours, 65536):
            shown += read
    os.close(ours)
    assert f"{FILE}: 100%".encode() in shown
    assert hub.ranges(FILE) == [None]


def test_revisions_are_asked_for_by_their_hash(hub: Hub) -> None:
    run("pull", REFERENCE)
    assert f"/{REPOSITORY}/resolve/{REVISION}/{FILE}" in [path for path, _ in hub.asked]


def test_the_three_commands_of_the_page_lead_to_a_suggestion_of_that_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small model of the same vocabulary in the place of Qwen's."""
    root = Path(__file__).parents[1]
    page = root.joinpath("docs", "models.md").read_text("utf-8")
    block = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0]
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[:3] for command in commands[:2]] == [
        ["lintseq-lsp", "model", "pull"],
        ["lintseq-lsp", "model", "use"],
    ]
    name = commands[0][3]
    published = CATALOGUE[name]
    tokens = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>"]
    (tmp_path / "hub").mkdir()
    path = write_model(tmp_path / "hub" / published.file, tokens, context=4096)
    size = path.stat().st_size
    monkeypatch.setitem(CATALOGUE, name, replace(published, repository=REPOSITORY, size=size))
    monkeypatch.chdir(root)
    with serving(path.parent, monkeypatch):
        pulled = CliRunner().invoke(whole_app, commands[0][1:])
        assert pulled.exit_code == 0, pulled.output
        assert shlex.split(pulled.stdout.splitlines()[-1].removeprefix("use it: ")) == commands[1]
    used = CliRunner().invoke(whole_app, commands[1][1:])
    assert used.exit_code == 0, used.output
    completed = CliRunner().invoke(whole_app, [*commands[2][1:], "--json"])
    assert completed.exit_code == 0, completed.output
    assert json.loads(completed.stdout)["reason"] not in ("no-model", "unsupported", "too-long")
    assert registry.resolve_model(None).prompt_format.name == published.prompt_format == "fim-qwen-repo"
