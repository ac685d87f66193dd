"""Conversion, against a forward pass in NumPy and against token ids that HuggingFace's tokenizers gave."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from llama_oracle import loaded
from olmo_reference import logits
from tiny_checkpoint import TINY, tokenizer, write_checkpoint

from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.weights.checkpoint import read_shape, read_tensors
from lintseq_lsp.weights.convert import convert
from lintseq_lsp.weights.gguf_header import Type, verify
from lintseq_lsp.weights.random_model import random_model
from lintseq_lsp.weights.registry import embedded

CASES = json.loads((Path(__file__).parent / "tokenizer_cases.json").read_text(encoding="utf-8"))
SHAPES = {
    "tied": (TINY, "F32"),
    "untied": (replace(TINY, tied=False), "F16"),
    "grouped keys": (replace(TINY, key_heads=2), "BF16"),
    "clipped": (replace(TINY, clip=0.5), "F32"),
    "another rope base": (replace(TINY, rope_base=500.0), "F32"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_the_references_at_f32(name: str, tmp_path: Path) -> None:
    shape, dtype = SHAPES[name]
    folder = write_checkpoint(tmp_path / "checkpoint", shape, dtype=dtype)
    convert(folder, tmp_path / "m.gguf", name="tiny", kind=Type.F32)
    tokens = np.random.default_rng(1).integers(0, shape.rows, 40).tolist()
    tensors = read_tensors(folder)
    expected = logits(read_shape(folder), lambda tensor: tensors[tensor](), tokens)
    with loaded(tmp_path / "m.gguf") as model:
        got = model.logits(tokens)
    assert np.ptp(expected) > 5, "logits this alike would prove nothing"
    assert np.abs(got - expected).max() < 1e-2
    assert (got.argmax(axis=1) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize("kind", [Type.F16, Type.Q8_0, Type.Q4_K_M, Type.Q4_0])
def test_quantised_files_are_smaller_and_close(kind: Type, tmp_path: Path) -> None:
    shape = replace(TINY, width=256, inner=256, layers=1)
    folder = write_checkpoint(tmp_path / "checkpoint", shape)
    convert(folder, tmp_path / "plain.gguf", name="tiny", kind=Type.F32)
    convert(folder, tmp_path / "small.gguf", name="tiny", kind=kind)
    tokens = list(range(1, 30))
    with loaded(tmp_path / "plain.gguf") as plain, loaded(tmp_path / "small.gguf") as small:
        expected, got = plain.logits(tokens), small.logits(tokens)
    assert (tmp_path / "small.gguf").stat().st_size < 0.6 * (tmp_path / "plain.gguf").stat().st_size
    worst = {Type.F16: 0.01, Type.Q8_0: 0.05, Type.Q4_K_M: 0.5, Type.Q4_0: 0.5}[kind]
    assert np.sqrt(((got - expected) ** 2).mean()) < worst * expected.std()


def test_embedded_model_tokenises_as_tokenizers_does() -> None:
    with loaded(embedded()[0].path, vocabulary_only=True) as model:
        for text, ids in CASES["embedded"]:
            assert model.tokens(text) == ids, text


def test_runs_of_spaces_are_cut_out_first_as_tokenizers_does(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    convert(folder, tmp_path / "m.gguf", name="tiny")
    assert verify(tmp_path / "m.gguf").metadata["lintseq.normalizer"] == "NFC"
    with loaded(tmp_path / "m.gguf", vocabulary_only=True) as model:
        for text, ids in CASES["spaces"]:
            assert model.tokens(unicodedata.normalize("NFC", text)) == ids, text


def test_characters_that_look_like_a_marker_stay_text() -> None:
    path = embedded()[0].path
    boundary = verify(path).boundary
    with loaded(path, vocabulary_only=True) as model:
        assert boundary not in model.tokens("a <|diff|> b")


def test_unfit_checkpoints_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    output = tmp_path / "m.gguf"
    with pytest.raises(TokenizerError, match="no edit-sequence model"):
        convert(write_checkpoint(tmp_path / "plain", boundary=False), output, name="m")
    folder = write_checkpoint(tmp_path / "checkpoint")
    with pytest.raises(ModelFileError, match=r"config\.json is not there"):
        convert(tmp_path / "nowhere", output, name="m")
    weights = (folder / "model.safetensors").read_bytes()
    for cut in (0, 5, 100, len(weights) - 1):
        (folder / "model.safetensors").write_bytes(weights[:cut])
        with pytest.raises(ModelFileError, match="truncated"):
            convert(folder, output, name="m")
    (folder / "model.safetensors").write_bytes(weights)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(ModelFileError, match=r"lacks the tensor model\.layers\.2"):
        convert(folder, output, name="m")
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    with pytest.raises(ModelFileError, match="has the shape"):
        convert(folder, output, name="m")
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(ModelFileError, match="only 'olmo'"):
        convert(folder, output, name="m")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer(320) | {"pre_tokenizer": {"type": "Whitespace"}})
    )
    with pytest.raises(TokenizerError, match="split as GPT-2 does"):
        convert(folder, output, name="m")
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "checkpoint"}


def test_pytorch_files_need_torch_and_are_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ModelFileError, match=r"pip install 'lintseq-lsp\[torch\]'"):
        convert(folder, tmp_path / "m.gguf", name="m")


def test_random_model_is_the_same_for_a_seed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    shape = replace(TINY, rows=5000)
    paths = []
    for place in ("one", "two"):
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, p=place, **__: tmp_path / p)
        paths.append(random_model(Type.Q8_0, shape=shape))
    written = paths[1].stat().st_mtime_ns
    assert random_model(Type.Q8_0, shape=shape) == paths[1]
    assert paths[1].stat().st_mtime_ns == written
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert random_model(Type.Q8_0, shape=shape, seed=1).read_bytes() != paths[1].read_bytes()
    with loaded(paths[0], vocabulary_only=True) as model:
        for text, ids in CASES["embedded"][:50]:
            assert model.tokens(text) == ids
