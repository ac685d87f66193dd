"""The same weights in transformers and in llama.cpp; `make test-parity` runs it.

Needs torch and transformers (the extra `parity`), so the ordinary suite does not collect it.
"""

import json
import random
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from llama_oracle import loaded
from local_hub import serving
from make_tokenizer_cases import ODD, odd_line, texts
from tiny_checkpoint import (
    DIGITS,
    PRETOKENIZER,
    PUBLISHED,
    TINY,
    TINY_LLAMA,
    TINY_QWEN2,
    TINY_QWEN3,
    change,
    tokenizer,
    weights,
    write_checkpoint,
    write_description,
)
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, OlmoForCausalLM

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights import fetch
from lintseq_lsp.weights.checkpoint import Shape
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type, verify
from lintseq_lsp.weights.random_model import PAPER_150M
from lintseq_lsp.weights.registry import embedded

pytest_plugins = ["model_places"]


@pytest.mark.parametrize(
    "shape",
    [
        TINY,
        replace(TINY, key_heads=2, clip=0.5, tied=False),
        PUBLISHED,
        TINY_LLAMA,
        replace(TINY_LLAMA, biases=frozenset("qkvo"), tied=False),
        TINY_QWEN2,
        TINY_QWEN3,
    ],
    ids=["tiny", "clipped", "published shapes", "Llama", "Llama with biases", "Qwen2", "Qwen3"],
)
def test_same_logits_and_the_same_greedy_tokens(shape: Shape, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", shape)
    convert(folder, tmp_path / "m.gguf", name="tiny", kind=Type.F32)
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = np.random.default_rng(3).integers(0, shape.rows, 20).tolist()
    with loaded(tmp_path / "m.gguf") as model, torch.no_grad():
        expected = reference(torch.tensor([tokens])).logits[0].numpy()
        got = model.logits(tokens)
        assert np.abs(got - expected).max() < 1e-2
        for _ in range(20):
            following = int(reference(torch.tensor([tokens])).logits[0, -1].argmax())
            assert int(model.logits(tokens)[-1].argmax()) == following
            tokens.append(following)


def test_pytorch_file_gives_the_file_that_safetensors_gives(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    convert(folder, tmp_path / "safe.gguf", name="m")
    model = OlmoForCausalLM.from_pretrained(folder, dtype=torch.float32)
    (folder / "model.safetensors").unlink()
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    torch.save(state, folder / "pytorch_model.bin")
    convert(folder, tmp_path / "torch.gguf", name="m")
    assert (tmp_path / "torch.gguf").read_bytes() == (tmp_path / "safe.gguf").read_bytes()


@pytest.mark.parametrize("form", ["parameters", "legacy"])
def test_other_forms_of_pytorch_files_give_the_same(tmp_path: Path, form: str) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    convert(folder, tmp_path / "safe.gguf", name="m")
    (folder / "model.safetensors").unlink()
    state = {name: torch.nn.Parameter(torch.tensor(matrix)) for name, matrix in weights(TINY).items()}
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=form != "legacy")
    convert(folder, tmp_path / "torch.gguf", name="m")
    assert (tmp_path / "torch.gguf").read_bytes() == (tmp_path / "safe.gguf").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        {"model.embed_tokens.weight": Path("anything that runs code")},
        {"model": {"embed_tokens.weight": torch.ones(2)}},
        [torch.ones(2)],
        torch.ones(2),
        {"model.embed_tokens.weight": 5},
    ],
    ids=["a pickle", "nested", "a list", "a tensor", "a number"],
)
def test_other_things_than_plain_weights_are_refused(tmp_path: Path, content: object) -> None:
    write_description(tmp_path, TINY)
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match="holds other things than tensors") as refused:
        convert(tmp_path, tmp_path / "m.gguf", name="m")
    assert "weights_only" not in str(refused.value)


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    write_description(tmp_path, TINY)
    torch.save({"model.embed_tokens.weight": torch.ones(2, dtype=torch.int8)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match=r"stores model\.embed_tokens\.weight as torch\.int8"):
        convert(tmp_path, tmp_path / "m.gguf", name="m")


def test_pull_of_a_checkpoint_like_the_papers(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = places / "published"
    write_description(folder, PAPER_150M)
    state = {name: torch.tensor(matrix).bfloat16() for name, matrix in weights(PAPER_150M).items()}
    torch.save(state, folder / "pytorch_model.bin")
    with serving(folder, monkeypatch):
        model = fetch.pull(
            "tinycodelm-150m-lintseq", kind=Type.F32, announce=lambda _: None, agree=lambda _: True
        )
    assert verify(model.path, model.sha256).id_of(DIFF) == 50281
    reference = OlmoForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = [*np.random.default_rng(3).integers(0, 50280, 20).tolist(), 50281]
    with loaded(model.path) as running, torch.no_grad():
        expected = reference(torch.tensor([tokens])).logits[0].numpy()
        got = running.logits(tokens)
    assert np.abs(got - expected).max() < 1e-2
    assert (got.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_same_ids_on_thousands_of_lines(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", PUBLISHED)
    convert(folder, tmp_path / "m.gguf", name="m")
    reference = Tokenizer.from_str(json.dumps(tokenizer(PUBLISHED.rows)))
    assert reference.token_to_id("<pad>") == 50280
    assert reference.token_to_id("<|diff|>") == 50281
    source = random.Random(9)
    with loaded(tmp_path / "m.gguf", vocabulary_only=True) as model:
        for text in [*texts(2000), *ODD, *(odd_line(source) for _ in range(2000))]:
            ids = reference.encode(text, add_special_tokens=False).ids
            assert model.tokens(unicodedata.normalize("NFC", text)) == ids, text


QWEN2_SPLIT = {
    "type": "Split",
    "pattern": {
        "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}


@pytest.mark.parametrize(
    ("rule", "steps"),
    [("smollm", [DIGITS, PRETOKENIZER]), ("qwen2", [QWEN2_SPLIT, PRETOKENIZER | {"use_regex": False}])],
)
def test_same_ids_by_another_splitting_rule(
    rule: str, steps: list[dict[str, object]], tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    change(folder / "tokenizer.json", pre_tokenizer={"type": "Sequence", "pretokenizers": steps})
    convert(folder, tmp_path / "m.gguf", name="m")
    assert verify(tmp_path / "m.gguf").metadata["tokenizer.ggml.pre"] == rule
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    source = random.Random(9)
    with loaded(tmp_path / "m.gguf", vocabulary_only=True) as model:
        for text in [*texts(1000), *ODD, *(odd_line(source) for _ in range(1000))]:
            ids = reference.encode(text, add_special_tokens=False).ids
            assert model.tokens(unicodedata.normalize("NFC", text)) == ids, text


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that ships as a checkpoint: the weights as they are rounded."""
    folder = tmp_path_factory.mktemp("shipped")
    script = Path(__file__).parents[2] / "models" / "base.py"
    command = [sys.executable, str(script), str(embedded()[0].path), "--whole", "--out", str(folder)]
    subprocess.run(command, check=True)
    return folder


def test_the_model_that_ships_is_what_transformers_computes(shipped: Path, tmp_path: Path) -> None:
    convert(shipped, tmp_path / "m.gguf", name="m", kind=Type.F32)
    reference = AutoModelForCausalLM.from_pretrained(shipped, dtype=torch.float32).eval()
    encode = Tokenizer.from_file(str(shipped / "tokenizer.json")).encode
    tokens = encode("\n<|diff|>@@ -0,0 +1,2 @@\n+def area(width, height):\n+    return width").ids
    assert tokens.count(2) == 1  # the boundary
    with loaded(tmp_path / "m.gguf") as model, torch.no_grad():
        expected = reference(torch.tensor([tokens])).logits[0].numpy()
        assert np.abs(model.logits(tokens) - expected).max() < 1e-2
        for _ in range(20):
            following = int(reference(torch.tensor([tokens])).logits[0, -1].argmax())
            assert int(model.logits(tokens)[-1].argmax()) == following
            tokens.append(following)


def test_the_model_that_ships_has_the_ids_of_its_tokenizer(shipped: Path) -> None:
    reference = Tokenizer.from_file(str(shipped / "tokenizer.json"))
    source = random.Random(11)
    with loaded(embedded()[0].path, vocabulary_only=True) as model:
        for text in [*texts(2000), *ODD, *(odd_line(source) for _ in range(2000)), "x = 1234567.89e-10"]:
            assert model.tokens(text) == reference.encode(text, add_special_tokens=False).ids, text
        assert len(model.tokens("9081726354")) == 10
