"""What the server shows by itself at a level of `lintseq.certainty`, and how much of that is right.

    python models/certainty.py models/MODEL.gguf --data .work --split validation --count 300   # to choose by
    python models/certainty.py models/MODEL.gguf --data .work --count 500 --plot models/certainty.png

At the positions of evaluate.py, asked as the server asks: it chooses how many lines it writes, with the gate.
Each answer and each verdict is made once and serves all levels. What is known of a position is kept in
DATA/evaluation/, so that a run which was stopped goes on where it was.
Shown: share of positions with a suggestion. Right: share of those whose first line is the one that was taken
out; of a next edit, that all of its first step is. Lines: mean number of lines shown.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from judge import SETTINGS, Judge
from kept import Kept
from positions import HALF_TYPED, NEXT_EDIT, NEXT_LINE, Position, modules_of, positions
from systems import opened

from lintseq_lsp.backends.base import Backend, Piece, Request, Special, Usage
from lintseq_lsp.engine import Engine
from lintseq_lsp.linters.base import Check, Linter, Report, Tier
from lintseq_lsp.suggestions import Memory, Outcome
from lintseq_lsp.text import Document
from lintseq_lsp.weights.gguf_header import verify

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5)


class RememberedBackend:
    """Writes the same answer to the same request without the model."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: dict[Request, list[Piece]] = {}
        self.name, self.context, self.usage = backend.name, backend.context, Usage()
        self.abilities = backend.abilities

    def has(self, special: Special) -> bool:
        return self._backend.has(special)

    def count(self, text: str) -> int:
        return self._backend.count(text)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        if request not in self._known:
            self._known[request] = list(self._backend.write(request, cancelled))
        yield from self._known[request]

    def forget(self) -> None:
        self._known.clear()

    def close(self) -> None:
        self._backend.close()


class RememberedLinter:
    """Reports the same on the same text without the linter."""

    def __init__(self, linter: Linter) -> None:
        self._linter = linter
        self._known: dict[tuple[str, str, Tier], Future[Report]] = {}

    def submit(self, check: Check) -> Future[Report]:
        key = check.text, check.path, check.tier
        if key not in self._known:
            self._known[key] = self._linter.submit(check)
        return self._known[key]

    def forget(self) -> None:
        self._known.clear()

    def close(self) -> None:
        self._linter.close()


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion: its number of lines, and whether the first is the one that was taken out."""

    lines: int
    is_right: bool


def asked(engine: Engine, position: Position, certainty: float) -> Outcome:
    engine.memory = Memory()
    if position.placed:
        document = position.with_lines([position.typed])
        offset = document.starts[position.above] + len(position.typed)
        return engine.complete(document, offset, certainty=certainty)
    document = position.document
    line = min(position.cursor, len(document.lines) - 1)
    return engine.next_edit(document, document.starts[line], certainty=certainty)


def shown(position: Position, outcome: Outcome) -> Shown | None:
    if not outcome.suggestions:
        return None
    document = Document(outcome.suggestions[0].text)
    count = len(document.lines) - len(position.document.lines)
    if not position.placed:
        return Shown(count, position.is_exact(document))
    return Shown(count, document.lines[position.above].rstrip() == position.wanted[0].rstrip())


def measured(
    engine: Engine,
    linter: RememberedLinter,
    backend: RememberedBackend,
    asked_at: Sequence[Position],
    kept: Kept,
    label: str,
) -> dict[float, list[Shown | None]]:
    """What is shown at each position, by level. `label` names what else the answers depend on."""

    def at(position: Position) -> dict[float, Shown | None]:
        found = {level: shown(position, asked(engine, position, level)) for level in LEVELS}
        backend.forget()
        linter.forget()
        return found

    by_position = [
        kept.get(json.dumps([label, LEVELS, each.task, each.cut.number]), lambda each=each: at(each))
        for each in asked_at
    ]
    return {level: [found[level] for found in by_position] for level in LEVELS}


def row(task: str, level: float, answers: Sequence[Shown | None]) -> str:
    given = [answer for answer in answers if answer]
    cells = [f"{100 * len(given) / len(answers):.1f} %"]
    if given:
        cells += [f"{100 * mean(a.is_right for a in given):.1f} %", f"{mean(a.lines for a in given):.1f}"]
    return f"| {task} | {level} | {len(answers)} | {' | '.join([*cells, '', ''][:3])} |"


def plot(found: dict[str, dict[float, list[Shown | None]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for task, by_level in found.items():
        points = []
        for answers in by_level.values():
            given = [answer for answer in answers if answer]
            if given:
                points.append((100 * len(given) / len(answers), 100 * mean(a.is_right for a in given)))
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=task)
    axes.set(xlabel="positions with a suggestion, %", ylabel="suggestions whose first line is right, %")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".work"))
    parser.add_argument("--split", default="held_out")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=[NEXT_LINE, HALF_TYPED, NEXT_EDIT])
    parser.add_argument("--threads", type=int, help="of the model; default: the server's")
    parser.add_argument("--plot", type=Path, help="the curves as a PNG")
    arguments = parser.parse_args()
    print("| task | certainty | positions | shown | right | lines |")
    print("|---|---|---|---|---|---|")
    modules = modules_of(arguments.data / "corpus" / f"{arguments.split}.jsonl")
    known = arguments.data / "evaluation" / f"positions-{arguments.split}-{arguments.seed}.jsonl"
    prompt_format = verify(arguments.model).prompt_format()
    digest = hashlib.sha256(arguments.model.read_bytes()).hexdigest()[:12]
    label = f"{digest} {arguments.split} {arguments.seed}"
    found = {}
    with (
        closing(opened(arguments.model, arguments.threads)) as model,
        closing(Judge()) as judge,
        closing(Kept(known.with_name("certainty.sqlite"))) as kept,
    ):
        backend = RememberedBackend(model)
        linter = judge.gate.linter = RememberedLinter(judge.gate.linter)
        engine = Engine(backend, judge.gate, prompt_format=prompt_format, settings=SETTINGS)
        for task in arguments.tasks:
            numbers = range(arguments.count)
            asked_at = list(positions(modules, task, numbers, arguments.seed, judge.lint, known))
            start = time.monotonic()
            found[task] = measured(engine, linter, backend, asked_at, kept, label)
            for level in LEVELS:
                print(row(task, level, found[task][level]), flush=True)
            seconds = (time.monotonic() - start) / len(asked_at)
            print(f"{task}: {seconds:.2f} s a position", flush=True)
    if arguments.plot:
        plot(found, arguments.plot)


if __name__ == "__main__":
    main()
