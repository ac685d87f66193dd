"""One program in, its edit sequences out: a pure function over plain records.

An engine that maps a function over a data set can take `synthesize` as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypedDict

from lintseq_lsp import lintseq
from lintseq_lsp.linters.base import Report
from lintseq_lsp.text import Document, split_lines
from lintseq_lsp.verdicts import Known, beyond

Key = tuple[str, int]
"""A program's, within a run: its `source_file` and its `index` there."""


@dataclass(frozen=True, slots=True)
class Program:
    """`code` is the part of `response` that is Python; `index` counts within `source_file`, from 0."""

    index: int
    source_file: str
    instruction: str
    response: str
    code: str

    @property
    def key(self) -> Key:
        return self.source_file, self.index


@dataclass(frozen=True, slots=True)
class Recipe:
    """How sequences are made. With the program it determines them, unless time runs out.

    `samples` sequences a program; `linter` off is the paper's RandSeq ablation; with `baseline`, what
    the whole program has already is no finding. `timeout` is in seconds, for all samples together.
    """

    samples: int = 1
    seed: int = 1
    linter: bool = True
    baseline: bool = False
    timeout: float = 120.0


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
class ProgramOutcome:
    """What became of a program: a sequence or a failure for each sample."""

    sequences: Sequence[SequenceRecord] = ()
    failures: Sequence[FailureRecord] = ()


def synthesize(
    program: Program, recipe: Recipe, lint: lintseq.Lint, samples: Sequence[int] | None = None
) -> ProgramOutcome:
    """The `samples` of `program` with these numbers, by default all. Line ends become `\\n`; else each
    sequence resolves to its code exactly, outer blank lines aside."""
    if samples is None:
        samples = range(recipe.samples)
    lines, _ = split_lines(program.code)
    if not program.code.strip():
        return failed(program, samples, "the program is empty")
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
            states = lintseq.lintseq_states(lines, lint, random)
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


def failed(program: Program, samples: Iterable[int], reason: str) -> ProgramOutcome:
    """The `samples` of `program` failed, all for the same reason."""
    return ProgramOutcome(failures=[_failure(program, sample, reason) for sample in samples])


def _failure(program: Program, sample: int, reason: str) -> FailureRecord:
    return FailureRecord(index=program.index, source_file=program.source_file, sample=sample, reason=reason)
