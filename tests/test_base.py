"""The base model's vocabulary is cut without changing anything else, and a GGUF is read as it was written."""

import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from small_model import SMALL_MODEL
from tiny_checkpoint import PRETOKENIZER, TINY_LLAMA, change, tokenizer, weights, write_checkpoint

from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type

MODELS = str(Path(__file__).parent.parent / "models")
sys.path.insert(0, MODELS)
base = import_module("base")
sys.path.remove(MODELS)

SMOLLM = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, PRETOKENIZER]}
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "c", "ab", "bc", "abc", "abca"]
MERGES = [("a", "b"), ("b", "c"), ("ab", "c"), ("abc", "a"), ("a", "bc")]
VOCABULARY = base.Vocabulary(TOKENS, MERGES, special=3)
ALWAYS = [0, 1, 2, 3, 4, 5]  # markers and bytes


@pytest.mark.parametrize(
    ("counts", "size", "more"),
    [
        pytest.param({"bc": 9, "ab": 5}, 7, {"bc"}, id="the most used"),
        pytest.param({"ab": 5, "bc": 5}, 7, {"ab"}, id="of equals the first"),
        pytest.param({"abc": 9}, 8, {"abc", "ab"}, id="with what it is merged from first"),
        pytest.param({"abca": 9}, 9, {"abca", "abc", "ab"}, id="and what that is merged from"),
        pytest.param({"abca": 9, "bc": 1}, 8, set(), id="never without"),
        pytest.param({}, 10, set(), id="what is never used is not kept"),
    ],
)
def test_chosen(counts: dict[str, int], size: int, more: set[str]) -> None:
    used = Counter({TOKENS.index(token): count for token, count in counts.items()})
    assert base.chosen(VOCABULARY, used, size) == sorted([*ALWAYS, *map(TOKENS.index, more)])


def test_the_cut_takes_rows_of_the_embedding_and_merges_of_lost_tokens() -> None:
    shape = base.replace(TINY_LLAMA, rows=len(TOKENS))
    tensors = weights(shape)
    kept = [*ALWAYS, 6, 8]
    small = base.cut(base.Checkpoint(shape, VOCABULARY, tensors), kept)
    assert small.vocabulary.tokens == ["<|endoftext|>", "<pad>", "<|diff|>", "a", "b", "c", "ab", "abc"]
    assert small.vocabulary.merges == [("a", "b"), ("ab", "c")]
    assert small.shape == base.replace(shape, rows=8)
    embedding = small.tensors.pop(base.EMBEDDING)
    assert np.array_equal(embedding, tensors[base.EMBEDDING][kept])
    assert all(tensor is tensors[name] for name, tensor in small.tensors.items())
    assert small.tensors.keys() == tensors.keys() - {base.EMBEDDING}


def test_a_converted_checkpoint_is_read_back(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", TINY_LLAMA)
    change(folder / "tokenizer.json", pre_tokenizer=SMOLLM)
    convert(folder, tmp_path / "m.gguf", name="m", kind=Type.F32)
    read = base.read(tmp_path / "m.gguf")
    assert read.shape == TINY_LLAMA
    expected = weights(TINY_LLAMA)
    assert read.tensors.keys() == expected.keys()
    assert all(np.array_equal(read.tensors[name], tensor) for name, tensor in expected.items())
    described = tokenizer(TINY_LLAMA.rows)["model"]
    assert read.vocabulary.tokens[: len(described["vocab"])] == list(described["vocab"])
    assert [" ".join(merge) for merge in read.vocabulary.merges] == described["merges"]


def test_another_architecture_is_refused() -> None:
    with pytest.raises(SystemExit, match="is olmo with the tokens of gpt-2"):
        base.read(SMALL_MODEL)
