"""What the server shows by itself at a level of `lintseq.certainty`, and how much of that is right.

    python models/certainty.py models/MODEL.gguf --data .work --count 500

At the positions of evaluate.py, asked as the server asks: it chooses how many lines it writes, with the gate.
Shown: share of positions with a suggestion. First line: share of those whose first line is the one that was
taken out; of a next edit, that all of its first step is. All: share after which the module is whole again.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from evaluate import SETTINGS, Judge, opened
from positions import HALF_TYPED, NEXT_EDIT, NEXT_LINE, Position, modules_of, positions

from lintseq_lsp.engine import Engine
from lintseq_lsp.suggestions import Memory, Outcome
from lintseq_lsp.text import Document
from lintseq_lsp.weights.gguf_header import verify

LEVELS = (0, 0.02, 0.05)


def asked(engine: Engine, position: Position, certainty: float) -> Outcome:
    engine.memory = Memory()
    if position.placed:
        document = position.with_lines([position.typed])
        offset = document.starts[position.above] + len(position.typed)
        return engine.complete(document, offset, certainty=certainty)
    document = position.document
    line = min(position.cursor, len(document.lines) - 1)
    return engine.next_edit(document, document.starts[line], certainty=certainty)


def first_line_is_right(position: Position, text: str) -> bool:
    if not position.placed:
        return position.is_exact(Document(text))
    return Document(text).lines[position.above].rstrip() == position.wanted[0].rstrip()


def rows(engine: Engine, judge: Judge, arguments: argparse.Namespace, task: str) -> Iterator[str]:
    modules = modules_of(arguments.data / "corpus" / "held_out.jsonl")
    known = arguments.data / "evaluation" / f"positions-held_out-{arguments.seed}.jsonl"
    numbers = range(arguments.count)
    asked_at = list(positions(modules, task, numbers, arguments.seed, judge.lint, known))
    for level in LEVELS:
        times, first, whole, shown = [], 0, 0, 0
        for position in asked_at:
            start = time.perf_counter()
            outcome = asked(engine, position, level)
            times.append(1000 * (time.perf_counter() - start))
            if outcome.suggestions:
                text = outcome.suggestions[0].text
                shown += 1
                first += first_line_is_right(position, text)
                whole += position.is_exact(Document(text))
        shares = (shown / len(asked_at), first / max(shown, 1), whole / max(shown, 1))
        cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
        yield f"| {task} | {level} | {len(asked_at)} | {cells} | {median(times):.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| task | certainty | positions | shown | first line | all | ms |")
    print("|---|---|---|---|---|---|---|")
    prompt_format = verify(arguments.model).prompt_format
    with closing(opened(arguments.model)) as backend, closing(Judge()) as judge:
        engine = Engine(backend, judge.gate, prompt_format=prompt_format, settings=SETTINGS)
        for task in (NEXT_LINE, HALF_TYPED, NEXT_EDIT):
            for row in rows(engine, judge, arguments, task):
                print(row, flush=True)


if __name__ == "__main__":
    main()
