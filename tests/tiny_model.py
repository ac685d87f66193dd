"""Makes GGUF files that llama.cpp runs, with random weights and a vocabulary of single bytes.

A Llama of one layer, or an LFM2, a hybrid: a part of its memory is a state.
They have whatever special tokens a test wants, as the files of other families of models have them: byte-level
BPE, or sentencepiece's with a blank in front of each text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np
from tiny_checkpoint import byte_alphabet

from lintseq_lsp.weights.gguf_header import CONTROL

NORMAL, BYTE = 1, 6
_WIDTH, _INNER = 32, 64
_KERNEL = 3
_END = "<|endoftext|>"
_LLAMA = (
    *((f"blk.0.{name}.weight", _WIDTH) for name in ("attn_norm", "ffn_norm")),
    *((f"blk.0.attn_{name}.weight", _WIDTH, _WIDTH) for name in ("q", "k", "v", "output")),
    *((f"blk.0.{name}.weight", _INNER, _WIDTH) for name in ("ffn_gate", "ffn_up")),
    ("blk.0.ffn_down.weight", _WIDTH, _INNER),
)
_LFM2 = (  # a layer with a state, and one of attention
    *((f"blk.{layer}.{name}.weight", _WIDTH) for layer in (0, 1) for name in ("attn_norm", "ffn_norm")),
    *((f"blk.{layer}.{name}.weight", _INNER, _WIDTH) for layer in (0, 1) for name in ("ffn_gate", "ffn_up")),
    *((f"blk.{layer}.ffn_down.weight", _WIDTH, _INNER) for layer in (0, 1)),
    ("blk.0.shortconv.in_proj.weight", 3 * _WIDTH, _WIDTH),
    ("blk.0.shortconv.conv.weight", _WIDTH, _KERNEL),
    ("blk.0.shortconv.out_proj.weight", _WIDTH, _WIDTH),
    *((f"blk.1.attn_{name}.weight", _WIDTH, _WIDTH) for name in ("q", "k", "v", "output")),
    *((f"blk.1.attn_{name}_norm.weight", _WIDTH // 2) for name in ("q", "k")),
)


def write_model(
    path: Path,
    specials: Sequence[str] = (),
    *,
    kinds: Mapping[str, int] | None = None,
    named: Mapping[str, str] | None = None,
    pieces: bool = False,
    bos: bool = False,
    context: int = 512,
    seed: int = 0,
    hybrid: bool = False,
) -> Path:
    """`kinds` has the types of tokens that are not marked as control tokens.

    `named` says under which names the file keeps ids. `pieces` is sentencepiece's vocabulary.
    """
    ends = list(dict.fromkeys([_END, *specials]))
    if pieces:
        tokens = ["<unk>", "<s>", *ends, *(f"<0x{byte:02X}>" for byte in range(256))]
        tokens += ["▁", *map(chr, range(0x21, 0x7F))]
        types = [2, CONTROL] + [CONTROL] * len(ends) + [BYTE] * 256 + [NORMAL] * (1 + 0x7F - 0x21)
    else:
        tokens = [*ends, *byte_alphabet(), "Ġd", "Ġde", "Ġdef", "re", "ret"]
        types = [CONTROL] * len(ends) + [NORMAL] * (len(tokens) - len(ends))
    for text, kind in (kinds or {}).items():
        types[tokens.index(text)] = kind
    writer = gguf.GGUFWriter(path, "lfm2" if hybrid else "llama")
    writer.add_name(path.stem)
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1 + hybrid)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv([0, 2] if hybrid else 2)
    writer.add_rope_dimension_count(_WIDTH // 2)
    if hybrid:
        writer.add_shortconv_l_cache(_KERNEL)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama" if pieces else "gpt2")
    if not pieces:
        writer.add_tokenizer_pre("qwen2")
        writer.add_token_merges(["Ġ d", "Ġd e", "Ġde f", "r e", "re t"])
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if pieces:
        writer.add_token_scores([0.0] * len(tokens))
    writer.add_bos_token_id(tokens.index("<s>") if pieces else 0)
    writer.add_eos_token_id(tokens.index(_END))
    writer.add_add_bos_token(bos)
    for name, text in (named or {}).items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", tokens.index(text))
    generator = np.random.default_rng(seed)

    def matrix(name: str, *size: int) -> None:
        data = generator.standard_normal(size) if len(size) > 1 else np.ones(size)
        writer.add_tensor(name, (data * (0.3 if len(size) > 1 else 1)).astype(np.float32))

    for name, *size in (
        ("token_embd.weight", len(tokens), _WIDTH),
        *(_LFM2 if hybrid else _LLAMA),
        ("token_embd_norm.weight" if hybrid else "output_norm.weight", _WIDTH),
    ):
        matrix(name, *size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
