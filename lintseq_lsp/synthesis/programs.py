"""One program in, its edit sequences out: a pure function over plain records.

An engine that maps a function over a data set can take `synthesize` as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import TypedDict

from lintseq_lsp import lintseq
from lintseq_lsp.linters.base import Report
from lintseq_lsp.synthesis.answers import code_in
from lintseq_lsp.text import Document, split_lines
from lintseq_lsp.verdicts import Known, beyond

Key = tuple[str, int]
"""A program's, within a run: its `source_file` and its `index` there."""


@dataclass(frozen=True)
class Program:
    """`index` counts within `source_file`, from 0."""

    index: int
    source_file: str
    instruction: str
    response: str

    @cached_property
    def code(self) -> str:
        """The part of `response` that is Python. Found when wanted first: by a worker, not the reader."""
        return code_in(self.response)

    @property
    def key(self) -> Key:
        return self.source_file, self.index


@dataclass(frozen=True, slots=True)
class Recipe:
    """How sequences are made. With the program it determines them, unless time runs out.

    `samples` sequences a program; `linter` off is the paper's RandSeq ablation; with `baseline`, what
    the whole program has already is no finding. A program is not tried that is longer than `max_characters`
    or `max_lines`, and a sample fails that takes more than `max_checks` of the linter. `timeout` is in
    seconds, for all samples together: the last resort, since it depends on the machine.
    """

    samples: int = 1
    seed: int = 1
    linter: bool = True
    baseline: bool = False
    max_characters: int = 100_000
    max_lines: int = 1_000
    max_checks: int = 2_000
    timeout: float = 600.0


class SequenceRecord(TypedDict):
    """One line of the output, with the reference's names."""

    edit_path: list[str]
    index: int
    source_file: str
    source_instruction: str
    source_response: str


class FailureRecord(TypedDict):
    """A sample that could not be made, and why."""

    index: int
    source_file: str
    sample: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took: checks of the linter, the seconds that these took, and all seconds."""

    checks: int = 0
    linting: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.checks + other.checks, self.linting + other.linting, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class ProgramOutcome:
    """What became of a program: a sequence or a failure for each sample."""

    sequences: Sequence[SequenceRecord] = ()
    failures: Sequence[FailureRecord] = ()
    cost: Cost = field(default=Cost(), compare=False)


def synthesize(
    program: Program, recipe: Recipe, lint: lintseq.Lint, samples: Sequence[int] | None = None
) -> ProgramOutcome:
    """The `samples` of `program` with these numbers, by default all. Line ends become `\\n`; else each
    sequence resolves to its code exactly, outer blank lines aside."""
    if samples is None:
        samples = range(recipe.samples)
    if len(program.response) > recipe.max_characters:
        return failed(program, samples, f"more than {recipe.max_characters} characters")
    lines, _ = split_lines(program.code)
    if not program.code.strip():
        return failed(program, samples, "the program is empty")
    if len(lines) > recipe.max_lines:
        return failed(program, samples, f"more than {recipe.max_lines} lines")
    lint = _remembering(lint)
    if recipe.linter and recipe.baseline:
        text = "\n".join(lines)
        base = lint(text)
        if base.failure is not None:
            return failed(program, samples, base.failure)
        if base.parsed:  # else its other findings are unknown, not absent
            lint = beyond(Known(Document(text), base.findings), lint)
    sequences: list[SequenceRecord] = []
    failures: list[FailureRecord] = []
    for sample in samples:
        random = Random(f"{recipe.seed} {program.index} {sample} {program.code}")
        states: list[lintseq.State] | lintseq.Failure
        if recipe.linter:
            states = lintseq.lintseq_states(lines, _bounded(lint, recipe.max_checks), random)
        else:
            states = lintseq.random_states(lines, random)
        if isinstance(states, lintseq.Failure):
            failures.append(_failure(program, sample, states.reason))
            continue
        sequences.append(
            SequenceRecord(
                edit_path=lintseq.diffs(lines, states),
                index=program.index,
                source_file=program.source_file,
                source_instruction=program.instruction,
                source_response=program.response,
            )
        )
    return ProgramOutcome(sequences, failures)


def _remembering(lint: lintseq.Lint) -> lintseq.Lint:
    """Samples of one program meet the same states. A failure is not remembered: it may have passed."""
    known: dict[str, Report] = {}

    def remembered(text: str) -> Report:
        report = known.get(text)
        if report is None:
            report = lint(text)
            if report.failure is None:
                known[text] = report
        return report

    return remembered


def _bounded(lint: lintseq.Lint, most: int) -> lintseq.Lint:
    """Fails from the check after `most` on. What is remembered counts as well, so that no sample depends on
    another."""
    checks = 0

    def bounded(text: str) -> Report:
        nonlocal checks
        checks += 1
        return lint(text) if checks <= most else Report(failure=f"more than {most} checks")

    return bounded


def failed(program: Program, samples: Iterable[int], reason: str) -> ProgramOutcome:
    """The `samples` of `program` failed, all for the same reason."""
    return ProgramOutcome(failures=[_failure(program, sample, reason) for sample in samples])


def _failure(program: Program, sample: int, reason: str) -> FailureRecord:
    return FailureRecord(index=program.index, source_file=program.source_file, sample=sample, reason=reason)
