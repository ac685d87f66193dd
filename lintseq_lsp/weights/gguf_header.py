"""Reads a GGUF file's header and proves that the file is whole. Light: a server does it at start.

Source: ggml, docs/gguf.md. Deliberately absent: the weights themselves, and the gguf package, which
takes a second for a large vocabulary.
"""

import hashlib
import math
import mmap
import re
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from lintseq_lsp.backends.base import Special
from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.formats.table import detect

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# ggml type → weights in a block, bytes of a block (ggml.c, type_traits)
_BLOCKS = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    6: (32, 22),  # Q5_0
    8: (32, 34),  # Q8_0
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    30: (1, 2),  # BF16
}


class Type(Enum):
    """How weights are stored; the value is the name that llama.cpp gives it."""

    F32 = "F32"
    F16 = "F16"
    Q8_0 = "Q8_0"
    Q4_K_M = "Q4_K_M"
    Q4_0 = "Q4_0"


MOST_LAYERS = 512  # llama.cpp, LLAMA_MAX_LAYERS: it aborts on more, and on none, with the whole process
_SIZES = {"context_length": 2**31 - 1, "embedding_length": 2**31 - 1, "block_count": MOST_LAYERS}

_TURNS_ALL = {"llama", "olmo", "qwen2", "qwen3"}  # architectures with rotary positions in all of a head

SPLIT = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")
"""What the names of a model's parts end with. Group 1: how many there are."""

SLOW = "slow: the whole prompt is read again, except where text is only added"
"""Of a model with a state (`Header.has_state`)."""

_STATE = ("ssm.conv_kernel", "shortconv.l_cache", "wkv.head_size")
_NAMES = ("name", "basename", "finetune")

CONTROL, USER_DEFINED = 3, 4  # token types (llama.h, enum llama_token_type)

_ALWAYS_SPECIAL = frozenset(
    (
        *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>"),
        *("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
        *("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "▁<PRE>", "▁<SUF>", "▁<MID>"),
        *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
        *("<|prefix|>", "<|suffix|>", "<|middle|>"),
    )
)
"""What llama.cpp takes for control tokens, whatever type the file gives them (llama-vocab.cpp)."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a model file says of itself. `metadata` has every key."""

    path: Path
    metadata: dict[str, Any]
    architecture: str
    context: int

    def id_of(self, special: Special) -> int | None:
        """The id of a special token; None when there is none, or it is only text."""
        tokens, types = (self.metadata[f"tokenizer.ggml.{key}"] for key in ("tokens", "token_type"))
        try:
            id_ = tokens.index(special.text)
        except ValueError:
            named = self.metadata.get(f"tokenizer.ggml.{special.text}_token_id")
            return named if isinstance(named, int) and named < len(tokens) else None
        is_special = types[id_] in (CONTROL, USER_DEFINED) or special.text in _ALWAYS_SPECIAL
        return id_ if is_special and tokens.count(special.text) == 1 else None

    @property
    def has_state(self) -> bool:
        """Whether its memory, or a part of it, is a state: that of a recurrent or hybrid model."""
        return _has_state(self.architecture, self.metadata)

    def prompt_format(self, wanted: str = "") -> PromptFormat:
        """How the model is asked: as is `wanted`, or else as the file says, its names, or its vocabulary.

        Raises `ModelFileError` or `TokenizerError` when that is not known.
        """
        wanted = wanted or self.metadata.get("lintseq.prompt_format", "")
        names = [self.path.stem, *(self.metadata.get(f"general.{key}", "") for key in _NAMES)]
        return detect(
            lambda special: self.id_of(special) is not None,
            str(self.path),
            wanted,
            known_as=" ".join(str(name) for name in names if name),
        )


def verify(path: Path, sha256: str | None = None) -> Header:
    """The header of a file that is whole, has a vocabulary, and, where known, this checksum.

    Raises `ModelFileError` or `TokenizerError`, with what mends it.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelFileError(f"{path} is not a GGUF file: make one with `lintseq-lsp model convert`")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                metadata = _metadata(path, data)
            if sha256 is not None:
                file.seek(0)
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise ModelFileError(
                        f"{path} has another checksum than recorded: {_MEND}, "
                        "or `lintseq-lsp model use FILE` again if you changed it yourself"
                    )
    except FileNotFoundError:
        raise ModelFileError(f"{path} does not exist: `lintseq-lsp model list` shows the models") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from None
    return _header(path, metadata)


def checksum(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_LONGEST = 32 * 2**20  # bytes of a header; the largest vocabularies take 20
_MEND = "it was changed or damaged; pull, convert or install it again"


def _header(path: Path, metadata: dict[str, Any]) -> Header:
    tokens = metadata.get("tokenizer.ggml.tokens")
    types = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(types, list) or len(tokens) != len(types):
        raise TokenizerError(f"{path} has no tokenizer: convert it again with `lintseq-lsp model convert`")
    if len(set(tokens)) < len(tokens):  # llama.cpp asserts it, and would end the whole process
        raise TokenizerError(f"{path} has a token twice: convert it again")
    architecture = str(metadata.get("general.architecture", ""))
    for name, most in _SIZES.items():
        size = metadata.get(f"{architecture}.{name}")
        if not isinstance(size, int) or not 0 < size <= most:
            raise ModelFileError(f"{path} has {size} as its {name}: convert it again")
    _check_attention(path, architecture, metadata)
    return Header(path, metadata, architecture, metadata[f"{architecture}.context_length"])


def _has_state(architecture: str, metadata: dict[str, Any]) -> bool:
    return any(f"{architecture}.{key}" in metadata for key in _STATE)


def _check_attention(path: Path, architecture: str, metadata: dict[str, Any]) -> None:
    """Raises `ModelFileError` for what llama.cpp asserts instead of testing: it would end the whole process.

    What is no number, as where it differs by layer, is left to it.
    """

    def of(key: str, default: float) -> float:
        value = metadata.get(f"{architecture}.{key}", default)
        return value if isinstance(value, int | float) else math.nan

    width, heads = of("embedding_length", 1), of("attention.head_count", 1)
    groups = of("attention.head_count_kv", heads)
    size = of("attention.key_length", width / heads if heads else 0)
    if heads == 0 and _has_state(architecture, metadata):
        return  # all of its memory is a state
    if heads < 1 or groups < 1 or heads % groups > 0 or size % 1 > 0:
        raise ModelFileError(f"{path} has {heads} heads, {groups} key heads, width {width}: convert it again")
    turned = of("rope.dimension_count", size)
    if turned < 1 or turned % 2 > 0 or (architecture in _TURNS_ALL and abs(turned - size) > 0):
        raise ModelFileError(f"{path} has RoPE dimension {turned}, head size {size:g}: convert it again")
    for key in ("attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon"):
        epsilon = metadata.get(f"{architecture}.{key}", 0.0)
        if isinstance(epsilon, float) and not 0 <= epsilon < math.inf:
            raise ModelFileError(f"{path} has {epsilon} as its {key}: convert it again")


def _metadata(path: Path, data: mmap.mmap) -> dict[str, Any]:
    """All keys and values. Raises `ModelFileError` when the file ends before its last tensor does."""
    offset, most = 4, min(len(data), _LONGEST)

    def scalar(code: str) -> Any:
        nonlocal offset
        (value,) = struct.unpack_from(f"<{code}", data, offset)
        offset += struct.calcsize(f"<{code}")
        if offset > most:
            raise struct.error("the header is too long")
        return value

    def text() -> str:
        nonlocal offset
        (length,) = struct.unpack_from("<Q", data, offset)
        offset += 8 + length
        if offset > most:
            raise struct.error("a text reaches past the end")
        return data[offset - length : offset].decode("utf-8", "replace")

    def value(kind: int) -> Any:
        nonlocal offset
        if kind == _STRING:
            return text()
        if kind != _ARRAY:
            return scalar(_SCALARS[kind])
        of, count = scalar("I"), scalar("Q")
        if count > most:
            raise struct.error("an array is longer than the file")
        if of == _STRING:
            return [text() for _ in range(count)]
        values = struct.unpack_from(f"<{count}{_SCALARS[of]}", data, offset)
        offset += struct.calcsize(f"<{count}{_SCALARS[of]}")
        return list(values)

    try:
        version = scalar("I")
        if version not in (2, 3):
            raise ModelFileError(f"{path} is GGUF version {version}, not 2 or 3: convert it again")
        tensors, entries = scalar("Q"), scalar("Q")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = text()
            metadata[key] = value(scalar("I"))
        end = 0
        for _ in range(tensors):
            text()
            sizes = [scalar("Q") for _ in range(scalar("I"))]
            weights, size = _BLOCKS.get(scalar("I"), (1, 0))  # of an unknown type, only where it begins
            end = max(end, scalar("Q") + math.prod(sizes) // weights * size)
    except (struct.error, KeyError):
        raise ModelFileError(f"{path} is truncated or damaged in its header: {_MEND}") from None
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ModelFileError(f"{path} is damaged in its header: {_MEND}")
    start = -(-offset // alignment) * alignment
    if tensors == 0 or start + end > len(data):
        raise ModelFileError(f"{path} is truncated ({len(data):,} of {start + end:,} bytes): {_MEND}")
    return metadata
