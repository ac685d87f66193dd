"""What commands share: reading files, stopping with one clear line, and showing steps to people."""

import codecs
import contextlib
import difflib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from lintseq_lsp.cases import write_case
from lintseq_lsp.diffs import Diff, Malformed, render
from lintseq_lsp.encoding import decode, encode
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.gate import Reason, Verdict
from lintseq_lsp.generation import Step
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.recorder import RecordingEngine
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document

RECORD = "Write the request and what the model wrote as a case file, which holds all of FILE."
"""Help of `--record`."""

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
        errors.print(Text(f"lintseq-lsp: {error}", style="red"), soft_wrap=True)
        raise typer.Exit(2) from None


def read_document(path: Path) -> Document:
    """The file as it is, line ends and all, in the encoding that it declares."""
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise LintSeqError(f"{path} cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise LintSeqError(f"{path} cannot be read as text: {error.msg}") from error
    if "\0" in text:
        raise LintSeqError(f"{path} is a binary file")
    return Document(text, None, str(path.resolve()))


def write_recorded(engine: RecordingEngine, document: Document, file: Path | None) -> None:
    """What was asked last for `document`, when there is a `file` for it."""
    if file is not None and (case := engine.recorded(document.path)) is not None:
        try:
            file.write_text(write_case(case), "utf-8", newline="")
        except OSError as error:
            raise LintSeqError(f"{file} cannot be written: {error.strerror}") from error


def has_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == codecs.BOM_UTF8


def write_document(path: Path, text: str) -> None:
    """Replaces the file atomically, its mode kept, through a link to where it leads."""
    target = path.resolve()
    try:
        data = (codecs.BOM_UTF8 if has_bom(target) else b"") + encode(text)
    except SyntaxError as error:
        raise LintSeqError(f"{path} cannot be written: {error.msg}") from error
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, target.stat().st_mode & 0o7777)  # noqa: PTH101 - a name, not a Path
        os.replace(temporary, target)  # noqa: PTH105
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise LintSeqError(f"{path} cannot be written: {error.strerror}") from error


def print_json(value: Any) -> None:
    """One object on one line. Lone surrogates of a broken file come out escaped."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def finding_record(finding: Finding) -> dict[str, Any]:
    return {
        "symbol": finding.symbol,
        "code": finding.code,
        "message": finding.message,
        "line": finding.line,
        "column": finding.column,
    }


def verdict_word(verdict: Verdict) -> str:
    """`accepted`, `rejected` or `malformed`."""
    if verdict.accepted:
        return "accepted"
    return "malformed" if verdict.reason is Reason.MALFORMED else "rejected"


def show_step(step: Step) -> None:
    """A step as a coloured diff under its verdict."""
    show_verdict(f"step {step.number}", step.verdict)
    show_diff(diff_text(step.diff, step.written))
    show_findings(step.verdict)


def show_verdict(what: str, verdict: Verdict) -> None:
    """`what`, what became of it, by which tier, and why."""
    word = verdict_word(verdict)
    style = {"accepted": "bold green", "rejected": "bold red", "malformed": "bold yellow"}[word]
    title = Text(f"{what} ")
    title.append(word, style=style)
    title.append(f" by {verdict.tier.name.lower()}" if verdict.tier else "")
    if verdict.detail:
        title.append(f": {verdict.detail}")
    console.print(title)


def show_outcome(document: Document, outcome: Outcome) -> None:
    """What was rejected, what is offered, and why nothing is when that is so."""
    for verdict in outcome.rejected:
        show_verdict("an answer", verdict)
        show_findings(verdict)
    for suggestion in outcome.suggestions:
        evidence = suggestion.evidence
        console.print(
            Text.assemble(
                "answer ",
                ("accepted", "bold green"),
                f" by {evidence.tier.name.lower()}: {counted(evidence.states, 'state')} checked, "
                f"no new finding, {evidence.milliseconds:.0f} ms",
            )
        )
        show_change(document, Document(suggestion.text))
    if not outcome.suggestions:
        console.print(f"nothing: {outcome.reason.value} {outcome.detail}".rstrip(), markup=False)


def show_findings(verdict: Verdict) -> None:
    for finding in verdict.findings:
        console.print(Text(f"  {finding.code} {finding.symbol}: {finding.message}", style="red"))


def show_change(before: Document, after: Document) -> None:
    """The lines that differ, with some around them."""
    lines = difflib.unified_diff(before.lines, after.lines, n=2, lineterm="")
    show_diff("\n".join(list(lines)[2:]))


def show_diff(diff: str) -> None:
    for line in diff.rstrip("\n").split("\n"):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        console.print(Text(f"  {line}", style=style))


def diff_text(diff: Diff | Malformed, written: str) -> str:
    return written if isinstance(diff, Malformed) else render(diff)
