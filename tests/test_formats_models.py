"""Model files of other families, really run: their format is known from the file, and they are asked by ids.

The weights are random, so what they write means nothing; that it does no harm is what is looked at.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from fakes import python_gate
from tiny_model import NORMAL, write_model
from typer.testing import CliRunner

from lintseq_lsp import doctor
from lintseq_lsp.backends.base import BOS, Request, Special
from lintseq_lsp.backends.llama import LlamaBackend
from lintseq_lsp.backends.scripted import Answer
from lintseq_lsp.cases import Case, Options, read_case, write_case
from lintseq_lsp.commands import app
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.base import Question, Room, Task, View
from lintseq_lsp.formats.fim import FAMILIES, Fim
from lintseq_lsp.formats.table import detect
from lintseq_lsp.reasons import Reason
from lintseq_lsp.runtime import open_backend
from lintseq_lsp.settings import Settings
from lintseq_lsp.text import Document
from lintseq_lsp.weights import gguf_header, registry
from lintseq_lsp.weights.gguf_header import USER_DEFINED, verify
from lintseq_lsp.weights.registry import resolve_model

pytest_plugins = ["model_places"]

DOCUMENT = Document("def f(x):\n    retu\n\n\ny = '<|fim_middle|> [PREFIX] <MID>'\n")
SENTENCEPIECE = ("fim-codegemma", "fim-codestral", "fim-codellama")
NAMED = {"fim_pre": "<A>", "fim_suf": "<B>", "fim_mid": "<C>"}
QWEN = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]

each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def model_of(family: Fim, folder: Path, **more: Any) -> Path:
    """A file with the family's tokens, and no others that a family has."""
    pieces = family.name in SENTENCEPIECE
    named = NAMED if family.name == "fim" else {}
    texts = sorted(named.get(token.text, token.text) for token in family.tokens)
    return write_model(folder / f"{family.name}.gguf", texts, pieces=pieces, bos=pieces, named=named, **more)


def asked(family: Fim, backend: LlamaBackend) -> Question:
    question = family.ask(View(DOCUMENT, 18), Task.FILL, backend.count, Room(backend.context, 8, 192))
    assert question is not None
    return question


@each_family
def test_a_family_is_known_from_its_file_and_asked_by_ids(family: Fim, tmp_path: Path) -> None:
    path = model_of(family, tmp_path)
    backend = LlamaBackend(path, threads=1)
    wanted = "fim-seedcoder-spm" if family.name == "fim-seedcoder-spm" else ""  # its tokens do not tell it
    known = resolve_model(str(path), prompt_format=wanted).prompt_format
    assert known is detect(backend.has, "m", wanted) is family
    request = asked(family, backend).request
    ids = backend._prompt_ids(request.prompt)
    written = b"".join(backend._tokenizer._bytes(id_, special=True) for id_ in ids)
    wanted = "<s>" if family.name in SENTENCEPIECE else ""
    for part in request.prompt[1:]:
        wanted += NAMED.get(part.text, part.text) if isinstance(part, Special) else part
    assert written.decode() == wanted
    of_layout = {backend._tokenizer.id_of(token) for token in family.tokens}
    specials = [part for part in request.prompt[1:] if isinstance(part, Special)]
    assert sum(id_ in of_layout for id_ in ids) == len(specials)  # the document's characters are text
    pieces = list(backend.write(request, lambda: False))
    assert pieces[-1].stop is not None
    backend.close()


@each_family
def test_a_key_is_all_that_is_read_of_a_line(family: Fim, tmp_path: Path) -> None:
    """Not what stands below it, though most models read that last."""
    backend = LlamaBackend(model_of(family, tmp_path, context=2048), threads=1)
    text = "".join(f"value_{number} = {number}\n" for number in range(40))
    line = "    total = one + two\n"
    read = []
    for size in range(5, len(line)):
        document = Document(f"{text}{line[:size]}\n{text}")
        view, room = View(document, len(text) + size), Room(backend.context, 8, 192)
        question = family.ask(view, Task.FILL, backend.count, room)
        assert question is not None
        list(backend.write(replace(question.request, max_tokens=1), lambda: False))
        read.append(backend.usage.read)
    assert max(read[1:]) <= 16 < min(500, read[0])
    backend.close()


@each_family
def test_each_of_its_tokens_ends_an_answer(family: Fim, tmp_path: Path) -> None:
    backend = LlamaBackend(model_of(family, tmp_path), threads=1)
    ends = backend._tokens(asked(family, backend).request).ends
    assert {backend._tokenizer.id_of(token) for token in family.tokens} <= ends.keys()
    backend.close()


@each_family
def test_whatever_it_writes_the_document_stays_sound(family: Fim, tmp_path: Path) -> None:
    for seed in range(3):
        backend = LlamaBackend(model_of(family, tmp_path, seed=seed), threads=1)
        engine = Engine(backend, python_gate(), prompt_format=family, settings=Settings())
        for offset in (0, 9, 18, 19, len(DOCUMENT.text)):
            for suggestion in engine.complete(DOCUMENT, offset, candidates=3).suggestions:
                compile(suggestion.text, "m.py", "exec")
        engine.close()


@each_family
def test_the_command_completes_with_it(family: Fim, tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("def f(x):\n    \n")
    at = ["--line", "1", "--column", "4", "--json", "--model", str(model_of(family, tmp_path))]
    result = CliRunner().invoke(app, ["complete", str(file), *at])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["reason"] in {reason.value for reason in Reason}
    assert json.loads(result.stdout)["reason"] not in ("no-model", "unsupported")


def test_a_token_that_the_file_calls_text_is_one_where_llama_cpp_takes_it_for_one(tmp_path: Path) -> None:
    for texts, name in ((QWEN, "fim-granite4"), (["[PREFIX]", "[SUFFIX]"], "plain")):
        path = write_model(tmp_path / "m.gguf", texts, kinds=dict.fromkeys(texts, NORMAL))
        backend = LlamaBackend(path, threads=1)
        assert verify(path).prompt_format().name == detect(backend.has, "m").name == name
        backend.close()


def test_tokens_that_the_file_calls_the_users_are_no_text_either(tmp_path: Path) -> None:
    """As converted models of Qwen's have them."""
    for texts in (QWEN, ["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"]):
        path = write_model(tmp_path / "m.gguf", texts, kinds=dict.fromkeys(texts, USER_DEFINED))
        backend = LlamaBackend(path, threads=1)
        assert detect(backend.has, "m").name in ("fim-granite4", "fim-seedcoder")
        ids = backend._prompt_ids(["".join(texts), Special(texts[0])])
        assert [id_ == backend._tokenizer.id_of(Special(texts[0])) for id_ in ids].count(True) == 1
        tokenizer = backend._tokenizer
        assert all(tokenizer.silent[tokenizer.id_of(Special(text))] for text in texts)
        assert not any(text.encode() in tokenizer.vocabulary.pieces for text in texts)
        backend.close()


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("pieces", [False, True])
def test_a_prompt_begins_as_the_file_asks_for(tmp_path: Path, bos: bool, pieces: bool) -> None:
    backend = LlamaBackend(write_model(tmp_path / "m.gguf", pieces=pieces, bos=bos), threads=1)
    ids = backend._prompt_ids((BOS, "x"))
    assert len(ids) == 1 + bos
    assert backend._tokenizer._bytes(ids[-1], special=False) == b"x"  # and no blank in front of it
    assert list(backend.write(Request((BOS, "x"), max_tokens=3), lambda: False))
    backend.close()


def test_any_other_model_goes_on_with_the_text(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", ["<|im_start|>"])
    assert resolve_model(str(path)).prompt_format.name == "plain"
    backend, prompt_format, _ = open_backend(Settings(model=str(path), threads=1))
    engine = Engine(backend, python_gate(), prompt_format=prompt_format, settings=Settings())
    for text in ("", "\n", "x = 1\n    ", "def f(x):\n    retu"):
        engine.complete(Document(text), len(text))
    engine.close()


def test_the_setting_counts_before_the_file(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "m.gguf", QWEN))
    backend, prompt_format, _ = open_backend(Settings(model=path, prompt_format="plain"))
    assert prompt_format.name == "plain"
    backend.close()
    with pytest.raises(TokenizerError, match=r"'fim-deepseek' does not fit .* set .*'fim-granite4'"):
        open_backend(Settings(model=path, prompt_format="fim-deepseek"))
    with pytest.raises(ModelFileError, match=r"'fim-new' of .* fim-qwen, .* plain, or update"):
        open_backend(Settings(model=path, prompt_format="fim-new"))


def test_the_doctor_says_how_the_model_is_asked_and_what_it_can_do(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "m.gguf", QWEN))
    line = doctor._tried(doctor._model, Settings(model=path), tmp_path)
    assert "prompt format fim-granite4 (ghost text, code actions)" in line.value
    line = doctor._tried(doctor._model, Settings(model=path, prompt_format="fim-glm"), tmp_path)
    assert not line.ok
    line = doctor._tried(doctor._model, Settings(), tmp_path)
    assert "prompt format suffix-first-1 (ghost text, code actions, next edits, instructions)" in line.value


@pytest.mark.usefixtures("places")
def test_a_model_whose_memory_is_a_state_is_called_slow(tmp_path: Path) -> None:
    path = write_model(tmp_path / "slow.gguf", QWEN, hybrid=True)
    registry.register(path, name="slow")
    registry.register(write_model(tmp_path / "other.gguf", QWEN), name="other")
    for model, is_slow in ((path, True), (tmp_path / "other.gguf", False)):
        line = doctor._tried(doctor._model, Settings(model=str(model)), tmp_path)
        assert (gguf_header.SLOW in line.value) is is_slow
    listed = CliRunner().invoke(app, ["model", "list"]).output.splitlines()
    assert [line.split()[0] for line in listed if gguf_header.SLOW in line] == ["slow"]


def test_a_model_without_attention_has_no_heads(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "mamba")
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_head_count(0)
    writer.add_ssm_conv_kernel(4)
    writer.add_token_list(["a"])
    writer.add_token_types([NORMAL])
    writer.add_tensor("token_embd.weight", np.zeros((1, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert verify(tmp_path / "m.gguf").has_state


def test_a_file_whose_tokens_are_not_all_different_is_refused(tmp_path: Path) -> None:
    """llama.cpp would end the whole process."""
    data = write_model(tmp_path / "m.gguf", ["<one>", "<two>"]).read_bytes()
    (tmp_path / "m.gguf").write_bytes(data.replace(b"<one>", b"<two>"))
    with pytest.raises(TokenizerError, match="twice"):
        verify(tmp_path / "m.gguf")


@pytest.mark.usefixtures("places")
def test_the_list_says_how_each_model_is_asked(tmp_path: Path) -> None:
    registry.register(write_model(tmp_path / "m.gguf", QWEN), name="other")
    result = CliRunner().invoke(app, ["model", "list"])
    rows = {line[2:].split()[0]: line.split() for line in result.stdout.splitlines() if line[2:].strip()}
    assert "fim-granite4" in rows["other"]
    assert "suffix-first-1" in rows["lintseq-120m"]


def test_a_case_is_recorded_of_a_model_whose_tokens_begin_otherwise() -> None:
    for text in ("[PREFIX]", "▁<MID>", "<｜fim▁end｜>"):
        case = Case("complete", "x = ", (4,), Options(format="plain"), (Answer("1", Special(text)),))
        assert read_case(write_case(case)) == case
