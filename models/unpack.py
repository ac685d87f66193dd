"""Takes a GGUF file apart again, so that the shipped model can be trained further without anything else.

    python models/unpack.py models/lintseq-6m-v2-q8_0.gguf --out .work/v2
    python models/pretrain.py --init .work/v2 --tokens .work/tokens --out .work/v3 --hours 2

The inverse of `lintseq-lsp model convert`: a folder in transformers' layout, its tokenizer included.
"""

import argparse
from pathlib import Path

import torch
from gguf import GGUFReader, TokenType
from gguf.quants import dequantize
from pretrain import Olmo, Shape, published_name, save_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from lintseq_lsp.weights import checkpoint
from lintseq_lsp.weights.convert import layout
from lintseq_lsp.weights.gguf_header import verify


def unpack(file: Path, folder: Path) -> None:
    """Writes `folder` from `file`, a GGUF file of any type. Raises `ModelFileError` for a damaged one."""
    verify(file)
    reader = GGUFReader(file)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    stored = {tensor.name: tensor for tensor in reader.tensors}
    tokens = fields["tokenizer.ggml.tokens"]
    model = Olmo(
        Shape(
            fields["olmo.block_count"],
            fields["olmo.embedding_length"],
            fields["olmo.attention.head_count"],
            fields["olmo.feed_forward_length"],
            fields["olmo.context_length"],
            len(tokens),
            fields["olmo.rope.freq_base"],
        )
    )
    weights = {}
    for name, published, size, heads in layout(plain(model.shape)):
        matrix = torch.from_numpy(dequantize(stored[name].data, stored[name].tensor_type).reshape(size))
        weights[published] = halves(matrix, heads) if heads else matrix
    model.load_state_dict({name: weights[published_name(name)] for name, _ in model.named_parameters()})
    folder.mkdir(parents=True, exist_ok=True)
    types = fields["tokenizer.ggml.token_type"]
    tokenizer(tokens, types, fields["tokenizer.ggml.merges"]).save(str(folder / "tokenizer.json"))
    save_model(model, folder, folder)


def plain(shape: Shape) -> checkpoint.Shape:
    """`shape` as conversion knows it: as many key heads as heads, and tied embeddings."""
    return checkpoint.Shape(
        shape.layers,
        shape.width,
        shape.inner,
        shape.heads,
        shape.heads,
        shape.vocabulary,
        shape.context,
        shape.theta,
        clip=None,
        tied=True,
    )


def halves(matrix: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of each head as transformers has them: the first of each rotated pair, then the second."""
    rows, columns = matrix.shape
    return matrix.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def tokenizer(tokens: list[str], types: list[int], merges: list[str]) -> Tokenizer:
    bpe = models.BPE({token: number for number, token in enumerate(tokens)}, [*map(pair, merges)])
    made = Tokenizer(bpe)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == TokenType.CONTROL]
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return made


def pair(merge: str) -> tuple[str, str]:
    left, _, right = merge.partition(" ")
    return left, right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="GGUF")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    unpack(arguments.file, arguments.out)
