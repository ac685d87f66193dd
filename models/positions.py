"""Places in held-out modules where a model is asked for what was taken out: the same ones for every system.

Each position follows from the seed, its task and its number alone. Blocks are taken out as the server
does it, by LintSeq's own backward step with the gate's linter.
"""

import functools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from statements import parse

from lintseq_lsp import lintseq
from lintseq_lsp.asking.resolve import taken_out
from lintseq_lsp.linters.base import Report
from lintseq_lsp.linters.syntax import check_syntax
from lintseq_lsp.text import Document, indentation
from lintseq_lsp.verdicts import Known

NEXT_LINE, HALF_TYPED, NEXT_EDIT, REWRITE = TASKS = ("next line", "half-typed line", "next edit", "rewrite")
MOST_LINES = 8  # taken out
FEWEST_LEFT = 10  # lines that are left
FILE_LINES = range(20, 401)  # longer modules are left out: linting them takes long and says nothing more
AWAY = 12  # lines at most, of the cursor from the next edit

Lint = Callable[[str], Report]


@dataclass(frozen=True, slots=True)
class Cut:
    """What was taken out of a module: the lines `wanted`, and those that `step` deleted with them.

    `typed` is what is known of the first wanted line.
    """

    task: str
    number: int
    module: int
    wanted: list[int]
    typed: str
    step: list[int]


@dataclass(frozen=True, slots=True)
class Position:
    """`document` is the module without the wanted lines; they belong below its first `above` lines.

    `base` is what the user has, whose findings are no news: with `pass` where a line is being typed, the
    whole module where a block is to be rewritten. Systems see `shown`, in which they belong below
    `shown_above` lines; the cursor stands there, too, or near by when the place is not told.
    """

    cut: Cut
    base: Document
    document: Document
    above: int
    shown: Document
    shown_above: int
    wanted: tuple[str, ...]
    final: str

    @property
    def task(self) -> str:
        return self.cut.task

    @property
    def typed(self) -> str:
        return self.cut.typed

    @property
    def cursor(self) -> int:
        """So many lines of `shown` stand above the cursor."""
        if self.placed:
            return self.shown_above
        away = random.Random(f"cursor {self.cut.number}").randint(-AWAY, AWAY)
        return min(max(self.shown_above + away, 0), len(self.shown.lines))

    @property
    def placed(self) -> bool:
        """Whether the place is told."""
        return self.task != NEXT_EDIT

    @property
    def expected(self) -> str:
        return "\n".join(self.wanted)[len(self.typed) :].strip()

    def with_lines(self, added: Sequence[str]) -> Document:
        lines = list(self.document.lines)
        lines[self.above : self.above] = added
        return Document("\n".join(lines))

    def is_exact(self, document: Document) -> bool:
        """Whether it is the module again, blank lines and white space at the ends of lines aside."""
        return code_lines(document.text) == code_lines(self.final)


def code_lines(text: str) -> list[str]:
    """Lines that are not blank, white space at their ends aside."""
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSONL file that is appended to; what a kill left of a last one is cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    whole = path.read_bytes().rpartition(b"\n")
    if whole[2]:
        path.write_bytes(whole[0] + whole[1])
    return [json.loads(line) for line in whole[0].splitlines() if line]


def modules_of(path: Path) -> list[str]:
    """The modules of a JSONL file of the corpus that are of a size to be asked about."""
    with path.open() as file:
        texts = [json.loads(line)["text"].strip("\n") for line in file]
    return [text for text in texts if text.count("\n") in FILE_LINES]


def positions(
    modules: Sequence[str], task: str, numbers: Sequence[int], seed: int, lint: Lint, known: Path
) -> Iterator[Position]:
    """The positions of a task with those numbers. `known` keeps what the linter was needed for."""
    found = {cut.number: cut for cut in (Cut(**record) for record in records(known)) if cut.task == task}
    lint = functools.cache(lint)  # modules are met again and again
    for number in numbers:
        cut = found.get(number)
        if cut is None:
            cut = _cut(modules, task, number, random.Random(f"{seed} {task} {number}"), lint)
            with known.open("a") as file:
                file.write(json.dumps(asdict(cut)) + "\n")
        yield _position(modules[cut.module], cut)


def _cut(modules: Sequence[str], task: str, number: int, rng: random.Random, lint: Lint) -> Cut:
    while True:
        index = rng.randrange(len(modules))
        lines = modules[index].split("\n")
        if task == NEXT_EDIT:
            seeds, typed = [rng.choices(range(len(lines)), lintseq.seed_weights(lines))[0]], ""
            if len(lintseq.blocks(lines)[seeds[0]]) > MOST_LINES:
                continue
        else:
            statement = rng.choice(parse(modules[index]).statements)
            code, last = statement.code, statement.last
            if lines[code].lstrip().startswith(('"', "'", "import ", "from ")):
                continue
            seeds, typed = list(range(code, last)), indentation(lines[code])
            if task != REWRITE:
                words = lines[code].strip()
                if len(seeds) != 1 or len(words) < 6:
                    continue
                if task == HALF_TYPED:
                    typed += words[: rng.randint(2, len(words) - 3)]
                passing = [*lines[:code], indentation(lines[code]) + "pass", *lines[last:]]
                if check_syntax("\n".join(passing)).parsed:
                    return Cut(task, number, index, seeds, typed, seeds)
                continue
            if not 2 <= len(seeds) <= MOST_LINES:
                continue
        filled = [seed for seed in seeds if lines[seed].strip()]
        known = Known(Document(modules[index]), lint(modules[index]).findings)
        removed = taken_out(lines, filled, known, lint)
        if isinstance(removed, lintseq.Failure):
            continue  # the server, too, gives up after so many checks
        step = sorted(removed)
        wanted = seeds if task == REWRITE else step
        few = task == REWRITE or sum(bool(lines[n].strip()) for n in step) <= MOST_LINES
        if few and len(lines) - len(step) >= FEWEST_LEFT:
            return Cut(task, number, index, wanted, typed, step)


def _position(text: str, cut: Cut) -> Position:
    lines = text.split("\n")
    gone, first = set(cut.wanted), cut.wanted[0]
    document = Document("\n".join(line for n, line in enumerate(lines) if n not in gone))
    base = document
    shown, shown_above = document, first
    if cut.task == REWRITE:
        step = set(cut.step)
        base = Document(text)
        shown = Document("\n".join(line for n, line in enumerate(lines) if n not in step))
        shown_above = first - sum(n < first for n in step)
    elif cut.task != NEXT_EDIT:
        passing = indentation(lines[first]) + "pass"
        base = Document("\n".join([*lines[:first], passing, *lines[first + 1 :]]))
    wanted = tuple(lines[n] for n in cut.wanted)
    return Position(cut, base, document, first, shown, shown_above, wanted, text)
