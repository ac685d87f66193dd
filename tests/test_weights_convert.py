"""Conversion, against a forward pass in NumPy and against token ids that HuggingFace's tokenizers gave."""

import ctypes
import json
import math
import os
import signal
import struct
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from llama_oracle import loaded
from network_reference import logits
from tiny_checkpoint import (
    TINY,
    TINY_LLAMA,
    TINY_QWEN2,
    TINY_QWEN3,
    change,
    tokenizer,
    weights,
    write_checkpoint,
    write_safetensors,
)

from lintseq_lsp.errors import ModelError, ModelFileError, TokenizerError
from lintseq_lsp.formats.lintseq import DIFF
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
    "Llama": (TINY_LLAMA, "F32"),
    "Llama with biases": (replace(TINY_LLAMA, biases=frozenset("qkvo")), "F32"),
    "Qwen2": (replace(TINY_QWEN2, tied=False), "BF16"),
    "Qwen3": (TINY_QWEN3, "F32"),
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
    shape = replace(TINY, width=256, head=64, inner=256, layers=1)
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
    boundary = verify(path).id_of(DIFF)
    with loaded(path, vocabulary_only=True) as model:
        assert boundary not in model.tokens("a <|diff|> b")


def test_unfit_checkpoints_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    output = tmp_path / "m.gguf"
    checkpoint = write_checkpoint(tmp_path / "plain", boundary=False)
    with pytest.raises(TokenizerError, match="'paper-1' does not fit"):
        convert(checkpoint, output, name="m", metadata={"lintseq.prompt_format": "paper-1"})
    folder = write_checkpoint(tmp_path / "checkpoint")
    with pytest.raises(ModelFileError, match=r"config\.json does not exist"):
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
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "gemma"}))
    with pytest.raises(ModelFileError, match="only olmo, llama, qwen2, qwen3 can"):
        convert(folder, output, name="m")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer(320) | {"pre_tokenizer": {"type": "Whitespace"}})
    )
    with pytest.raises(TokenizerError, match="split as GPT-2, SmolLM2 or Qwen2 does"):
        convert(folder, output, name="m")
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "checkpoint"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        *(("num_attention_heads", value) for value in (0, 3, -1, "4", None, math.inf)),
        *(("num_key_value_heads", value) for value in (0, 3)),
        *(("hidden_size", value) for value in (0, -64, 4 * 15)),
        *(("num_hidden_layers", value) for value in (0, 10**9)),
        *(("vocab_size", value) for value in (0, 10**12)),
        *(("rope_theta", value) for value in (0, math.inf, "x")),
        *(("eos_token_id", value) for value in ([0, 3], "a", -1, 10**6)),
        *(("pad_token_id", value) for value in (-1, 10**12)),
        pytest.param("rope_theta", 10**400, id="rope_theta-larger than a float"),
        ("clip_qkv", -1),
        ("rope_parameters", "x"),
    ],
)
def test_a_damaged_configuration_is_refused(checkpoint: Path, entry: str, value: object) -> None:
    change(checkpoint / "config.json", **{entry: value})
    with pytest.raises(ModelError, match="lacks or garbles an entry"):
        convert(checkpoint, checkpoint / "m.gguf", name="m")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, "RoPE scaling 'linear'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, "RoPE scaling 'dynamic'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}}, "RoPE scaling 'yarn'"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"attention_bias": True}, "attention_bias"),
        ({"model_type": "llama", "mlp_bias": True}, "mlp_bias"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "use_sliding_window"),
    ],
)
def test_what_llama_cpp_does_not_compute_is_refused(
    checkpoint: Path, entries: dict[str, object], message: str
) -> None:
    change(checkpoint / "config.json", **entries)
    with pytest.raises(ModelFileError, match=message):
        read_shape(checkpoint)


@pytest.mark.parametrize(
    "entries", [{"rope_scaling": None}, {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}]
)
def test_rope_without_scaling_is_known_by_all_its_names(checkpoint: Path, entries: dict[str, object]) -> None:
    change(checkpoint / "config.json", **entries)
    assert read_shape(checkpoint) == TINY


DAMAGED_TOKENIZERS: dict[str, Callable[[Any], object]] = {
    "no vocabulary": lambda data: data["model"].pop("vocab"),
    "an empty vocabulary": lambda data: (data["model"]["vocab"].clear(), data["added_tokens"].clear()),
    "a list as vocabulary": lambda data: data["model"].update(vocab=[["a", 1.0]]),
    "texts as ids": lambda data: data["model"].update(vocab={"a": "b"}),
    "a negative id": lambda data: data["model"]["vocab"].update(a=-5),
    "a huge id": lambda data: data["model"]["vocab"].update(a=10**9),
    "no merges": lambda data: data["model"].pop("merges"),
    "numbers as merges": lambda data: data["model"].update(merges=[1, 2]),
    "an added token without an id": lambda data: data["added_tokens"][0].pop("id"),
    "an added token without its kind": lambda data: data["added_tokens"][0].pop("special"),
    "a number as added token": lambda data: data["added_tokens"][0].update(content=1),
    "a mapping of added tokens": lambda data: data.update(added_tokens={"a": 1}),
    "a list as model": lambda data: data.update(model=[1]),
    "a list as pre-tokenizer": lambda data: data.update(pre_tokenizer=[1]),
    "a text as normalizer": lambda data: data.update(normalizer="NFC"),
    "half of a character": lambda data: data["model"]["vocab"].update({"\ud800": 300}),
}


@pytest.mark.parametrize("name", DAMAGED_TOKENIZERS)
def test_a_damaged_tokenizer_is_refused(checkpoint: Path, name: str) -> None:
    data = tokenizer(TINY.rows)
    DAMAGED_TOKENIZERS[name](data)
    (checkpoint / "tokenizer.json").write_text(json.dumps(data))
    with pytest.raises(TokenizerError, match="lacks or garbles an entry"):
        convert(checkpoint, checkpoint / "m.gguf", name="m")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_deep_nesting_is_no_json(checkpoint: Path, name: str) -> None:
    (checkpoint / name).write_text("[" * 100_000)
    with pytest.raises(ModelFileError, match="is not JSON"):
        convert(checkpoint, checkpoint / "m.gguf", name="m")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0.0, 4.0]},
        {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 5]},
        "text",
    ],
)
def test_a_damaged_safetensors_header_is_refused(checkpoint: Path, entry: object) -> None:
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    (checkpoint / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(100))
    with pytest.raises(ModelFileError, match="no safetensors file"):
        read_tensors(checkpoint)


def test_an_unknown_type_matters_only_where_the_tensor_is_needed(checkpoint: Path, tmp_path: Path) -> None:
    path = checkpoint / "model.safetensors"
    write_safetensors(path, weights(TINY) | {"zz": np.zeros((2, 2), np.float32)}, "F32")
    path.write_bytes(path.read_bytes().replace(b'"zz": {"dtype": "F32"', b'"zz": {"dtype": "I32"'))
    convert(checkpoint, tmp_path / "m.gguf", name="m")
    path.write_bytes(path.read_bytes().replace(b'"dtype": "F32"', b'"dtype": "I32"', 1))
    with pytest.raises(ModelFileError, match=r"stores model\.embed_tokens\.weight as I32"):
        convert(checkpoint, tmp_path / "m.gguf", name="m")


def test_a_file_is_replaced_only_by_one_that_can_be_used(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.gguf"
    convert(checkpoint, output, name="m")
    good = output.read_bytes()
    with pytest.raises(ModelFileError, match="update lintseq-lsp"):
        convert(checkpoint, output, name="m", metadata={"lintseq.prompt_format": "from-the-future-9"})
    assert output.read_bytes() == good


def test_ctrl_c_while_llama_cpp_works_ends_it_with_nothing_written(checkpoint: Path, tmp_path: Path) -> None:
    pending = [signal.SIGINT]
    before_us = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background

    @llama_cpp.llama_log_callback
    def log(_level: int, _text: bytes, _data: object) -> None:
        if pending:
            signal.raise_signal(pending.pop())

    before, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(before), ctypes.byref(data))
    llama_cpp.llama_log_set(log, data)
    try:
        with pytest.raises(KeyboardInterrupt):
            convert(checkpoint, tmp_path / "m.gguf", name="m")
    finally:
        llama_cpp.llama_log_set(before, data)
        signal.signal(signal.SIGINT, before_us)
    assert not pending
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_a_full_disk_is_said_of_the_file(checkpoint: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ModelFileError, match=r"m\.gguf cannot be written: .*written"):
            convert(checkpoint, tmp_path / "m.gguf", name="m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_what_a_killed_conversion_left_is_removed_a_day_later(checkpoint: Path, tmp_path: Path) -> None:
    for name, age in {"old": 2 * 24 * 3600, "running": 3600}.items():
        place = tmp_path / f".lintseq-convert-{name}"
        place.mkdir()
        (place / "f32.gguf").touch()
        os.utime(place, (time.time() - age,) * 2)
    convert(checkpoint, tmp_path / "m.gguf", name="m")
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "m.gguf", ".lintseq-convert-running"}


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

    shape = replace(TINY, rows=21000)
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
