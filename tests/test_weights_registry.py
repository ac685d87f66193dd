"""Which model is used, and what is said of a file that cannot be."""

import contextlib
import errno
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_checkpoint import write_checkpoint
from typer.testing import CliRunner

from lintseq_lsp.errors import LintSeqError, ModelFileError, TokenizerError
from lintseq_lsp.formats.lintseq import Layout, LintSeq
from lintseq_lsp.runtime import open_backend
from lintseq_lsp.settings import Settings
from lintseq_lsp.weights import registry
from lintseq_lsp.weights.commands import app
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Header, checksum, verify

pytest_plugins = ["model_places"]
pytestmark = pytest.mark.usefixtures("places")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    convert(write_checkpoint(folder / "checkpoint"), folder / "tiny.gguf", name="tiny")
    return folder / "tiny.gguf"


def test_embedded_model_is_used_when_nothing_is_set() -> None:
    found = registry.resolve_model(None)
    assert found == registry.embedded()[0]
    assert found.sha256 == checksum(found.path)


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[]", None], ids=["cut off", "no text", "no object", "a folder"]
)
def test_a_registry_that_cannot_be_read_does_not_stop_the_embedded_model(
    content: bytes | None, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = registry.data_folder() / "registry.json"
    place.parent.mkdir(parents=True)
    place.mkdir() if content is None else place.write_bytes(content)
    shipped = registry.embedded()[0]
    for setting in (None, shipped.name, str(shipped.path)):
        assert registry.resolve_model(setting) == shipped
    assert registry.resolve_model(str(model)).path == model
    assert str(place) in caplog.text
    with pytest.raises(ModelFileError, match=r"registry\.json"):
        registry.registered()


def test_manifest_tells_what_the_files_say() -> None:
    entries = json.loads((registry.embedded_folder() / "manifest.json").read_text())["models"]
    for entry, found in zip(entries, registry.embedded(), strict=True):
        header = verify(found.path, found.sha256)
        assert entry["size"] == found.path.stat().st_size
        assert (found.context, found.prompt_format) == (header.context, header.prompt_format())


def test_a_setting_wins_over_the_choice_and_the_choice_over_the_embedded(model: Path, tmp_path: Path) -> None:
    registry.choose(str(model))
    assert registry.chosen() == "tiny"
    assert registry.resolve_model(None).path == model
    shipped = registry.embedded()[0]
    assert registry.resolve_model(shipped.name) == registry.resolve_model(str(shipped.path)) == shipped
    other = shutil.copy(model, tmp_path / "other.gguf")
    by_path = registry.resolve_model(str(other))
    assert (by_path.path, by_path.sha256, by_path.context) == (other, None, 128)
    assert by_path.prompt_format == LintSeq(Layout.PAPER)


def test_registering_again_replaces(model: Path) -> None:
    registry.register(model, name="mine", description="first")
    registry.register(model, name="mine", description="second")
    assert [entry.description for entry in registry.registered()] == ["second"]


def test_a_choice_whose_file_was_changed_or_removed_is_refused(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(model, tmp_path / "copy.gguf"))
    registry.choose(str(copy))
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    with pytest.raises(ModelFileError, match="another checksum than recorded"):
        registry.resolve_model(None)
    copy.unlink()
    with pytest.raises(ModelFileError, match="does not exist"):
        registry.resolve_model(None)


def test_a_file_is_read_for_its_checksum_only_when_it_may_have_changed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copy(model, tmp_path / "copy.gguf"))
    registry.choose(str(copy))
    compared: list[str | None] = []
    real = registry.verify

    def noted(path: Path, sha256: str | None = None) -> Header:
        compared.append(sha256)
        return real(path, sha256)

    monkeypatch.setattr(registry, "verify", noted)
    registry.resolve_model(None)
    assert compared == [None]
    os.utime(copy, (1, 1))
    registry.resolve_model(None)
    assert compared[1:] == [checksum(model)]
    with registry.changing() as data:
        del data["models"][0]["stamp"]  # as earlier releases wrote it
    registry.resolve_model(None)
    assert compared[2:] == [checksum(model)]
    registry.resolve_model(registry.embedded()[0].name)
    assert compared[3:] == [registry.embedded()[0].sha256]


def test_unknown_name_says_how_to_see_the_names() -> None:
    with pytest.raises(ModelFileError, match="model list"):
        registry.resolve_model("nothing-of-that-name")


def test_a_failed_write_leaves_the_registry_as_it_was(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.register(model, name="mine")

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ModelFileError, match="no space"):
        registry.register(model, name="other")
    assert [entry.name for entry in registry.registered()] == ["mine"]
    assert {path.name for path in registry.data_folder().iterdir()} == {"registry.json", "registry.lock"}


def test_two_changes_at_once_are_both_kept(model: Path) -> None:
    other = threading.Thread(target=registry.register, args=(model,), kwargs={"name": "other"})
    with registry.changing() as data:
        other.start()
        other.join(0.2)
        data["chosen"] = "mine"
    other.join()
    assert registry.chosen() == "mine"
    assert [entry.name for entry in registry.registered()] == ["other"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"models": 3}', "[" * 100_000], ids=range(5))
def test_a_damaged_registry_is_one_clear_error(content: str) -> None:
    registry.data_folder().mkdir(parents=True)
    (registry.data_folder() / "registry.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"remove its registry\.json"):
        registry.find("x")


def test_an_entry_that_is_not_understood_is_left_out_and_kept(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.register(model, name="mine")
    with registry.changing() as data:
        newer = data["models"][0] | {"name": "newer", "prompt_format": "from-the-future-9"}
        data["models"] += [1, {}, newer]
    assert [entry.name for entry in registry.registered()] == ["mine"]
    assert "'newer'" in caplog.text
    assert CliRunner().invoke(app, ["list"]).exit_code == 0
    registry.choose("mine")
    registry.register(model, name="other")
    with registry.changing() as data:
        assert newer in data["models"]


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x.gguf", "x" * 5000, "a\0b"])
def test_what_can_be_no_file_is_no_model(name: str) -> None:
    for use in (registry.resolve_model, registry.choose):
        with pytest.raises(ModelFileError, match=r"no model is called .* `lintseq-lsp model list` shows"):
            use(name)


@pytest.mark.parametrize("name", ["mine", registry.embedded()[0].name])
def test_a_file_does_not_take_the_name_of_another(model: Path, tmp_path: Path, name: str) -> None:
    registry.register(model, name="mine")
    file = shutil.copy(model, tmp_path / f"{name}.gguf")
    with pytest.raises(ModelFileError, match=r"give .* another name"):
        registry.choose(str(file))
    assert registry.chosen() is None


def test_a_file_that_was_made_again_is_used_again(model: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(model, tmp_path / "made.gguf"))
    registry.choose(str(file))
    convert(model.parent / "checkpoint", file, name="another")
    with pytest.raises(ModelFileError, match="`lintseq-lsp model use FILE` again"):
        registry.resolve_model(None)
    registry.choose(str(file))
    assert registry.resolve_model(None).path == file


@pytest.mark.parametrize(
    ("key", "value"),
    [("context_length", 0), ("embedding_length", 0), ("block_count", 0), ("block_count", 10**9)],
)
def test_sizes_on_which_llama_cpp_aborts_are_refused(
    model: Path, tmp_path: Path, key: str, value: int
) -> None:
    data = bytearray(model.read_bytes())
    place = data.index(b"olmo." + key.encode()) + len(f"olmo.{key}") + 4
    data[place : place + 4] = value.to_bytes(4, "little")
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(ModelFileError, match=f"has {value} as its {key}"):
        verify(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("attention.head_count", 0, "0 heads"),
        ("attention.head_count", 7, "7 heads, 4 key heads, width 64"),
        ("attention.head_count_kv", 0, "4 heads, 0 key heads"),
        ("attention.head_count_kv", 3, "4 heads, 3 key heads"),
        ("attention.head_count_kv", 8, "4 heads, 8 key heads"),
        ("attention.head_count", 2**32 - 1, "4294967295 heads"),
        ("rope.dimension_count", 0, "RoPE dimension 0, head size 16"),
        ("rope.dimension_count", 15, "RoPE dimension 15, head size 16"),
        ("rope.dimension_count", 8, "RoPE dimension 8, head size 16"),
        ("attention.layer_norm_epsilon", -1.0, "-1.0 as its attention.layer_norm_epsilon"),
        ("attention.layer_norm_epsilon", float("nan"), "nan as its attention.layer_norm_epsilon"),
    ],
)
def test_heads_on_which_llama_cpp_aborts_are_refused(
    model: Path, tmp_path: Path, key: str, value: float, message: str
) -> None:
    data = bytearray(model.read_bytes())
    place = data.index(f"olmo.{key}".encode() + (b"\6\0\0\0" if "epsilon" in key else b"\4\0\0\0"))
    place += len(f"olmo.{key}") + 4
    data[place : place + 4] = struct.pack("<I" if isinstance(value, int) else "<f", value)
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        verify(tmp_path / "m.gguf")


def test_missing_folder_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="does not exist"):
        verify(tmp_path / "none.gguf")
    with pytest.raises(ModelFileError, match="cannot be read"):
        verify(tmp_path)
    for content in (b"", b"GG", b"PK\x03\x04 and more", b"import pickle"):
        (tmp_path / "m.gguf").write_bytes(content)
        with pytest.raises(ModelFileError, match="not a GGUF file"):
            verify(tmp_path / "m.gguf")


def test_a_tokenizer_without_the_boundary_is_named(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    assert data.count(b"<|diff|>") == 1
    (tmp_path / "m.gguf").write_bytes(data.replace(b"<|diff|>", b"<|edit|>"))
    with pytest.raises(TokenizerError, match=r"'paper-1' does not fit the vocabulary of .*m\.gguf"):
        verify(tmp_path / "m.gguf").prompt_format("paper-1")
    assert verify(tmp_path / "m.gguf").prompt_format().name == "plain"


def test_an_unknown_prompt_format_asks_for_an_update(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    convert(folder, tmp_path / "m.gguf", name="m", metadata={"lintseq.prompt_format": "paper-1"})
    data = (tmp_path / "m.gguf").read_bytes()
    (tmp_path / "m.gguf").write_bytes(data.replace(b"paper-1", b"paper-9"))
    with pytest.raises(ModelFileError, match="update lintseq-lsp"):
        verify(tmp_path / "m.gguf").prompt_format()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(model: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = model.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 33))  # up to 32 bytes of padding may end the file
    (tmp_path / "m.gguf").write_bytes(whole[:cut])
    with pytest.raises(ModelFileError):
        verify(tmp_path / "m.gguf")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_in_the_header_is_an_error_of_ours_or_harmless(
    model: Path, tmp_path: Path, data: st.DataObject
) -> None:
    whole = bytearray(model.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 12_000))] = data.draw(st.integers(0, 255))
    (tmp_path / "m.gguf").write_bytes(whole)
    with contextlib.suppress(LintSeqError):
        verify(tmp_path / "m.gguf")


def test_the_server_resolves_its_model_without_heavy_imports() -> None:
    code = (
        "import sys; from lintseq_lsp.weights.registry import resolve_model; resolve_model(None);"
        "import lintseq_lsp.weights.commands;"
        "assert not {'numpy', 'gguf', 'llama_cpp', 'huggingface_hub', 'torch'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_commands(model: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    output = tmp_path / "made.gguf"
    made = run(app, ["convert", str(model.parent / "checkpoint"), "-o", str(output), "--type", "q4_0"])
    assert made.exit_code == 0, made.output
    assert checksum(output) in made.output
    checked = run(app, ["verify", str(output)])
    assert checked.exit_code == 0
    assert "no checksum is recorded" in checked.output
    assert run(app, ["use", str(output)]).exit_code == 0
    assert "as recorded" in run(app, ["verify", "made"]).output
    assert "as recorded" in run(app, ["verify", str(output)]).output
    listed = run(app, ["list"]).output.splitlines()
    assert [line.split()[1] for line in listed if line.startswith("*")] == ["made"]
    assert any("tinycodelm-400m-lintseq" in line for line in listed)
    output.write_bytes(output.read_bytes()[:-40])
    refused = run(app, ["verify", str(output)])
    assert refused.exit_code == 1
    assert refused.output.startswith("error: ")
    assert "truncated" in refused.output
    assert run(app, ["use", "nothing"]).exit_code == 1


@pytest.mark.parametrize(
    ("tokens", "wanted", "name"),
    [
        ("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|repo_name|> <|file_sep|>", "", "fim-qwen-repo"),
        ("<|fim_prefix|> <|fim_suffix|> <|fim_middle|> <|repo_name|> <|file_sep|>", "sweep-1", "sweep-1"),
        ("<fim_prefix> <fim_suffix> <fim_middle>", "", "fim-starcoder1"),
        ("", "", "plain"),
    ],
)
def test_a_checkpoint_of_any_format_is_converted(tmp_path: Path, tokens: str, wanted: str, name: str) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", boundary=False)
    described = json.loads((folder / "tokenizer.json").read_text())
    added = described["added_tokens"]
    for text in tokens.split():
        added.append(added[-1] | {"id": added[-1]["id"] + 1, "content": text, "special": False})
    (folder / "tokenizer.json").write_text(json.dumps(described))
    output = tmp_path / "m.gguf"
    option = ["--prompt-format", wanted] if wanted else []
    made = CliRunner().invoke(app, ["convert", str(folder), "-o", str(output), *option])
    assert made.exit_code == 0, made.output
    assert f"prompt format {name}\n" in made.output
    backend, prompt_format, _ = open_backend(Settings(model=str(output)))
    assert prompt_format.name == name
    backend.close()


def test_a_format_that_does_not_fit_a_checkpoint_leaves_no_file(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.gguf"
    arguments = ["convert", str(model.parent / "checkpoint"), "-o", str(output), "--prompt-format"]
    refused = CliRunner().invoke(app, [*arguments, "fim-glm"])
    assert "'fim-glm' does not fit the vocabulary of m" in refused.output
    refused = CliRunner().invoke(app, [*arguments, "fim-new"])
    assert "choose one of paper-1, " in refused.output
    assert not output.exists()


def test_the_line_that_says_how_to_use_a_file_can_be_pasted(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "it's my model.gguf"
    made = CliRunner().invoke(app, ["convert", str(model.parent / "checkpoint"), "-o", str(output)])
    command = made.output.splitlines()[-1].removeprefix("use it: ")
    assert shlex.split(command) == ["lintseq-lsp", "model", "use", str(output)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "checkpoint", "-o", "folder"], "folder cannot be written: it is a folder"),
        (["convert", "checkpoint", "-o", "file/m.gguf"], "m.gguf cannot be written: "),
        (["convert", "checkpoint/model.safetensors", "-o", "m.gguf"], "config.json does not exist"),
        (["convert", "odd", "-o", "m.gguf"], "config.json cannot be used: "),
        (["use", "folder"], "folder cannot be read: "),
        (["verify", "x" * 5000], "no model is called"),
    ],
)
def test_files_that_cannot_be_used_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "folder").mkdir()
    (tmp_path / "odd" / "config.json").mkdir(parents=True)
    (tmp_path / "file").touch()
    failed = CliRunner().invoke(app, arguments)
    assert failed.exit_code == 1
    [line] = failed.output.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_the_list_is_shown_where_not_every_character_can_be() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "lintseq_lsp", "model", "list"]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def test_models_are_found_in_a_checkout_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = registry.embedded_folder()
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "lintseq_lsp" / "weights" / "registry.py"))
    with pytest.raises(ModelFileError, match="install lintseq-lsp again"):
        registry.resolve_model(None)
    shutil.copytree(shipped, tmp_path / "models", ignore=shutil.ignore_patterns("*.py"))
    assert registry.resolve_model(None).path.parent == tmp_path / "models"
    (tmp_path / "lintseq_lsp").mkdir()
    (tmp_path / "models").rename(tmp_path / "lintseq_lsp" / "_models")
    assert registry.resolve_model(None).path.parent == tmp_path / "lintseq_lsp" / "_models"
