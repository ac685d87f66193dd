"""Random weights in the shape of the paper's 150M model, for the benchmark and nothing else.

Speed does not depend on what the weights say. The vocabulary is the embedded model's, filled up with
words that no text is tokenised to. Never offered as a model: it is in no list.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs

from lintseq_lsp.errors import ModelFileError
from lintseq_lsp.formats.lintseq import Layout
from lintseq_lsp.weights.checkpoint import Matrix, Shape, Vocabulary
from lintseq_lsp.weights.convert import layout, write_model
from lintseq_lsp.weights.gguf_header import CONTROL, Type, verify
from lintseq_lsp.weights.registry import embedded

PAPER_150M = Shape(
    layers=12,
    width=768,
    inner=3072,
    heads=12,
    key_heads=12,
    head=64,
    rows=50304,
    context=2048,
    rope_base=10000.0,
    clip=None,
    tied=True,
)


def random_model(kind: Type = Type.Q8_0, *, seed: int = 0, shape: Shape = PAPER_150M) -> Path:
    """The file, made at the first call (seconds, 1 GB of temporary space) and kept in the cache folder."""
    folder = platformdirs.user_cache_path("lintseq-lsp", appauthor=False) / "random"
    name = f"random-{shape.layers}x{shape.width}x{shape.inner}-{shape.rows}-{seed}-{kind.value.lower()}"
    path = folder / f"{name}.gguf"
    try:
        verify(path)
    except ModelFileError:
        metadata = {"lintseq.prompt_format": Layout.PAPER.value}
        write_model(path, name, shape, _vocabulary(shape.rows), _weights(shape, seed), kind, metadata)
    return path


def _weights(shape: Shape, seed: int) -> Callable[[str], Matrix]:
    sizes = {origin: size for _, origin, size, _ in layout(shape)}

    def read(name: str) -> Matrix:
        generator = np.random.default_rng((seed, zlib.crc32(name.encode())))
        matrix = generator.standard_normal(sizes[name], dtype=np.float32)
        matrix *= np.float32(0.02)
        return matrix

    return read


def _vocabulary(rows: int) -> Vocabulary:
    metadata = verify(embedded()[0].path).metadata
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    return Vocabulary(
        tokens=tokens + [f"word{number}" for number in range(len(tokens), rows)],
        merges=metadata["tokenizer.ggml.merges"],
        special=frozenset(number for number, kind in enumerate(types) if kind == CONTROL),
        added=frozenset(),
        normalizer=None,
        end=metadata["tokenizer.ggml.eos_token_id"],
        padding=metadata.get("tokenizer.ggml.padding_token_id"),
        pretokenizer=metadata["tokenizer.ggml.pre"],
    )
