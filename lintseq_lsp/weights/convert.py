"""Checkpoint folder → GGUF that llama.cpp runs: its layout in F32, then llama.cpp's own quantiser.

Imports gguf and llama_cpp only when called: the server never needs them from here.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lintseq_lsp.errors import ModelFileError, TokenizerError
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.formats.table import detect
from lintseq_lsp.weights.checkpoint import (
    Matrix,
    Shape,
    Vocabulary,
    read_shape,
    read_tensors,
    read_vocabulary,
)
from lintseq_lsp.weights.gguf_header import Type, verify

if TYPE_CHECKING:
    from gguf import GGUFWriter


# llama.h, enum llama_ftype
_FILE_TYPE = {Type.F32: 0, Type.F16: 1, Type.Q4_0: 2, Type.Q8_0: 7, Type.Q4_K_M: 15}
_PLACE = ".lintseq-convert-"
_DAY = 24 * 60 * 60


def convert(
    folder: Path,
    output: Path,
    *,
    name: str,
    kind: Type = Type.Q8_0,
    metadata: Mapping[str, str | int] | None = None,
) -> None:
    """Writes `output` from the checkpoint in `folder`, atomically, and only what can be used.

    `metadata` goes into the file's header: texts and unsigned integers. Raises `ModelFileError` and
    `TokenizerError` for what cannot be converted.
    """
    shape, vocabulary, tensors = read_shape(folder), read_vocabulary(folder), read_tensors(folder)

    def read(tensor: str) -> Matrix:
        if tensor not in tensors:
            raise ModelFileError(f"{folder} lacks the tensor {tensor}: fetch the checkpoint again")
        return tensors[tensor]()

    write_model(output, name, shape, vocabulary, read, kind, metadata or {})


def write_model(
    output: Path,
    name: str,
    shape: Shape,
    vocabulary: Vocabulary,
    read: Callable[[str], Matrix],
    kind: Type,
    metadata: Mapping[str, str | int],
) -> None:
    """Writes a GGUF of `kind`, atomically. `read` gives a tensor by its name in transformers."""
    known = frozenset(vocabulary.tokens)
    detect(lambda token: token.text in known, name, str(metadata.get("lintseq.prompt_format", "")))
    try:
        if output.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        output.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(output.parent)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=_PLACE) as place:
            result = Path(place) / output.name
            plain = result if kind is Type.F32 else result.with_name(f"{output.name}.f32")
            _write_f32(plain, name, shape, vocabulary, read, metadata)
            if plain != result:
                quantise(plain, result, kind)
            verify(result).prompt_format()
            result.replace(output)
    except OSError as error:
        raise ModelFileError(f"{output} cannot be written: {error.strerror or error}") from None


def _remove_stale(folder: Path) -> None:
    """What conversions left that were killed. One that is running is not a day old."""
    for place in folder.glob(f"{_PLACE}*"):
        with suppress(OSError):
            if time.time() - place.stat().st_mtime > _DAY:
                shutil.rmtree(place)


def quantise(source: Path, output: Path, kind: Type) -> None:
    """Stores the F32 file `source` as `kind`, by llama.cpp."""
    import llama_cpp

    # its Python logger prints every tensor otherwise, by whether this level is above the message's
    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = _FILE_TYPE[kind]
    parameters.nthread = os.cpu_count() or 1
    # Not in this thread: Ctrl-C would be raised, and lost, in the Python logger that llama.cpp calls.
    with ThreadPoolExecutor(1) as thread:
        code = thread.submit(
            llama_cpp.llama_model_quantize,
            os.fsencode(source),
            os.fsencode(output),
            ctypes.byref(parameters),
        ).result()
    if code != 0:
        raise ModelFileError(
            f"llama.cpp could not store {source} as {kind.value} (code {code}): is the disk full?"
        )


def _write_f32(
    path: Path,
    name: str,
    shape: Shape,
    vocabulary: Vocabulary,
    read: Callable[[str], Matrix],
    metadata: Mapping[str, str | int],
) -> None:
    import gguf
    import numpy as np

    with closing(gguf.GGUFWriter(path, shape.architecture.name)) as writer:
        writer.add_name(name)
        writer.add_context_length(shape.context)
        writer.add_embedding_length(shape.width)
        writer.add_block_count(shape.layers)
        writer.add_feed_forward_length(shape.inner)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(shape.key_heads)
        writer.add_rope_dimension_count(shape.head)
        if shape.head * shape.heads != shape.width:
            writer.add_key_length(shape.head)
            writer.add_value_length(shape.head)
        writer.add_rope_freq_base(shape.rope_base)
        if shape.architecture.norms:
            writer.add_layer_norm_rms_eps(shape.epsilon)
        else:
            writer.add_layer_norm_eps(shape.epsilon)
        if shape.clip is not None:
            writer.add_clamp_kqv(shape.clip)
        _add_vocabulary(writer, vocabulary, shape.rows)
        for key, value in metadata.items():
            if isinstance(value, str):
                writer.add_string(key, value)
            else:
                writer.add_uint64(key, value)
        tensors = list(layout(shape))
        for target, _, size, _ in tensors:
            writer.add_tensor_info(target, size, np.dtype(np.float32), 4 * math.prod(size))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for _, origin, size, heads in tensors:
            tensor = read(origin)
            if tensor.shape != size:
                raise ModelFileError(f"{origin} has the shape {tensor.shape}, the configuration says {size}")
            writer.write_tensor_data(_interleave(tensor, heads) if heads else tensor)


def _add_vocabulary(writer: GGUFWriter, vocabulary: Vocabulary, rows: int) -> None:
    from gguf import TokenType

    if len(vocabulary.tokens) > rows:
        raise TokenizerError(f"the tokenizer has {len(vocabulary.tokens)} tokens, the embedding {rows} rows")
    types = []
    for number, token in enumerate(vocabulary.tokens):
        # A marker is a control token, which llama.cpp never finds in text: characters that look like
        # one stay text. Other added tokens (runs of spaces) are user-defined: taken from text first.
        if number in vocabulary.special or token == DIFF.text:
            types.append(TokenType.CONTROL)
        else:
            types.append(TokenType.USER_DEFINED if number in vocabulary.added else TokenType.NORMAL)
    unused = [f"[PAD{number}]" for number in range(len(vocabulary.tokens), rows)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pretokenizer)
    writer.add_token_list(vocabulary.tokens + unused)
    writer.add_token_types(types + [TokenType.UNUSED] * len(unused))
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.end)  # never written (next line); without it llama.cpp assumes id 11
    writer.add_add_bos_token(False)
    writer.add_eos_token_id(vocabulary.end)
    if vocabulary.padding is not None:
        writer.add_pad_token_id(vocabulary.padding)
    if vocabulary.normalizer is not None:
        writer.add_string("lintseq.normalizer", vocabulary.normalizer)


def layout(shape: Shape) -> Iterator[tuple[str, str, tuple[int, ...], int]]:
    """GGUF name, transformers' name, size (rows first), and the heads to interleave (0: none)."""
    architecture, width = shape.architecture, shape.width
    query, keys = shape.head * shape.heads, shape.head * shape.key_heads
    yield "token_embd.weight", "model.embed_tokens.weight", (shape.rows, width), 0
    for layer in range(shape.layers):
        to, origin = f"blk.{layer}", f"model.layers.{layer}"
        if architecture.norms:
            yield f"{to}.attn_norm.weight", f"{origin}.input_layernorm.weight", (width,), 0
            yield f"{to}.ffn_norm.weight", f"{origin}.post_attention_layernorm.weight", (width,), 0
        for part, target, size, heads in (
            ("q", "attn_q", (query, width), shape.heads),
            ("k", "attn_k", (keys, width), shape.key_heads),
            ("v", "attn_v", (keys, width), 0),
            ("o", "attn_output", (width, query), 0),
        ):
            turned = heads if architecture.rotates_pairs else 0
            yield f"{to}.{target}.weight", f"{origin}.self_attn.{part}_proj.weight", size, turned
            if part in shape.biases:
                yield f"{to}.{target}.bias", f"{origin}.self_attn.{part}_proj.bias", size[:1], turned
            if architecture.head_norms and part in "qk":
                yield f"{to}.{target}_norm.weight", f"{origin}.self_attn.{part}_norm.weight", (shape.head,), 0
        yield f"{to}.ffn_gate.weight", f"{origin}.mlp.gate_proj.weight", (shape.inner, width), 0
        yield f"{to}.ffn_up.weight", f"{origin}.mlp.up_proj.weight", (shape.inner, width), 0
        yield f"{to}.ffn_down.weight", f"{origin}.mlp.down_proj.weight", (width, shape.inner), 0
    if architecture.norms:
        yield "output_norm.weight", "model.norm.weight", (width,), 0
    if not shape.tied:
        yield "output.weight", "lm_head.weight", (shape.rows, width), 0


def _interleave(tensor: Matrix, heads: int) -> Matrix:
    """Reorders the rows of each head: transformers rotates (i, i + d/2) as a pair, llama.cpp (2i, 2i + 1)."""
    import numpy as np

    halves = tensor.reshape(heads, 2, len(tensor) // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(tensor.shape)
