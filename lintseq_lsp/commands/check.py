"""`lintseq-lsp check`: the gate alone, for a file or for a patch of any origin."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lintseq_lsp.commands.files import read_document
from lintseq_lsp.commands.output import (
    PATIENCE,
    clear_errors,
    console,
    errors,
    finding_record,
    print_json,
)
from lintseq_lsp.errors import LintSeqError, PatchError
from lintseq_lsp.gate import Bar, Gate
from lintseq_lsp.reasons import Reason
from lintseq_lsp.text import Document
from lintseq_lsp.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    path: str
    verdict: Verdict

    @property
    def is_newer(self) -> bool:
        """Whether it could not be judged: it seems to be Python that is newer than the server's own."""
        return self.verdict.reason is Reason.NEWER_SYNTAX

    def passes(self, *, strict: bool) -> bool:
        return self.verdict.accepted or (self.is_newer and not strict)

    def record(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "verdict": "accepted" if self.verdict.accepted else "not judged" if self.is_newer else "rejected",
            "reason": self.verdict.reason.value,
            "tier": self.verdict.tier.name.lower(),
            "findings": [finding_record(finding) for finding in self.verdict.findings],
            "unknown": list(self.verdict.unknown),
            "milliseconds": round(self.verdict.milliseconds, 1),
        }


def check(
    file: Annotated[Path | None, typer.Argument(help="The file to check.")] = None,
    against: Annotated[Path | None, typer.Option(help="The file before; its findings do not count.")] = None,
    patch: Annotated[
        str | None,
        typer.Option(help="A patch over the working tree; - for standard input."),
    ] = None,
    python: Annotated[str, typer.Option(help="Interpreter or environment to resolve imports.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also for Python that is too new to be judged.")
    ] = False,
) -> None:
    """Lint FILE, or what a PATCH makes of its files: exit 1 if there are new findings."""
    from lintseq_lsp.runtime import open_gate, workspace_of
    from lintseq_lsp.settings import Settings

    with clear_errors():
        if (file is None) == (patch is None) or (patch is not None and against is not None):
            raise LintSeqError("check takes a FILE (with --against, if you like) or a --patch")
        folder = workspace_of(file) if file else Path.cwd()
        gate = open_gate(Settings(python=python, gate_timeout=PATIENCE), folder)
        try:
            judged = list(_files(gate, file, against) if file else _patch(gate, patch or "", folder))
        finally:
            gate.linter.close()
    if as_json:
        ok = all(entry.passes(strict=strict) for entry in judged)
        files = [entry.record() for entry in judged]
        print_json(files[0] if file else {"verdict": "accepted" if ok else "rejected", "files": files})
    else:
        _show(judged)
    if not all(entry.passes(strict=strict) for entry in judged):
        raise typer.Exit(1)


def _files(gate: Gate, file: Path, against: Path | None) -> Iterator[Judged]:
    document = read_document(file)
    if against is None:
        # Nothing is known of before, so all findings count, and pragmas that are there were there.
        yield _judge(str(file), document, gate.against(Document("", None, document.path)).at(document))
    else:
        before = Document(read_document(against).text, None, document.path)
        yield _judge(str(file), document, gate.against(before))


def _patch(gate: Gate, patch: str, root: Path) -> Iterator[Judged]:
    from lintseq_lsp.linters.workspace import GivenWorkspace
    from lintseq_lsp.patches.applying import changes
    from lintseq_lsp.patches.reading import decode_patch

    try:
        data = sys.stdin.buffer.read() if patch == "-" else Path(patch).read_bytes()
    except OSError as error:
        raise PatchError(f"{patch} cannot be read: {error.strerror}") from error
    found = changes(decode_patch(data), root)
    for change in found:
        if change.skipped:
            errors.print(f"{change.path}: not judged, {change.skipped}", markup=False, soft_wrap=True)
    judged = [change for change in found if not change.skipped]
    # Each side where it stands, and among the other files of that side, be the patch applied or not: what
    # a module imports depends on its place.
    olds = [str(root / (change.moved_from or change.path)) for change in judged]
    news = [str(root / change.path) for change in judged]
    absent: dict[str, str | None] = dict.fromkeys([*olds, *news])
    befores = [Document(c.before or "", None, path) for c, path in zip(judged, olds, strict=True)]
    gate.workspace = GivenWorkspace(absent | dict(zip(olds, (c.before for c in judged), strict=True)))
    bars = [gate.against(before) for before in befores]
    gate.workspace = GivenWorkspace(absent | dict(zip(news, (c.after for c in judged), strict=True)))
    for change, path, bar in zip(judged, news, bars, strict=True):
        if change.after is not None:
            yield _judge(change.path, Document(change.after, None, path), bar)


def _judge(name: str, after: Document, bar: Bar) -> Judged:
    return Judged(name, bar.submit(after, early=False).result())


def _show(judged: list[Judged]) -> None:
    for entry in judged:
        verdict = entry.verdict
        for finding in () if entry.is_newer else verdict.findings:
            console.print(
                f"{entry.path}:{finding.line}:{finding.column}: "
                f"{finding.code} {finding.symbol}: {finding.message}",
                markup=False,
                soft_wrap=True,
            )
        if verdict.accepted:
            console.print(
                f"{entry.path}: no new findings ({verdict.tier.name.lower()})", markup=False, soft_wrap=True
            )
        elif entry.is_newer:
            console.print(f"{entry.path}: not judged: {verdict.detail}", markup=False, soft_wrap=True)
        elif not verdict.findings:
            console.print(
                f"{entry.path}: {verdict.reason.value} {verdict.detail}".rstrip(),
                markup=False,
                soft_wrap=True,
            )
        for line in verdict.unknown:
            console.print(f"{entry.path}: not known: {line}", markup=False, soft_wrap=True)
    if not judged:
        console.print("no Python file to judge")
