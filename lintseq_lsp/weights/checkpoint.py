"""A checkpoint folder in transformers' layout: configuration, tokenizer, tensors as float32.

Reads safetensors without a library, since the NumPy one knows no bfloat16. PyTorch files are read in
weights-only mode; pickles are never unpacked. Deliberately absent: anything of GGUF.
"""

import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lintseq_lsp.errors import ModelError, ModelFileError, TokenizerError
from lintseq_lsp.weights.gguf_header import MOST_LAYERS

Matrix = NDArray[np.float32]

TORCH_IS_MISSING = "torch is not installed: pip install 'lintseq-lsp[torch]'"

_MOST = 2**20  # of whatever a configuration counts: more is damage, and would fill the memory
_STORED: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the configuration says of an OLMo network. `clip` bounds queries, keys and values."""

    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    rows: int
    context: int
    rope_base: float
    clip: float | None
    tied: bool


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`tokens[id]` in the byte-level alphabet; `special` are markers, `added` are cut out of text first."""

    tokens: list[str]
    merges: list[str]
    special: frozenset[int]
    added: frozenset[int]
    normalizer: str | None
    end: int
    padding: int | None


@contextmanager
def _damage(what: str, kind: type[ModelError] = ModelFileError) -> Iterator[None]:
    """Raises `kind` for what comes of reading entries that are missing, of another type or out of range."""
    try:
        yield
    except (
        AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError, struct.error
    ) as error:  # fmt: skip
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise kind(f"{what} ({reason}): fetch it again") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        with _damage(f"{path} is not JSON"):
            data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(
            f"{path} is not there: give the folder of a checkpoint in transformers' layout"
        ) from None
    if not isinstance(data, dict):
        raise ModelFileError(f"{path} is not a JSON object: fetch it again")
    return data


def _whole(entries: Mapping[str, Any], name: str, least: int = 1, most: int = _MOST) -> int:
    number = entries[name]
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"{name} is {number!r}")
    return number


def _positive(entries: Mapping[str, Any], name: str) -> float:
    number = float(entries[name])
    if not 0 < number < math.inf:
        raise ValueError(f"{name} is {number}")
    return number


def read_shape(folder: Path) -> Shape:
    """From `config.json`. Raises `ModelFileError` for another architecture or a damaged entry."""
    path = folder / "config.json"
    config = _json(path)
    if config.get("model_type") != "olmo":
        raise ModelFileError(
            f"{path} has model_type {config.get('model_type')!r}: only 'olmo' can be converted"
        )
    if config.get("attention_bias"):
        raise ModelFileError(f"{path} asks for attention_bias, which llama.cpp's OLMo has not")
    if (activation := config.get("hidden_act", "silu")) != "silu":
        raise ModelFileError(f"{path} asks for hidden_act {activation!r}; llama.cpp's OLMo has 'silu'")
    with _damage(f"{path} lacks or garbles an entry"):
        # transformers 5 writes all of it into `rope_parameters`, older releases the base beside it
        rope = (config.get("rope_scaling") or {}) | (config.get("rope_parameters") or {})
        if (scaling := rope.get("rope_type", rope.get("type", "default"))) != "default":
            raise ModelFileError(f"{path} asks for RoPE scaling {scaling!r}, which cannot be converted")
        heads = _whole(config, "num_attention_heads")
        grouped = config.get("num_key_value_heads") is not None
        key_heads = _whole(config, "num_key_value_heads") if grouped else heads
        width = _whole(config, "hidden_size")
        if width % (2 * heads) or heads % key_heads:
            raise ValueError(f"{heads} heads, {key_heads} of keys, do not divide hidden_size {width}")
        return Shape(
            layers=_whole(config, "num_hidden_layers", most=MOST_LAYERS),
            width=width,
            inner=_whole(config, "intermediate_size"),
            heads=heads,
            key_heads=key_heads,
            rows=_whole(config, "vocab_size"),
            context=_whole(config, "max_position_embeddings"),
            rope_base=_positive({"rope_theta": 10000.0} | config | rope, "rope_theta"),
            clip=None if config.get("clip_qkv") is None else _positive(config, "clip_qkv"),
            tied=bool(config.get("tie_word_embeddings", False)),
        )


def read_vocabulary(folder: Path) -> Vocabulary:
    """From `tokenizer.json`: byte-level BPE split as GPT-2 does. Raises `TokenizerError` for any other."""
    path = folder / "tokenizer.json"
    data, config = _json(path), _json(folder / "config.json")
    with _damage(f"{path}, or what config.json says of it, lacks or garbles an entry", TokenizerError):
        model, split = data.get("model") or {}, data.get("pre_tokenizer") or {}
        normalizer = data.get("normalizer")
        if (
            model.get("type") != "BPE"
            or split.get("type") != "ByteLevel"
            or not split.get("use_regex", True)
            or split.get("add_prefix_space")
            or model.get("ignore_merges")
            or (normalizer is not None and normalizer.get("type") != "NFC")
        ):
            raise TokenizerError(f"{path} is no byte-level BPE split as GPT-2 does: it cannot be converted")
        names = {_whole(model["vocab"], text, 0): text for text in model["vocab"]}
        added: set[int] = set()
        special: set[int] = set()
        for token in data.get("added_tokens") or []:
            number = _whole(token, "id", 0)
            names[number] = token["content"]
            (special if token["special"] else added).add(number)
        tokens = [names.get(number, f"[PAD{number}]") for number in range(max(names) + 1)]
        # older files have "a b", newer ones ["a", "b"]; no byte-level token holds a space
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        "".join(tokens + merges).encode()  # a lone surrogate cannot be written
        if config.get("eos_token_id") is None:
            config["eos_token_id"] = tokens.index("<|endoftext|>")
        last = len(tokens) - 1
        return Vocabulary(
            tokens=tokens,
            merges=merges,
            special=frozenset(special),
            added=frozenset(added),
            normalizer=None if normalizer is None else "NFC",
            end=_whole(config, "eos_token_id", 0, last),
            padding=None if config.get("pad_token_id") is None else _whole(config, "pad_token_id", 0, last),
        )


def read_tensors(folder: Path) -> Mapping[str, Callable[[], Matrix]]:
    """Name → reader. Safetensors where there are any, else PyTorch files. Nothing is read before the call."""
    if files := sorted(folder.glob("*.safetensors")):
        return {name: reader for file in files for name, reader in _safetensors(file).items()}
    if files := sorted(folder.glob("pytorch_model*.bin")):
        return {name: reader for file in files for name, reader in _torch_file(file).items()}
    raise ModelFileError(
        f"{folder} holds neither *.safetensors nor pytorch_model*.bin: fetch the checkpoint again"
    )


def _safetensors(path: Path) -> dict[str, Callable[[], Matrix]]:
    # Format: 8 bytes little-endian length, that much JSON, then the data.
    # Source: https://huggingface.co/docs/safetensors (section "Format").
    with _damage(f"{path} is truncated or no safetensors file"), path.open("rb") as file:
        size = path.stat().st_size
        (length,) = struct.unpack("<Q", file.read(8))
        if 8 + length > size:
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        readers: dict[str, Callable[[], Matrix]] = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            kind, shape = entry["dtype"], tuple(entry["shape"])
            if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
                raise ValueError(f"{name} has no whole numbers as its shape and place")
            if kind not in _STORED:
                readers[name] = partial(_refuse, path, name, kind)
                continue
            dtype = _STORED[kind]
            if not begin <= end <= size - 8 - length or end - begin != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} lies outside of the file")
            readers[name] = partial(_stored, path, 8 + length + begin, dtype, shape)
    return readers


def _refuse(path: Path, name: str, kind: object) -> Matrix:
    raise ModelFileError(
        f"{path} stores {name} as {kind}, which cannot be converted: choose another checkpoint"
    )


def _stored(path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Matrix:
    data = np.fromfile(path, dtype, math.prod(shape), offset=offset).reshape(shape)
    if dtype == np.dtype("<u2"):  # bfloat16: the upper half of a float32
        return (data.astype(np.uint32) << 16).view(np.float32)
    return data.astype(np.float32, copy=False)


def _torch_file(path: Path) -> dict[str, Callable[[], Matrix]]:
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ModelFileError(f"{path} is a PyTorch file, and {TORCH_IS_MISSING}") from None
    try:
        # files of before PyTorch 1.6 are no archives, and cannot be mapped
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        tensors = {name: tensor.detach() for name, tensor in state.items()}
    except Exception:  # noqa: BLE001 - torch raises many types, some with the advice to run what is in the file
        raise ModelFileError(
            f"{path} is truncated, or holds other things than tensors by their names: fetch it again"
        ) from None
    return {name: partial(_of_torch, path, name, tensor) for name, tensor in tensors.items()}


def _of_torch(path: Path, name: str, tensor: Any) -> Matrix:
    if not tensor.is_floating_point():
        return _refuse(path, name, tensor.dtype)
    return np.asarray(tensor.to_dense().float().numpy(), dtype=np.float32)
