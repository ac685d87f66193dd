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
class Architecture:
    """How a family of networks differs from the others, and what both libraries call it.

    `name` is transformers' `model_type` and llama.cpp's architecture. `rotates_pairs`: llama.cpp rotates
    neighbours (2i, 2i + 1), so that the rows of queries and keys are reordered; else halves (i, i + d/2),
    as transformers always does. `norms`: RMSNorm with weights, else LayerNorm without. `head_norms`:
    RMSNorm over each head of queries and keys. `biases`: of which matrices, whatever the configuration says.
    """

    name: str
    rotates_pairs: bool
    norms: bool
    head_norms: bool = False
    biases: frozenset[str] = frozenset()


OLMO = Architecture("olmo", rotates_pairs=True, norms=False)
LLAMA = Architecture("llama", rotates_pairs=True, norms=True)
QWEN2 = Architecture("qwen2", rotates_pairs=False, norms=True, biases=frozenset({"q", "k", "v"}))
QWEN3 = Architecture("qwen3", rotates_pairs=False, norms=True, head_norms=True)
ARCHITECTURES = {a.name: a for a in (OLMO, LLAMA, QWEN2, QWEN3)}

_ATTENTION = frozenset({"q", "k", "v", "o"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What the configuration says of a network.

    `head` is the width of one head, `clip` bounds OLMo's queries, keys and values, `epsilon` is that of
    the norms, and `biases` names the matrices of the attention that have one (of q, k, v, o).
    """

    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    head: int
    rows: int
    context: int
    rope_base: float
    clip: float | None
    tied: bool
    architecture: Architecture = OLMO
    epsilon: float = 1e-5
    biases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`tokens[id]` in the byte-level alphabet; `special` are markers, `added` are cut out of text first.

    `pretokenizer` is llama.cpp's name of the rule by which text is split before tokens are merged.
    """

    tokens: list[str]
    merges: list[str]
    special: frozenset[int]
    added: frozenset[int]
    normalizer: str | None
    end: int
    padding: int | None
    pretokenizer: str = "gpt-2"


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
            f"{path} does not exist: give the folder of a checkpoint in transformers' layout"
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
    kind = config.get("model_type")
    architecture = ARCHITECTURES.get(kind) if isinstance(kind, str) else None
    if architecture is None:
        raise ModelFileError(
            f"{path} has model_type {kind!r}: only {', '.join(ARCHITECTURES)} can be converted"
        )
    if (activation := config.get("hidden_act", "silu")) != "silu":
        raise ModelFileError(f"{path} has hidden_act {activation!r}; only 'silu' can be converted")
    for entry in ("mlp_bias", "use_sliding_window"):
        if config.get(entry):
            raise ModelFileError(f"{path} has {entry}, which cannot be converted")
    biases = architecture.biases
    if config.get("attention_bias"):
        if architecture is not LLAMA:
            raise ModelFileError(f"{path} has attention_bias, which llama.cpp's {kind} does not support")
        biases = _ATTENTION
    with _damage(f"{path} lacks or garbles an entry"):
        # transformers 5 writes all of it into `rope_parameters`, older releases the base beside it
        rope = (config.get("rope_scaling") or {}) | (config.get("rope_parameters") or {})
        if (scaling := rope.get("rope_type", rope.get("type", "default"))) != "default":
            raise ModelFileError(f"{path} has RoPE scaling {scaling!r}, which cannot be converted")
        heads = _whole(config, "num_attention_heads")
        grouped = config.get("num_key_value_heads") is not None
        key_heads = _whole(config, "num_key_value_heads") if grouped else heads
        width = _whole(config, "hidden_size")
        if config.get("head_dim") is not None:
            head = _whole(config, "head_dim")
        else:
            head, rest = divmod(width, heads)
            if rest:
                raise ValueError(f"{heads} heads do not divide hidden_size {width}")
        if head % 2 or heads % key_heads:
            raise ValueError(f"{heads} heads of {head}, {key_heads} of keys, cannot be")
        return Shape(
            layers=_whole(config, "num_hidden_layers", most=MOST_LAYERS),
            width=width,
            inner=_whole(config, "intermediate_size"),
            heads=heads,
            key_heads=key_heads,
            head=head,
            rows=_whole(config, "vocab_size"),
            context=_whole(config, "max_position_embeddings"),
            rope_base=_positive({"rope_theta": 10000.0} | config | rope, "rope_theta"),
            clip=None if config.get("clip_qkv") is None else _positive(config, "clip_qkv"),
            tied=bool(config.get("tie_word_embeddings", False)),
            architecture=architecture,
            # transformers' OlmoLayerNorm has no weights and this constant
            epsilon=_positive({"rms_norm_eps": 1e-6} | config, "rms_norm_eps")
            if architecture.norms
            else 1e-5,
            biases=biases,
        )


def read_vocabulary(folder: Path) -> Vocabulary:
    """From `tokenizer.json`: byte-level BPE, split by a rule that llama.cpp knows, too.

    Raises `TokenizerError` for any other.
    """
    path = folder / "tokenizer.json"
    data, config = _json(path), _json(folder / "config.json")
    with _damage(f"{path}, or what config.json says of it, lacks or garbles an entry", TokenizerError):
        model, normalizer = data.get("model") or {}, data.get("normalizer")
        pretokenizer = _pretokenizer(data.get("pre_tokenizer") or {})
        if (
            model.get("type") != "BPE"
            or pretokenizer is None
            or model.get("ignore_merges")
            or (normalizer is not None and normalizer.get("type") != "NFC")
        ):
            raise TokenizerError(
                f"{path} is no byte-level BPE split as GPT-2, SmolLM2 or Qwen2 does: it cannot be converted"
            )
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
            pretokenizer=pretokenizer,
        )


# of Qwen2's published tokenizer.json
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _pretokenizer(described: Mapping[str, Any]) -> str | None:
    """llama.cpp's name of the rule that `pre_tokenizer` of a tokenizer.json describes, if it has one."""
    steps = described["pretokenizers"] if described.get("type") == "Sequence" else [described]
    *before, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    splits_words = last.get("use_regex", True)
    match before:
        case [] if splits_words:
            return "gpt-2"
        case [{"type": "Digits", "individual_digits": True}] if splits_words:
            return "smollm"
        case [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}]:
            if pattern == _QWEN2 and not splits_words:
                return "qwen2"
    return None


def read_tensors(folder: Path) -> Mapping[str, Callable[[], Matrix]]:
    """Name → reader. Safetensors where there are any, else PyTorch files. Nothing is read before the call."""
    if files := sorted(folder.glob("*.safetensors")):
        return {name: reader for file in files for name, reader in _safetensors(file).items()}
    if files := sorted(folder.glob("pytorch_model*.bin")):
        return {name: reader for file in files for name, reader in _torch_file(file).items()}
    raise ModelFileError(
        f"{folder} has neither *.safetensors nor pytorch_model*.bin: fetch the checkpoint again"
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
                raise ValueError(f"{name} is outside of the file")
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
