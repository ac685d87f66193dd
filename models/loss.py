"""Loss of models on the same validation rows, per token and per character, so that tokenizers compare.

    python models/loss.py MODEL_DIR [MODEL_DIR …] --tokens .work/tokens-512

A folder holds transformers' files, as pretrain.py writes them. Rows are decoded with its own tokenizer to
count characters; models of different tokenizers need token files of their own, made from the same corpus.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
from pathlib import Path

import numpy as np
import torch
from pretrain import load_model, targets
from rows import PAD, load_rows
from tokenizers import Tokenizer

ROWS_AT_ONCE = 4

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--tokens", type=Path, default=Path(".work/tokens"))
    parser.add_argument("--split", default="validation")
    parser.add_argument("--rows", type=int, default=10**9)
    arguments = parser.parse_args()
    rows = load_rows(arguments.tokens, arguments.split)[: arguments.rows]
    print("| model | nats a token | nats a character | tokens |\n|---|---|---|---|")
    for folder in arguments.models:
        model = load_model(folder).eval()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        learned = targets(torch.from_numpy(rows.astype(np.int64)))
        texts = tokenizer.decode_batch([[i for i in row if i != PAD] for row in learned.tolist()])
        characters = sum(map(len, texts))
        pieces = torch.from_numpy(rows.astype(np.int64)).split(ROWS_AT_ONCE)
        with torch.no_grad():
            loss = sum(model(piece).item() for piece in pieces)
        tokens = int((learned != PAD).sum())
        print(f"| {folder} | {loss / tokens:.4f} | {loss / characters:.4f} | {tokens} |", flush=True)
