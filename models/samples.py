"""Training samples of a module, in the product's own prompt formats. Four kinds:

- from empty: LintSeq's diffs of a function or class that is built from nothing;
- next edit: an excerpt of a module as history, then the statements that were left out, one diff each;
- open block: the same, with the block at the cursor as the first of them;
- rewrite: the same, with what depends on the block left out as well, as a backward step does.

Deliberately absent: the formats, which are the product's (`formats.lintseq`), and tokens (sequences.py).
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import instructions
from statements import (
    Module,
    Statement,
    alone,
    closure,
    is_first_in_function,
    parse,
    within,
)

from lintseq_lsp.diffs import render
from lintseq_lsp.excerpt import excerpt_around
from lintseq_lsp.formats.lintseq import Layout, as_diffs, chunk, instruction_fragment
from lintseq_lsp.lintseq import diff_between
from lintseq_lsp.text import Document, indentation, trimmed

EMPTY, NEXT_EDIT, OPEN_BLOCK, REWRITE = "empty", "next edit", "open block", "rewrite"
KINDS = {EMPTY: 0.16, NEXT_EDIT: 0.26, OPEN_BLOCK: 0.42, REWRITE: 0.16}  # shares
INSTRUCTED = {EMPTY: 0.8, NEXT_EDIT: 0.5, OPEN_BLOCK: 0.25, REWRITE: 0.5}  # shares with an instruction
LAYOUTS = {Layout.SUFFIX_FIRST: 0.9, Layout.PAPER: 0.1}
LEAST_BUDGET, MOST_BUDGET = 120, 700  # tokens of an excerpt, by `cost`
DEFINITION_LINES = range(4, 61)  # of what is built from nothing
KEPT_DOCSTRINGS = 0.5
FUNCTION_STARTS = 0.15  # share of open blocks that are a function's first statement below its docstring
ONE_LINE, FURTHER_STATEMENTS = 0.35, 0.3  # of open blocks: the first line alone; what stands behind, too
UNTYPED_BELOW = 0.4  # share of open blocks without what follows in the same function: people write downwards
BLOCK_LINES, STATEMENT_LINES = 8, 40
STEPS, INSTRUCTED_STEPS = (0, 1, 2, 3, 3, 4, 4, 5), (1, 1, 1, 2)  # left out of an excerpt for next edits
STEP_LINES = 12  # of a next edit
NEAR = 0.7  # share of next edits with the cursor at the first of them
DEPENDENT_LINES = 24  # that may go with a block that is rewritten
APART = 12  # lines between the places of samples


@dataclass(frozen=True, slots=True)
class Sample:
    """Fragments of a sequence: `shown` are the instruction and the history, `asked` the answers."""

    shown: list[str]
    asked: list[str]


T = TypeVar("T")


def choose(rng: random.Random, weights: dict[T, float]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


def cost(line: str) -> int:
    """About the tokens of a line: words, numbers and marks, and its indentation as one."""
    return len(re.findall(r"[^\W\d_]{1,5}|\d|[^\w\s]{1,2}|_+", line)) + 1


def samples_of(text: str, rng: random.Random, context: int, tokens_per_sample: int) -> Iterator[Sample]:
    """Samples of one module, about one for so many tokens of it; none uses a place twice."""
    module = parse(text)
    document = Document("\n".join(module.lines))
    used: set[int] = set()
    for _ in range(max(1, round(sum(map(cost, module.lines)) / tokens_per_sample))):
        kind, layout = choose(rng, KINDS), choose(rng, LAYOUTS)
        instructed = rng.random() < INSTRUCTED[kind]
        free = [s for s in (module.definitions if kind == EMPTY else module.statements) if s.code not in used]
        targets = [s for s in free if fits(s, kind)]
        if kind == OPEN_BLOCK and rng.random() < FUNCTION_STARTS:
            targets = [s for s in targets if is_first_in_function(module, s)] or targets
        if not targets:
            continue
        target = rng.choice(targets)
        if kind == EMPTY:
            used.add(target.code)
            sample = from_empty(module, target, rng, instructed=instructed)
        else:
            budget = rng.randint(LEAST_BUDGET, min(MOST_BUDGET, context * 3 // 4))
            numbers = list(excerpt_around(document, target.code, budget, cost).numbers)
            if not set(numbers).issuperset(range(target.code, target.last)):
                continue
            used |= {n for n in numbers if abs(n - target.code) < APART}
            if kind == NEXT_EDIT:
                sample = next_edit(module, numbers, rng, layout, instructed=instructed)
            else:
                asked = instructions.for_statement(module, target, rng) if instructed else ""
                if kind == OPEN_BLOCK:
                    sample = open_block(module, numbers, target, rng, layout, asked)
                else:
                    sample = rewrite(module, numbers, target, layout, asked)
        if sample is not None:
            yield sample


def fits(statement: Statement, kind: str) -> bool:
    lines = statement.last - statement.code
    if kind == EMPTY:
        return lines in DEFINITION_LINES
    return lines <= (BLOCK_LINES if kind == REWRITE else STATEMENT_LINES)


# ---- from empty


def from_empty(
    module: Module, definition: Statement, rng: random.Random, *, instructed: bool
) -> Sample | None:
    """The diffs that build a definition from nothing, with an instruction or without."""
    own = alone(module, definition, keep_docstring=rng.random() < KEPT_DOCSTRINGS)
    if own is None:
        return None
    asked = instructions.for_definition(module, definition, rng) if instructed else ""
    return Sample([instruction_fragment(asked)], built(own, rng))


def built(module: Module, rng: random.Random) -> list[str]:
    """The diffs that build the whole module from nothing."""
    states = growth(module, range(len(module.lines)), rng, len(module.lines), len(module.lines))
    return [step(module, before, after) for before, after in pairwise([[], *filter(None, states)])]


def growth(
    module: Module, numbers: Iterable[int], rng: random.Random, steps: int, most_lines: int
) -> list[list[int]]:
    """States of the excerpt `numbers`, the last of all its lines; each lacks a statement of the one behind.

    At most `steps` are taken, each of at most `most_lines` lines. As in LintSeq, indented ones are likelier.
    """
    inside = set(numbers)
    present = within(module, inside)
    states = [trimmed(module.lines, inside)]
    tries = 8
    while present and len(states) <= steps and states[-1] and tries:
        candidates = sorted(present)
        depths = [1 + len(indentation(module.lines[module.statements[i].code])) for i in candidates]
        gone = closure(module, present, set(rng.choices(candidates, depths)))
        lines = {n for i in gone for n in range(module.statements[i].first, module.statements[i].last)}
        if len(lines & inside) > most_lines:
            tries -= 1
            continue
        present -= gone
        inside -= lines
        states.append(trimmed(module.lines, inside))
    return states[::-1]


def step(module: Module, before: list[int], after: list[int]) -> str:
    """The fragment that brings the state of lines `before` to the state of lines `after`."""
    return render(diff_between(module.lines, before, after))


# ---- in an excerpt


def next_edit(
    module: Module, numbers: list[int], rng: random.Random, layout: Layout, *, instructed: bool
) -> Sample:
    """An excerpt without what some steps insert as history, then those steps. An instruction asks for one."""
    states = growth(module, numbers, rng, rng.choice(INSTRUCTED_STEPS if instructed else STEPS), STEP_LINES)
    shown, asked = states[0], ""
    above = rng.randint(0, len(shown))
    if len(states) > 1:
        missing = set(states[1]).difference(shown)
        if rng.random() < NEAR:
            above = sum(number < min(missing) for number in shown)
        inserted = [s for s in module.statements if s.code in missing]
        if instructed and inserted:
            asked = instructions.for_statement(module, inserted[0], rng)
    fragments = as_diffs([module.lines[n] for n in shown], above, layout)
    steps = [step(module, before, after) for before, after in pairwise(states)]
    return Sample([instruction_fragment(asked), *fragments], steps)


def open_block(
    module: Module,
    numbers: list[int],
    target: Statement,
    rng: random.Random,
    layout: Layout,
    instruction: str = "",
) -> Sample:
    """An excerpt as history, then the block at the cursor, then what else was left out."""
    inside = set(numbers)
    last = end_of_block(module, target, rng)
    end = max(last, target.last)
    if rng.random() < UNTYPED_BELOW:
        around = [d.last for d in module.definitions if d.code < target.code < d.last]
        end = max(end, min(around, default=end))
    rest = [n for n in range(last, end) if n in inside]
    block, shown = range(target.code, last), sorted(inside.difference(range(target.code, end)))
    steps, state = [], sorted({*shown, *block})
    ends = {s.last for s in module.statements}
    while rest:
        sizes = [size for size in range(1, len(rest) + 1) if rest[size - 1] + 1 in ends] or [len(rest)]
        size = rng.choice([size for size in sizes if size <= BLOCK_LINES] or sizes[:1])
        following, rest = rest[:size], rest[size:]
        grown = sorted({*state, *following})
        steps.append(step(module, state, grown))
        state = grown
    return placed(module, shown, block, steps, layout, instruction)


def end_of_block(module: Module, target: Statement, rng: random.Random) -> int:
    """The line behind what the block at the cursor asks for: whole statements, at most BLOCK_LINES lines.

    The target, in some cases with those behind it, or what fits of it; else its first line alone.
    """
    limit = target.code + BLOCK_LINES
    if rng.random() < ONE_LINE:
        return target.code + 1
    if target.last > limit:
        ends = [s.last for s in module.statements if target.code < s.code and s.last <= limit]
        return rng.choice(ends) if ends else target.code + 1
    if rng.random() < FURTHER_STATEMENTS:
        behind = [module.statements[i].last for i in target.siblings]
        return max([target.last, *(last for last in behind if last <= limit)])
    return target.last


def rewrite(
    module: Module,
    numbers: list[int],
    target: Statement,
    layout: Layout,
    instruction: str = "",
) -> Sample | None:
    """The same without what depends on the block, which comes back in a last diff. None if that is much."""
    inside = set(numbers)
    gone = closure(module, within(module, inside), {module.statements.index(target)})
    lines = {n for i in gone for n in range(module.statements[i].code, module.statements[i].last)}
    block = range(target.code, target.last)
    if len(lines.difference(block)) > DEPENDENT_LINES:
        return None
    shown, steps = trimmed(module.lines, inside - lines), []
    if not lines.issubset(block):
        steps.append(step(module, sorted({*shown, *block}), trimmed(module.lines, inside)))
    return placed(module, shown, block, steps, layout, instruction)


def placed(
    module: Module,
    shown: list[int],
    block: range,
    steps: list[str],
    layout: Layout,
    instruction: str,
) -> Sample:
    """The lines that are shown as history; then the lines of `block`, at their place, and `steps`."""
    above = sum(n < block.start for n in shown)
    first = chunk([module.lines[n] for n in block], above)
    fragments = as_diffs([module.lines[n] for n in shown], above, layout)
    return Sample([instruction_fragment(instruction), *fragments], [first, *steps])
