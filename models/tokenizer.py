"""Trains the byte-level BPE tokenizer, split as llama.cpp's `gpt-2` does.

    python models/tokenizer.py --data .work --size 4096          # .work/tokenizer.json, tokenizer_config.json
    python models/tokenizer.py --data .work --measure A.json …   # those there are, on the validation split

`<|endoftext|>` is 0, `<pad>` 1, `<|diff|>` 2. It learns from lines as they stand in diffs, with their `+`.
Tokens and weights belong together: who continues a model's training keeps that model's tokenizer.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from lintseq_lsp.prompts import PromptFormat, history

SPECIAL = ("<|endoftext|>", "<pad>", "<|diff|>")
RECORDS = 6000  # modules to learn from
LONGEST = 16  # characters of a token


def fragments(corpus: Path) -> Iterator[str]:
    with corpus.open() as file:
        records = [json.loads(line) for line in file]
    random.Random(0).shuffle(records)
    for record in records[:RECORDS]:
        yield from history(record["text"].strip("\n").split("\n"), 0, PromptFormat.PAPER)


def train(corpus: Path, size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=LONGEST,
    )
    tokenizer.train_from_iterator(fragments(corpus), trainer)
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == [0, 1, 2]
    return tokenizer


def measure(tokenizer: Tokenizer, corpus: Path) -> str:
    """Characters a token on modules that it did not learn from, shown as diffs."""
    texts = list(fragments(corpus))
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
    return f"{tokenizer.get_vocab_size()} tokens: {sum(map(len, texts)) / tokens:.3f} characters a token"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--out", type=Path, help="default: DATA")
    parser.add_argument("--measure", type=Path, nargs="+", default=[], help="train none, measure these")
    arguments = parser.parse_args()
    corpus, out = arguments.data / "corpus", arguments.out or arguments.data
    for path in arguments.measure:
        print(path, measure(Tokenizer.from_file(str(path)), corpus / "validation.jsonl"))
    if not arguments.measure:
        tokenizer = train(corpus / "train.jsonl", arguments.size)
        out.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(out / "tokenizer.json"))
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": SPECIAL[0],
            "pad_token": SPECIAL[1],
            "model_max_length": 1024,
        }
        (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
        print(measure(tokenizer, corpus / "validation.jsonl"))
