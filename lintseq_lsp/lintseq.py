"""LintSeq (Piterbarg et al., 2024): programs taken apart into lint-clean edits, and the edits written out.

Lines are given without their ends and named by zero-based index into the whole program, so a state is
a set of indices and a diff follows from two of them. Deliberately absent: the reading of diffs
(diffs.py).
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from random import Random

from lintseq_lsp.diffs import Diff, Hunk, render
from lintseq_lsp.formats.lintseq import DIFF
from lintseq_lsp.linters.base import Finding, Report
from lintseq_lsp.text import trimmed

MAX_EDITS = 512

Lint = Callable[[str], Report]
"""Checks a text. All findings of the report count, so a policy (a baseline, a deadline) wraps it."""

State = frozenset[int]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result: the linter failed, or the bound on checks was reached."""

    reason: str


def blocks(lines: Sequence[str]) -> list[range]:
    """For each line, itself and the lines below it that are indented deeper."""
    depths = _depths(lines)
    result = []
    for index, depth in enumerate(depths):
        end = index + 1
        while end < len(depths) and depths[end] > depth:
            end += 1
        result.append(range(index, end))
    return result


def seed_weights(lines: Sequence[str]) -> list[float]:
    """How likely each line is to be the next that is deleted; 0 for one that is never picked.

    1 at top level, else the indentation in units of the first one in the program. Never picked are
    blank lines, comments, and the inside of a global constant that spans lines.
    """
    depths = _depths(lines)
    unit = next((depth for depth in depths if depth), 1)
    weights = [0.0] * len(lines)
    for index in _seeds(lines):
        weights[index] = depths[index] / unit if depths[index] else 1.0
    return weights


def backward_step(
    lines: Sequence[str],
    seeds: Collection[int],
    lint: Lint,
    *,
    removed: State = frozenset(),
    max_checks: int | None = None,
) -> State | Failure:
    """Deletes `seeds` with their blocks, then each line with a finding and its block, until clean.

    The lines of `removed` are gone already. Returns the lines that the step deletes. It ends because
    each check that is not clean deletes at least one line; nothing but blank lines is clean unchecked.
    """
    below = blocks(lines)
    gone = set(removed)
    offending = list(seeds)
    checks = 0
    while True:
        for index in offending:
            gone.update(below[index])
        kept = [index for index in range(len(lines)) if index not in gone]
        text = "\n".join(lines[index] for index in kept)
        if not text.strip():
            break
        if checks == max_checks:
            return Failure(f"not clean after {checks} checks")
        report = lint(text)
        checks += 1
        if report.failure is not None:
            return Failure(report.failure)
        if not report.findings:
            break
        offending = [kept[min(max(line_at_fault(f), 1), len(kept)) - 1] for f in report.findings]
    return frozenset(gone) - removed


def line_at_fault(finding: Finding) -> int:
    """The one-based line to delete: a syntax error that points to another one "on line N" means N."""
    if finding.code == "E0001" and (places := re.findall(r"on line (\d+)", finding.message)):
        return int(places[-1])
    return finding.line


def lintseq_states(
    lines: Sequence[str], lint: Lint, random: Random, *, max_edits: int = MAX_EDITS
) -> list[State] | Failure:
    """States from the empty one to the whole program, each but the last lint-clean.

    What has no seed left (comments, blank lines) makes up the first edit, and so does the rest of a
    program that takes more than `max_edits`.
    """
    weights = seed_weights(lines)
    states = [frozenset(range(len(lines)))]
    candidates = [index for index, weight in enumerate(weights) if weight]
    while candidates and len(states) <= max_edits:
        seed = random.choices(candidates, [weights[index] for index in candidates])[0]
        step = backward_step(lines, [seed], lint, removed=states[0].symmetric_difference(range(len(lines))))
        if isinstance(step, Failure):
            return step
        states.insert(0, states[0] - step)
        candidates = [index for index in candidates if index not in step]
    return _from_empty(lines, states)


def random_states(lines: Sequence[str], random: Random) -> list[State]:
    """The paper's RandSeq ablation: chunks of random size, of lines anywhere, without a linter."""
    rest = list(range(len(lines)))
    states = [frozenset(rest)]
    while rest:
        size = random.randrange(1, len(rest)) if len(rest) > 1 else 1
        chunk = set(random.sample(rest, size))
        rest = [index for index in rest if index not in chunk]
        states.insert(0, frozenset(rest))
    return _from_empty(lines, states)


def diffs(lines: Sequence[str], states: Sequence[State]) -> list[str]:
    """One diff for each two states in a row, which must grow.

    A diff is what `difflib.unified_diff(n=0)` writes without file headers, for each state without its
    outer blank lines; but hunks follow from the indices, so that repeated lines cannot be confused.
    A diff is empty when only outer blank lines came.
    """
    shown = [trimmed(lines, state) for state in states]
    return [render(diff_between(lines, *pair)).removesuffix("\n") for pair in pairwise(shown)]


def training_text(instruction: str, edits: Sequence[str]) -> str:
    """What a model is trained on, up to the end-of-sequence token that its tokenizer adds."""
    return "".join(f"{fragment}\n{DIFF.text}" for fragment in [instruction, *edits, ""])


def diff_between(lines: Sequence[str], before: Sequence[int], after: Sequence[int]) -> Diff:
    """The insertions that bring one state to another; each is indices of `lines` in order."""
    known, above = set(before), 0
    hunks = []
    for is_known, run in groupby(after, known.__contains__):
        indices = list(run)
        if is_known:
            above += len(indices)
        else:
            hunks.append(Hunk(above, tuple(lines[index] for index in indices)))
    return Diff(tuple(hunks))


def _depths(lines: Sequence[str]) -> list[int]:
    """Indentation in characters; blank lines and lone brackets belong to what stands above them."""
    depths, depth = [], 0
    for line in lines:
        if len(line.lstrip()) > 1:
            depth = len(line) - len(line.lstrip())
        depths.append(depth)
    return depths


def _seeds(lines: Sequence[str]) -> list[int]:
    seeds, closing = [], ""
    for index, line in enumerate(lines):
        code = line.strip()
        if not code or code.startswith("#"):
            continue
        if closing:
            if code.endswith(closing):
                closing = ""
            continue
        seeds.append(index)
        name, equals, _ = code.partition("=")
        if equals and name.replace(" ", "").isupper():
            closing = {"(": ")", "[": "]"}.get(code[-1], "")
    return seeds


def _from_empty(lines: Sequence[str], states: list[State]) -> list[State]:
    """With the empty state in front, which a single empty line already is."""
    if "\n".join(lines[index] for index in sorted(states[0])):
        return [frozenset(), *states]
    return [frozenset(), *states[1:]]
