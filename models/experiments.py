"""Small questions about the recipe, each answered by short runs under one equal budget: a table per command.

    python models/experiments.py shapes   --data .work --minutes 7   # three sizes, equal processor time
    python models/experiments.py order    --data .work --steps 360   # raw Python first, or edits at once
    python models/experiments.py cleaning --data .work --steps 240 --wheels FOLDER …
    python models/experiments.py standin  --data .work --programs 200   # no torch, but what the server needs
    python models/experiments.py copying  --data .work --model .work/v2  # how much the n-gram cache is worth

`shapes` and `order` train on DATA/tokens, `order` on DATA/tokens-plain besides (both by sequences.py),
`cleaning` on the same packages cleaned and not. `standin` takes modules apart as the training data does,
on the syntax tree, and asks the linter of each state. `copying` mixes the server's n-gram cache into what a
model expects of the validation split's answers. Answers at budgets this small say which way a choice
leans, not how far. Runs are kept under DATA/experiments: delete that to run anew.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import csv
import json
import platform
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean

HERE = Path(__file__).parent
ROWS = 4  # a step: 4,096 tokens
MEASURED_ROWS = 64  # of 1,024 tokens, at the end of each run
WARM_STEPS = 2  # of a run that only fills the compiler's cache
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the probability, at most, for what is copied
PACKAGES = 40  # of the training split, to compare cleaned with uncleaned


def script(name: str, *arguments: object) -> None:
    subprocess.run([sys.executable, str(HERE / name), *map(str, arguments)], check=True)


def trained(out: Path, tokens: Path, *options: object) -> dict[str, str]:
    """The last row of a run's log; runs that are there already are not made again."""
    if not (out / "done").exists():
        fixed = ["--rows", ROWS, "--validation-rows", ROWS, "--measure-minutes", 1000]
        script("pretrain.py", "--tokens", tokens, "--out", out, *fixed, *options)
        (out / "done").touch()
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))[-1]


def warmed(folder: Path, tokens: Path, *options: object) -> None:
    """Compiles for a shape before its clock runs."""
    trained(folder, tokens, "--steps", WARM_STEPS, *options)


def nats_a_character(model: Path, tokens: Path) -> float:
    """Mean loss over the first validation rows of a folder of token files."""
    rows = ["--tokens", str(tokens), "--rows", str(MEASURED_ROWS)]
    command = [sys.executable, str(HERE / "loss.py"), str(model), *rows]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(written.strip().splitlines()[-1].split("|")[3])


def shapes(arguments: argparse.Namespace) -> Iterable[str]:
    tokens, out = arguments.data / "tokens", arguments.data / "experiments"
    yield "| shape | tokens seen | tokens a processor second | nats a character |"
    yield "|---|---|---|---|"
    for shape in ("mini", "tiny", "small"):
        warmed(out / f"warm-{shape}", tokens, "--shape", shape)
        budget = ["--hours", arguments.minutes / 60, "--processor-time"]
        last = trained(out / shape, tokens, "--shape", shape, *budget)
        seen, seconds = int(last["tokens"]), int(last["seconds"])
        loss = nats_a_character(out / shape, tokens)
        yield f"| {shape} | {seen:,} | {seen / seconds:.0f} | {loss:.4f} |"


def order(arguments: argparse.Namespace) -> Iterable[str]:
    edits, plain = arguments.data / "tokens", arguments.data / "tokens-plain"
    out, steps = arguments.data / "experiments", arguments.steps
    shape = ["--shape", arguments.shape]
    warmed(out / f"warm-{arguments.shape}", edits, *shape)
    trained(out / "edits-only", edits, "--steps", steps, *shape)
    trained(out / "plain-half", plain, "--steps", steps // 2, *shape)
    trained(out / "plain-first", edits, "--steps", steps // 2, "--init", out / "plain-half")
    yield "| run | steps on raw Python | steps on edits | nats a character of edits |"
    yield "|---|---|---|---|"
    rows = [("edits only", 0, steps, "edits-only"), ("raw first", steps // 2, steps // 2, "plain-first")]
    for name, raw_steps, edit_steps, folder in rows:
        yield f"| {name} | {raw_steps} | {edit_steps} | {nats_a_character(out / folder, edits):.4f} |"


def cleaning(arguments: argparse.Namespace) -> Iterable[str]:
    out, tokenizer = arguments.data / "experiments", arguments.data / "tokenizer.json"
    ways = {"cleaned": "corpus", "uncleaned": "corpus-raw"}
    for way, corpus in ways.items():
        if not (out / f"tokens-{way}").exists():
            options = ["--data", out, "--wheels", *arguments.wheels, "--sample", PACKAGES]
            script("corpus.py", "build", *options, *(["--raw"] if way == "uncleaned" else []))
            options = ["--corpus", out / corpus, "--tokenizer", tokenizer, "--out", out / f"tokens-{way}"]
            script("sequences.py", "--plain", *options)
        shape = ["--shape", arguments.shape]
        warmed(out / f"warm-{arguments.shape}", out / f"tokens-{way}", *shape)
        trained(out / way, out / f"tokens-{way}", "--steps", arguments.steps, *shape)
    yield "| trained on | nats a character, cleaned validation text | the same, uncleaned |"
    yield "|---|---|---|"
    for way in ways:
        losses = [nats_a_character(out / way, out / f"tokens-{each}") for each in ways]
        yield f"| {way} | {losses[0]:.4f} | {losses[1]:.4f} |"


def standin(arguments: argparse.Namespace) -> Iterable[str]:
    """States of functions and classes built from nothing: how many have a finding that the whole has not."""
    import sequences

    from lintseq_lsp.diffs import Diff, parse
    from lintseq_lsp.gate import finding_key, new_findings
    from lintseq_lsp.linters.base import Check, Report
    from lintseq_lsp.linters.environment import find_environment
    from lintseq_lsp.linters.pool import PylintPool

    with (arguments.data / "corpus" / "train.jsonl").open() as file:
        records = [json.loads(line) for line in file]
    rng = random.Random(0)
    pool = PylintPool(find_environment(None))

    def lint(lines: Sequence[str]) -> Report:
        return pool.submit(Check("\n".join(lines) + "\n", "untitled.py", timeout=60.0)).result()

    dirty, states, kinds = list[int](), 0, Counter[str]()
    while len(dirty) < arguments.programs:
        module = sequences.parse(rng.choice(records)["text"])
        lone = [f for f in module.functions if 4 <= f[1] - f[0] <= 60]
        if not lone:
            continue
        first, last, _ = rng.choice(lone)
        program = sequences.dedented(module, first, last, keep_docstring=True)
        if program is None:
            continue
        known = Counter(map(finding_key, lint(program.lines).findings))
        lines, found = list[str](), list[bool]()
        for fragment in sequences.from_empty(program, rng)[:-1]:
            diff = parse(fragment)
            assert isinstance(diff, Diff)
            for hunk in reversed(diff.hunks):
                lines[hunk.above : hunk.above] = hunk.added
            new = new_findings(known, lint(lines).findings)
            found.append(bool(new))
            kinds.update(finding.symbol for finding in new)
        states += len(found)
        dirty.append(sum(found))
    pool.close()
    share, with_any = sum(dirty) / states, mean(count > 0 for count in dirty)
    yield "| programs | states but the last | with a finding that the program lacks | programs with any |"
    yield "|---|---|---|---|"
    yield f"| {len(dirty)} | {states} | {sum(dirty)} ({100 * share:.1f} %) | {100 * with_any:.1f} % |"
    yield ""
    yield f"By message: {', '.join(f'{symbol} {count}' for symbol, count in kinds.most_common(8))}."


def copying(arguments: argparse.Namespace) -> Iterable[str]:
    """Loss on the lines of answers, with several shares of the probability for what is copied."""
    import numpy as np
    import torch
    from pretrain import load_model
    from rows import GIVEN, load_rows
    from sequences import LINE_END
    from tokenizers import Tokenizer

    from lintseq_lsp.backends.ngram_cache import NgramCache
    from lintseq_lsp.prompts import BOUNDARY

    tokens = arguments.data / "tokens"
    vocabulary = Tokenizer.from_file(str(tokens / "tokenizer.json")).get_vocab()
    end, boundary, line_end = 0, vocabulary[BOUNDARY], vocabulary[LINE_END]
    model = load_model(arguments.model).eval()
    losses, count = dict.fromkeys(SHARES, 0.0), 0
    for row in load_rows(tokens, "validation")[:MEASURED_ROWS].astype(np.int64):
        with torch.no_grad():
            expected = model.logits(torch.from_numpy(row[None])).softmax(-1)[0].double().numpy()
        lines, is_given, in_header, cache = list[int](), False, True, None
        for place, marked in enumerate(row.tolist()):
            token = marked % GIVEN
            if token in (end, boundary):
                lines, is_given, in_header, cache = [] if token == end else lines, False, True, None
                continue
            is_given |= marked >= GIVEN
            if in_header:
                in_header = token != line_end
                if not in_header and not is_given and lines:
                    cache = NgramCache(lines)
                continue
            if cache is not None:
                repeated = cache.expected(len(vocabulary))
                trust, copied = repeated if repeated else (0.0, {token: 0.0})
                for share in SHARES:
                    mixed = (1 - share * trust) * expected[place - 1, token] + share * trust * copied[token]
                    losses[share] -= np.log(mixed)
                count += 1
                cache.push(token)
            lines.append(token)
    yield f"{count:,} tokens of answers:"
    yield ""
    yield "| copying | nats a token |"
    yield "|---|---|"
    for share in SHARES:
        yield f"| {share} | {losses[share] / count:.4f} |"


COMMANDS = {"shapes": shapes, "order": order, "cleaning": cleaning, "standin": standin, "copying": copying}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--shape", default="tiny", help="of `order` and `cleaning`")
    parser.add_argument("--minutes", type=float, default=7.0, help="of processor time for each shape")
    parser.add_argument("--steps", type=int, default=360, help="of each run, all stages together")
    parser.add_argument("--wheels", type=Path, nargs="+", default=[], help="folders of wheels and sdists")
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--model", type=Path, help="folder in transformers' layout, for `copying`")
    arguments = parser.parse_args()
    lines = list(COMMANDS[arguments.command](arguments))
    print(f"`python {' '.join(sys.argv)}` ({platform.machine()}, Python {platform.python_version()})\n")
    print("\n".join(lines))
