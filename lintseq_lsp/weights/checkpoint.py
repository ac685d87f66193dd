"""A checkpoint folder in transformers' layout: configuration, tokenizer, tensors as float32.

Reads safetensors without a library, since the NumPy one knows no bfloat16. PyTorch files are read in
weights-only mode; pickles are never unpacked. Deliberately absent: anything of GGUF.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lintseq_lsp.errors import ModelFileError, TokenizerError

Matrix = NDArray[np.float32]

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


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(
            f"{path} is not there: give the folder of a checkpoint in transformers' layout"
        ) from None
    except ValueError as error:
        raise ModelFileError(f"{path} is not JSON ({error}): fetch it again") from None
    if not isinstance(data, dict):
        raise ModelFileError(f"{path} is not a JSON object: fetch it again")
    return data


def read_shape(folder: Path) -> Shape:
    """From `config.json`. Raises `ModelFileError` for another architecture or a missing entry."""
    path = folder / "config.json"
    config = _json(path)
    if config.get("model_type") != "olmo":
        raise ModelFileError(
            f"{path} has model_type {config.get('model_type')!r}: only 'olmo' can be converted"
        )
    if config.get("attention_bias"):
        raise ModelFileError(f"{path} asks for attention_bias, which llama.cpp's OLMo has not")
    # transformers 5 writes the base into `rope_parameters`, older releases next to the other entries
    rope = config.get("rope_parameters") or config
    try:
        heads = int(config["num_attention_heads"])
        return Shape(
            layers=int(config["num_hidden_layers"]),
            width=int(config["hidden_size"]),
            inner=int(config["intermediate_size"]),
            heads=heads,
            key_heads=int(config.get("num_key_value_heads") or heads),
            rows=int(config["vocab_size"]),
            context=int(config["max_position_embeddings"]),
            rope_base=float(rope.get("rope_theta", 10000.0)),
            clip=None if config.get("clip_qkv") is None else float(config["clip_qkv"]),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} lacks or garbles an entry: {error}") from None


def read_vocabulary(folder: Path) -> Vocabulary:
    """From `tokenizer.json`: byte-level BPE split as GPT-2 does. Raises `TokenizerError` for any other."""
    path = folder / "tokenizer.json"
    data = _json(path)
    model, split, normalizer = (
        data.get("model") or {},
        data.get("pre_tokenizer") or {},
        data.get("normalizer"),
    )
    if (
        model.get("type") != "BPE"
        or split.get("type") != "ByteLevel"
        or not split.get("use_regex", True)
        or split.get("add_prefix_space")
        or model.get("ignore_merges")
        or (normalizer is not None and normalizer.get("type") != "NFC")
    ):
        raise TokenizerError(f"{path} is no byte-level BPE split as GPT-2 does: it cannot be converted")
    names = {int(number): text for text, number in model["vocab"].items()}
    added: set[int] = set()
    special: set[int] = set()
    for token in data.get("added_tokens") or []:
        names[int(token["id"])] = token["content"]
        (special if token["special"] else added).add(int(token["id"]))
    tokens = [names.get(number, f"[PAD{number}]") for number in range(max(names) + 1)]
    ids = {text: number for number, text in enumerate(tokens)}
    config = _json(folder / "config.json")
    end = config.get("eos_token_id")
    padding = config.get("pad_token_id")
    return Vocabulary(
        tokens=tokens,
        # older files have "a b", newer ones ["a", "b"]; no byte-level token holds a space
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]],
        special=frozenset(special),
        added=frozenset(added),
        normalizer=None if normalizer is None else "NFC",
        end=ids["<|endoftext|>"] if end is None else int(end),
        padding=None if padding is None else int(padding),
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
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if 8 + length > size:
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        readers: dict[str, Callable[[], Matrix]] = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            dtype, shape = _STORED[entry["dtype"]], tuple(int(n) for n in entry["shape"])
            if not 0 <= begin <= end <= size - 8 - length or end - begin != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} lies outside of the file")
            readers[name] = partial(_stored, path, 8 + length + begin, dtype, shape)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path} is truncated or no safetensors file ({error}): fetch it again"
        ) from None
    return readers


def _stored(path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Matrix:
    data = np.memmap(path, dtype, "r", offset, shape)
    if dtype == np.dtype("<u2"):  # bfloat16: the upper half of a float32
        return (data.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(data, dtype=np.float32)


def _torch_file(path: Path) -> dict[str, Callable[[], Matrix]]:
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ModelFileError(
            f"{path} is a PyTorch file, and torch is not installed: pip install 'lintseq-lsp[torch]'"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # noqa: BLE001 - torch raises many types for a file that it refuses
        raise ModelFileError(
            f"{path} is no PyTorch file of plain weights ({error}): fetch it again"
        ) from None
    return {name: partial(_of_torch, tensor) for name, tensor in state.items()}


def _of_torch(tensor: Any) -> Matrix:
    return np.asarray(tensor.float().numpy(), dtype=np.float32)
