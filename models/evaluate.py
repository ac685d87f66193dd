"""How good a model's answers are on held-out packages: a table, beside baselines that need no model.

    python models/evaluate.py models/MODEL.gguf --data .work --out models/evaluation.md
    python models/evaluate.py models/MODEL.gguf --data .work --tasks rewrite --systems copy --count 50
    python models/evaluate.py models/MODEL.gguf --data .work --only-table --out models/evaluation.md
    python models/evaluate.py OTHER.gguf --data .work --format fim-qwen-repo --systems product eight plain

Every answer is appended to DATA/evaluation/ at once: a run that was stopped goes on where it was, and a
later one with more positions or systems adds what is missing.

Tasks (positions.py): a line is taken out and its indentation given (next line), or more of it (half-typed
line); a LintSeq step is taken back and its place not given (next edit); two to eight lines are taken out
as the server takes a selection out, and their place given (rewrite).
Systems: `product` is the greedy answer and, when the gate rejects it, four sampled ones, as the server asks;
`paper` the greedy answer with the history in file order; `eight` eight sampled answers, the most probable
first; `plain` continues the text above; `ngram` and `copy` are those of baselines.py. That one line is wanted
is told to all of them; how many lines a rewrite has, only to those that cannot choose. `--format` is how
`product` and `eight` are asked. A format that fills in cannot tell where the next edit is: that task is left
out; one that writes regions anew is asked at the end of what is given, with the place on a line of its own.

Each row is with the gate off (the first answer as it came), on (the first that the gate accepts), or on with
its syntax check alone (`syntax`: rejected is what does not parse or has undefined names).
Answers: share of positions with one that is not empty. Findings: share of those answers that give the file
a finding it had not, by a linter process of its own without any of the gate's shortcuts. Yield: share of
positions with an answer that has none. Exact: the module is whole again, blank lines aside. Similarity:
difflib's ratio with what was taken out. Needs what the server needs, and no torch.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, median

from judge import Answer, Judge
from positions import NEXT_EDIT, TASKS, modules_of, positions, records
from systems import PLACED_ONLY, Model, open_system, opened

from lintseq_lsp.formats.base import Task
from lintseq_lsp.formats.lintseq import Layout
from lintseq_lsp.formats.table import FORMATS, detect

SHIPPED = Layout.SUFFIX_FIRST.value
FREE = ("product", "eight")
"""Systems that are asked in any format."""


def labels(
    models: Sequence[Path], systems: Sequence[str], prompt_format: str = SHIPPED
) -> Iterator[tuple[Path | None, str, str]]:
    """(model file, system, label in the file of answers): one without a model for all of them."""
    for name in systems:
        if name in ("ngram", "copy"):
            yield None, name, name
        else:
            for model in models:
                digest = hashlib.sha256(model.read_bytes()).hexdigest()[:8]
                other = f" {prompt_format}" if name in FREE and prompt_format != SHIPPED else ""
                yield model, name, f"{model.stem} {digest} {name}{other}"


NAMES = {
    "product": ("greedy", "greedy, then four more"),
    "paper": ("greedy, file order", ""),
    "plain": ("plain continuation", ""),
    "eight": ("eight, sampled", "eight, sampled"),
    "ngram": ("n-grams", ""),
    "copy": ("copied lines", ""),
}


def table(
    answers: Sequence[Answer],
    models: Sequence[Path],
    systems: Sequence[str],
    tasks: Sequence[str],
    prompt_format: str = SHIPPED,
) -> Iterator[str]:
    yield "| task | system | gate | positions | exact | similarity | answers | findings | yield | ms |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for task in tasks:
        for model, name, label in labels(models, systems, prompt_format):
            mine = [a for a in answers if a.task == task and a.system == label]
            first = [a for a in mine if a.is_first]
            last = [a for a in mine if not a.is_first]
            if not first:
                continue
            one, several = NAMES[name]
            whose = f"{model.stem}: " if model and len(models) > 1 else ""
            if name != "eight":
                gated = [a if a.accepted else silent(a) for a in first]
                lax = [silent(a) if a.early else a for a in first]
                rows = [(one, "off", first, False), (one, "on", gated, True), (several, "on", last, True)]
                if all(a.early is not None for a in first if a.text):
                    rows.insert(1, (one, "syntax", lax, False))
            else:
                rows = [(one, "off", first, False), (several, "on", last, True)]
            for title, gate, of_row, is_gated in rows:
                if of_row:
                    yield f"| {task} | {whose}{title} | {gate} | {' | '.join(row(of_row, is_gated))} |"


def silent(answer: Answer) -> Answer:
    """What is left of an answer that the gate rejects."""
    return replace(answer, text="", exact=False, similarity=0.0, findings=0)


def row(answers: Sequence[Answer], is_gated: bool) -> list[str]:
    given = [a for a in answers if a.text]
    return [
        str(len(answers)),
        f"{100 * mean(a.exact for a in answers):.1f} %",
        f"{mean(a.similarity for a in answers):.3f}",
        f"{100 * len(given) / len(answers):.1f} %",
        f"{100 * mean(a.findings > 0 for a in given):.1f} %" if given else "",
        f"{100 * mean(bool(a.text) and not a.findings for a in answers):.1f} %",
        f"{median(a.writing + is_gated * a.checking for a in answers):.0f}",
    ]


def disagreements(answers: Sequence[Answer]) -> str:
    """How often the gate and the linter that only measures were of one mind on first answers."""
    first = [a for a in answers if a.is_first and a.text]
    strict = sum(not a.accepted and not a.findings for a in first)
    lax = sum(a.accepted and a.findings > 0 for a in first)
    return (
        f"Of {len(first)} first answers that are not empty the gate accepted {lax} in which the other linter "
        f"finds something new, and rejected {strict} in which it finds nothing."
    )


def evaluate(arguments: argparse.Namespace, path: Path) -> None:
    """Appends what is missing to the file of answers."""
    done = {(a["system"], a["task"], a["number"]) for a in records(path)}
    modules = modules_of(arguments.data / "corpus" / f"{arguments.split}.jsonl")
    known = path.with_name(f"positions-{arguments.split}-{arguments.seed}.jsonl")
    wanted = list(labels(arguments.models, arguments.systems, arguments.format))
    prompt_format = FORMATS[arguments.format]
    with closing(Judge()) as judge, path.open("a") as file:
        backends = {m: opened(m, arguments.threads) for m in arguments.models}
        for model, name, label in wanted:
            asked = Model(backends[model or arguments.models[0]], judge)
            system = open_system(name, label, asked, judge, arguments.data, prompt_format)
            if name in FREE and model is not None:
                detect(backends[model].has, model.name, arguments.format)
            placed_only = name in PLACED_ONLY or (name in FREE and Task.NEXT not in prompt_format.tasks)
            for task in arguments.tasks:
                missing = [n for n in range(arguments.count) if (label, task, n) not in done]
                if not missing or (task == NEXT_EDIT and placed_only):
                    continue
                start = time.monotonic()
                for position in positions(modules, task, missing, arguments.seed, judge.lint, known):
                    judge.gate.against(position.base)  # known from idle time in the server
                    given = system(position)
                    file.write("".join(json.dumps(asdict(answer)) + "\n" for answer in given))
                    file.flush()
                print(f"{label}, {task}: {len(missing)} in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", help="GGUF files")
    parser.add_argument("--data", type=Path, default=Path(".work"), help="holds corpus/")
    parser.add_argument("--split", default="held_out")
    parser.add_argument("--count", type=int, default=500, help="positions of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--systems", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--format", choices=FORMATS, default=SHIPPED, help="of prompts; default: %(default)s")
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    parser.add_argument("--answers", default="answers", help="name of the file of answers")
    parser.add_argument("--only-table", action="store_true", help="of the answers that are there")
    parser.add_argument("--out", type=Path, help="the table as Markdown")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    path = arguments.data / "evaluation" / f"{arguments.answers}-{arguments.split}-{arguments.seed}.jsonl"
    if not arguments.only_table:
        evaluate(arguments, path)
    answers = [a for a in (Answer(**r) for r in records(path)) if a.number < arguments.count]
    lines = [
        f"`python {' '.join(sys.argv)}`",
        "",
        *table(answers, arguments.models, arguments.systems, arguments.tasks, arguments.format),
        "",
        disagreements(answers),
    ]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
