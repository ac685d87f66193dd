"""Makes checkpoints in transformers' layout with random weights: any architecture, GPT-NeoX's tokenizer.

The tokenizer has what the paper's has: NFC, byte-level BPE, added tokens for runs of spaces,
`<pad>`, and `<|diff|>`, which is not marked as special, at ids 50280 and 50281 when there are that many rows.
"""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lintseq_lsp.weights.checkpoint import LLAMA, QWEN2, QWEN3, Matrix, Shape
from lintseq_lsp.weights.convert import layout

TINY = Shape(
    layers=2,
    width=64,
    inner=96,
    heads=4,
    key_heads=4,
    head=16,
    rows=320,
    context=128,
    rope_base=10000.0,
    clip=None,
    tied=True,
)
PUBLISHED = replace(
    TINY, layers=12, width=96, inner=384, heads=12, key_heads=12, rows=50304, context=2048, head=8
)
TINY_LLAMA = replace(TINY, architecture=LLAMA, key_heads=2, epsilon=1e-3)
TINY_QWEN2 = replace(TINY, architecture=QWEN2, key_heads=2, epsilon=1e-3, biases=QWEN2.biases)
TINY_QWEN3 = replace(TINY, architecture=QWEN3, key_heads=2, epsilon=1e-3, head=32)

_MERGES = [
    "Ġ d",
    "Ġd e",
    "Ġde f",
    "r e",
    "re t",
    "u r",
    "ur n",
    "ret urn",
    "Ġ Ġ",
    "Ċ Ċ",
    "i n",
    "Ã ©",
    "s e",
    "se l",
    "sel f",
]


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte, by byte."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in kept else chr(next(others)) for byte in range(256)]


PRETOKENIZER = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


def tokenizer(rows: int, *, boundary: bool = True) -> dict[str, Any]:
    """The content of `tokenizer.json`."""
    tokens = ["<|endoftext|>", *byte_alphabet(), *(merge.replace(" ", "") for merge in _MERGES)]
    if rows > 50304 - 24:
        tokens += [f"word{number}" for number in range(len(tokens), 50280 - 23)]
    spaces = [" " * length for length in range(24, 1, -1)]
    markers = ["<pad>", "<|diff|>"] if boundary else ["<pad>"]
    added = [(0, "<|endoftext|>", True)]
    added += [(len(tokens) + i, text, text == "<pad>") for i, text in enumerate(spaces + markers)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": not special,
                "special": special,
            }
            for number, text, special in added
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": PRETOKENIZER,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": _MERGES,
        },
    }


def weights(shape: Shape, seed: int = 0) -> dict[str, Matrix]:
    """Random tensors by their names, large enough that logits differ by several units."""
    generator = np.random.default_rng(seed)
    return {
        origin: (generator.standard_normal(size) * 2 / np.sqrt(size[-1] if len(size) > 1 else 4)).astype(
            np.float32
        )
        for _, origin, size, _ in layout(shape)
    }


def write_checkpoint(folder: Path, shape: Shape = TINY, *, dtype: str = "F32", boundary: bool = True) -> Path:
    """A folder with `config.json`, `tokenizer.json` and `model.safetensors`."""
    write_description(folder, shape, boundary=boundary)
    write_safetensors(folder / "model.safetensors", weights(shape), dtype)
    return folder


def write_description(folder: Path, shape: Shape, *, boundary: bool = True) -> None:
    """All of it but the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = shape.architecture.name
    config = {
        "architectures": [f"{kind.capitalize()}ForCausalLM"],
        "model_type": kind,
        "vocab_size": shape.rows,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": shape.tied,
        "attention_bias": bool(shape.biases) and not shape.architecture.biases,
        "clip_qkv": shape.clip,
        "rms_norm_eps": shape.epsilon,
        "eos_token_id": 0,
        "pad_token_id": None,
    }
    if shape.head * shape.heads != shape.width:
        config["head_dim"] = shape.head
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(shape.rows, boundary=boundary)))


def change(path: Path, **entries: object) -> None:
    """Replaces entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def write_safetensors(path: Path, tensors: dict[str, Matrix], dtype: str) -> None:
    entries, data = {}, b""
    for name, tensor in tensors.items():
        if dtype == "BF16":
            raw = (tensor.view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            raw = tensor.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
        entries[name] = {
            "dtype": dtype,
            "shape": tensor.shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
