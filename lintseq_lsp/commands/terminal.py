"""What commands share: stopping with one clear line, and showing steps to people."""

import contextlib
import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from lintseq_lsp.cases import write_case
from lintseq_lsp.diffs import Diff, Hunk, render
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.formats.base import Malformed, changed_lines
from lintseq_lsp.generation import Step
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.reasons import Reason
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.suggestions import Evidence, Outcome
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict

RECORD = "Write the request and the model's answer as a case file, which contains all of FILE."
"""Help of `--record`."""

ENDPOINT = "Address of a model server, to use instead of a model on this machine."
"""Help of `--endpoint`."""

LINTER = "Another linter whose new errors count beside pylint's: ruff or ty; ruff=E9,F names its rules."
"""Help of `--linter`."""

PATIENCE = 20.0
"""Seconds that one check may take where nobody is typing."""

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """An expected error ends the command with its message and exit code 2, without a traceback."""
    try:
        yield
    except LintSeqError as error:
        show_error(str(error))
        raise typer.Exit(2) from None


def other_linters(values: Sequence[str] | None) -> tuple[str, ...]:
    """What `--linter` says. Raises `LintSeqError`."""
    if not values:
        return ()
    from lintseq_lsp.linters.several import choose

    if unknown := choose(values)[1]:
        raise LintSeqError(f"--linter {', '.join(unknown)} is not known: {LINTER}")
    return tuple(values)


def checked_by(judged: Verdict | Evidence) -> str:
    """The linters that did, pylint by how deep it went."""
    return ", ".join((judged.tier.name.lower(), *judged.also))


def show_error(message: str) -> None:
    errors.print(Text(f"lintseq-lsp: {message}", style="red"), soft_wrap=True)


def write_recorded(engine: RecordingEngine, document: Document, file: Path | None) -> None:
    """What was asked last for `document`, when there is a `file` for it."""
    if file is not None and (case := engine.recorded(document.path)) is not None:
        try:
            file.write_text(write_case(case), "utf-8", newline="")
        except OSError as error:
            raise LintSeqError(f"{file} cannot be written: {error.strerror}") from error


def print_json(value: Any) -> None:
    """One object on one line. Lone surrogates of a broken file come out escaped."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def finding_record(finding: Finding) -> dict[str, Any]:
    return {
        "linter": finding.linter,
        "symbol": finding.symbol,
        "code": finding.code,
        "message": finding.message,
        "line": finding.line,
        "column": finding.column,
        "same": [same.name for same in finding.same],
    }


def verdict_word(verdict: Verdict) -> str:
    """`accepted`, `rejected` or `malformed`."""
    if verdict.accepted:
        return "accepted"
    return "malformed" if verdict.reason is Reason.MALFORMED else "rejected"


def show_step(step: Step) -> None:
    """A step as a coloured diff under its verdict."""
    show_verdict(f"step {step.number}", step.verdict)
    show_diff(diff_text(step))
    show_findings(step.verdict)


def show_verdict(what: str, verdict: Verdict) -> None:
    """`what`, what became of it, by which tier, and why."""
    word = verdict_word(verdict)
    style = {"accepted": "bold green", "rejected": "bold red", "malformed": "bold yellow"}[word]
    title = Text(f"{what} ")
    title.append(word, style=style)
    if verdict.tier:
        title.append(f" by {checked_by(verdict)}, checked in {verdict.milliseconds:.0f} ms")
    if verdict.detail:
        title.append(f": {verdict.detail}")
    console.print(title)


def show_outcome(document: Document, outcome: Outcome) -> None:
    """What was rejected, what is offered, and why nothing is when that is so."""
    for verdict in outcome.rejected:
        show_verdict("answer", verdict)
        if verdict.reason is Reason.MALFORMED:
            show_diff(verdict.text)
        else:
            show_change(document, Document(verdict.text))
        show_findings(verdict)
    for suggestion in outcome.suggestions:
        evidence = suggestion.evidence
        console.print(
            Text.assemble(
                "answer ",
                ("accepted", "bold green"),
                f" by {checked_by(evidence)}: {counted(evidence.states, 'state')} checked, "
                f"no new finding, {evidence.milliseconds:.0f} ms",
            )
        )
        if evidence.ending:
            console.print(Text(f"unfinished, checked as if this followed: {evidence.ending}", style="dim"))
        show_change(document, Document(suggestion.text))
    if not outcome.suggestions:
        reason = outcome.reason
        console.print(f"nothing: {reason.value}. {reason.sentence} {outcome.detail}".rstrip(), markup=False)


def show_findings(verdict: Verdict) -> None:
    for finding in verdict.findings:
        console.print(Text(f"  {finding.names}: {finding.message}", style="red"))


def show_change(before: Document, after: Document) -> None:
    """The lines that differ, with some around them."""
    lines = difflib.unified_diff(before.lines, after.lines, n=2, lineterm="")
    show_diff("\n".join(list(lines)[2:]))


def show_diff(diff: str) -> None:
    for line in diff.rstrip("\n").split("\n"):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        console.print(Text(f"  {line}", style=style), soft_wrap=True)


def diff_text(step: Step) -> str:
    """What a step changes, as a diff without context; what the model wrote, where that is no edit."""
    if isinstance(step.edit, Malformed):
        return step.written
    hunks = []
    for change in step.edit.changes:
        first, end, lines = changed_lines(step.before, change)
        hunks.append(Hunk(first, tuple(lines), tuple(step.before.lines[first:end])))
    return render(Diff(tuple(hunks)))
