"""The corpus as training sequences, and those as token files: .work/tokens/{train,validation}-000.npy …

    python models/sequences.py --data .work                       # minutes; about 30,000 rows
    python models/sequences.py --data .work --show 5              # print samples, write nothing
    lintseq-lsp synthesize FOLDER --baseline -o .work/lintseq.jsonl            # the linter's own choice, and
    python models/sequences.py --data .work --synthesized .work/lintseq.jsonl  # those beside the others

Every sequence is whole: it is built to fit and never cut inside of a diff. It ends with the trained end of
the sequence when nothing is left to insert. A header of the history is read but not learned: where a chunk of
a text that is there already begins, and that it has eight lines, says nothing of an answer.

No package sets the tone: of each only so many sequences are used, chosen at random, that it has at most
PACKAGE_BOUND times an equal share of the learned tokens. The largest share is printed.

The same options give the same files. Samples are made in samples.py, rows in rows.py.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import functools
import json
import os
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rows import END, GIVEN, packed, write_rows
from samples import Sample, samples_of

from lintseq_lsp.formats.lintseq import DIFF, instruction_fragment

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTEXT = 1024
TOKENS_PER_SAMPLE = 900  # of a module
PACKAGE_BOUND = 2.0
LINE_END = "Ċ"  # a newline in the byte-level alphabet; it is a token of its own in front of `+`


def encoded(sample: Sample, tokenizer: "Tokenizer", context: int) -> list[int] | None:
    """Ids of a sequence with its end; whole diffs only. None when no answer fits."""
    boundary = tokenizer.token_to_id(DIFF.text)
    given = len(sample.shown)
    ids: list[int] = []
    for i, encoding in enumerate(tokenizer.encode_batch([*sample.shown, *sample.asked])):
        if len(ids) + len(encoding.ids) + 4 > context:
            return ids if i > given else None  # ends behind a boundary, without the end of the sequence
        header = encoding.tokens.index(LINE_END) + 1 if 0 < i < given else 0
        ids += [*(id_ | GIVEN for id_ in encoding.ids[:header]), *encoding.ids[header:], boundary]
    return [*ids, *tokenizer.encode("\n").ids, boundary, END]


def synthesized(path: Path) -> Iterator[Sample]:
    """Each record that `lintseq-lsp synthesize` wrote, its docstring cut to one line."""
    with path.open() as file:
        for record in map(json.loads, file):
            instruction = record["source_instruction"].strip().partition("\n")[0]
            yield Sample([instruction_fragment(instruction)], [f"{edit}\n" for edit in record["edit_path"]])


def learned(ids: np.ndarray) -> int:
    return int((ids < GIVEN).sum())


def bounded(sequences: list[tuple[str, np.ndarray]], times: float) -> tuple[list[np.ndarray], Counter[str]]:
    """(package, ids) without what gives a package more than `times` an equal share of the learned tokens.

    Returns the sequences in their order, and what each package has.
    """
    sizes = Counter[str]()
    for package, ids in sequences:
        sizes[package] += learned(ids)
    bound, share = max(sizes.values()), times / len(sizes)
    while (lower := int(share * sum(min(size, bound) for size in sizes.values()))) < bound:
        bound = lower
    kept, used = [], Counter[str]()
    for package, ids in sequences:
        if used[package] + learned(ids) <= bound:
            used[package] += learned(ids)
            kept.append(ids)
    return kept, used


@functools.cache
def opened(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer  # not needed by what is pure

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True  # `<|diff|>` inside of code is text
    return tokenizer


def sequences_of(
    record: dict[str, str], path: Path, context: int, tokens_per_sample: int, seed: int
) -> list[np.ndarray]:
    """Ids of all sequences of one record of the corpus. The same for the same seed, in any process."""
    rng = random.Random(f"{seed} {record['package']} {record['path']}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            samples = list(samples_of(record["text"], rng, context, tokens_per_sample))
        except RecursionError:
            return []
    found = (encoded(sample, opened(path), context) for sample in samples)
    return [as_array(ids) for ids in found if ids]


def as_array(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.uint16)


def read(path: Path, seed: int, most: int | None) -> list[dict[str, str]]:
    """The records of a split in a random order."""
    with path.open() as file:
        records = [json.loads(line) for line in file]
    random.Random(seed).shuffle(records)
    return records[:most]


def show(arguments: argparse.Namespace) -> None:
    """Prints the first sample of some modules of the validation split."""
    rng = random.Random(arguments.seed)
    for record in read(arguments.data / "corpus" / "validation.jsonl", arguments.seed, arguments.show):
        for sample in samples_of(record["text"], rng, arguments.context, arguments.tokens_per_sample):
            print("=" * 100, *sample.shown, "-" * 40, *sample.asked, sep="\n")
            break


def write(arguments: argparse.Namespace, split: str, tokenizer: Path, out: Path) -> None:
    records = read(arguments.data / "corpus" / f"{split}.jsonl", arguments.seed, arguments.most)
    job = functools.partial(
        sequences_of,
        path=tokenizer,
        context=arguments.context,
        tokens_per_sample=arguments.tokens_per_sample,
        seed=arguments.seed,
    )
    with ProcessPoolExecutor() as pool:
        results = zip(records, pool.map(job, records, chunksize=16), strict=True)
        found = [(record["package"], ids) for record, sequences in results for ids in sequences]
    is_training = split == "train"
    kept, sizes = bounded(found, PACKAGE_BOUND if is_training else len(records))
    for path in arguments.synthesized if is_training else []:
        ids = (encoded(sample, opened(tokenizer), arguments.context) for sample in synthesized(path))
        kept += [as_array(each) for each in ids if each]
    count = write_rows(packed((ids.tolist() for ids in kept), arguments.context), out, split)
    [(package, most)] = sizes.most_common(1)
    print(f"{split}: {count:,} rows of {arguments.context} tokens, {sum(map(learned, kept)):,} to learn")
    print(f"of {len(sizes)} packages {package} has most of them, {100 * most / sizes.total():.2f} %")


def main(arguments: argparse.Namespace) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # processes are parallel already
    tokenizer = arguments.tokenizer or arguments.data / "base" / "tokenizer.json"
    if len(json.loads(tokenizer.read_text())["model"]["vocab"]) > GIVEN:
        raise SystemExit(f"{tokenizer} has more than {GIVEN} tokens, and ids have 15 bits")
    out = arguments.out or arguments.data / "tokens"
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer, out / "tokenizer.json")  # train.py compares it with the model's
    for split in ("validation", "train"):
        write(arguments, split, tokenizer, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--tokenizer", type=Path, help="default: DATA/base/tokenizer.json")
    parser.add_argument("--out", type=Path, help="default: DATA/tokens")
    parser.add_argument("--context", type=int, default=CONTEXT, help="tokens of a row")
    parser.add_argument(
        "--tokens-per-sample", type=int, default=TOKENS_PER_SAMPLE, help="of a module; fewer: more samples"
    )
    parser.add_argument("--synthesized", type=Path, nargs="*", default=[], help="for the train split, too")
    parser.add_argument("--most", type=int, help="records of a split, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, metavar="N", help="print N samples instead")
    arguments = parser.parse_args()
    if arguments.show:
        show(arguments)
    else:
        main(arguments)
