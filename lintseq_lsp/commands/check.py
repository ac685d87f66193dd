"""`lintseq-lsp check`: the gate alone, for files, folders, or a patch of any origin."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lintseq_lsp.commands.files import python_files, read_document, read_standard_input
from lintseq_lsp.commands.terminal import (
    PATIENCE,
    clear_errors,
    console,
    errors,
    finding_record,
    print_json,
    show_error,
)
from lintseq_lsp.errors import LintSeqError, PatchError
from lintseq_lsp.gate import Bar, Gate
from lintseq_lsp.globs import matches_any
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


@dataclass(frozen=True, slots=True)
class Unread:
    path: str
    error: str

    def record(self) -> dict[str, Any]:
        return {"path": self.path, "verdict": "not read", "reason": self.error}


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders to check; - for standard input.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="The file before; its findings do not count.")] = None,
    patch: Annotated[
        str | None,
        typer.Option(help="A patch over the working tree; - for standard input."),
    ] = None,
    stdin_filename: Annotated[Path | None, typer.Option(help="The file that standard input is.")] = None,
    python: Annotated[str, typer.Option(help="Interpreter or environment to resolve imports.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also for Python that is too new to be judged.")
    ] = False,
) -> None:
    """Lint FILES, or what a PATCH makes of its files: exit 1 if there are new findings, 2 if one is not read.

    Of a folder, all Python files, but for hidden folders and environments. What may be a secret is not read.
    """
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.settings import Settings

    with clear_errors():
        if bool(files) == (patch is not None) or (against is not None and len(files or ()) != 1):
            raise LintSeqError("check takes FILES (a single one with --against, if you like) or a --patch")
        settings = Settings(python=python, gate_timeout=PATIENCE)
        sources = [] if files is None else _sources(files, stdin_filename, settings.ignore)
        root = Path.cwd()
        first = sources[0].file if sources and sources[0].file else root / "untitled.py"
        gate = open_gate(settings, tuple if sources else lambda: (root,), str(first.resolve()))
        judged: list[Judged | Unread] = []
        try:
            for entry in _patch(gate, patch, root) if patch is not None else _files(gate, sources, against):
                judged.append(entry)
                if not as_json:
                    _show(entry)
        finally:
            gate.linter.close()
    unread = sum(isinstance(entry, Unread) for entry in judged)
    rejected = sum(isinstance(entry, Judged) and not entry.passes(strict=strict) for entry in judged)
    if as_json:
        records = [entry.record() for entry in judged]
        one = files is not None and len(files) == len(records) == 1 and not files[0].is_dir()
        ok = not unread and not rejected
        print_json(records[0] if one else {"verdict": "accepted" if ok else "rejected", "files": records})
    elif not judged:
        console.print("no Python file to judge")
    elif len(judged) > 1:
        console.print(f"{len(judged)} files: {rejected} rejected, {unread} not read", style="bold")
    if unread or rejected:
        raise typer.Exit(2 if unread else 1)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that is to be judged, by its name; or standard input, which may stand for a file."""

    name: str
    file: Path | None
    is_standard_input: bool = False

    def read(self) -> Document:
        if self.is_standard_input:
            return read_standard_input(self.file)
        assert self.file is not None
        return read_document(self.file)


def _sources(files: Sequence[Path], stdin_filename: Path | None, ignored: Sequence[str]) -> list[_Source]:
    if stdin_filename is not None and Path("-") not in files:
        raise LintSeqError("--stdin-filename names what is read from standard input: add - to the files")
    sources = []
    for file in python_files(files):
        stands_for = stdin_filename if file == Path("-") else file
        if stands_for is not None and matches_any(stands_for.absolute().as_posix(), ignored):
            errors.print(f"{stands_for}: not judged, ignored", markup=False, soft_wrap=True)
        else:
            name = "<stdin>" if stands_for is None else str(stands_for)
            sources.append(_Source(name, stands_for, file == Path("-")))
    return sources


def _files(gate: Gate, sources: Sequence[_Source], against: Path | None) -> Iterator[Judged | Unread]:
    for source in sources:
        try:
            document = source.read()
        except LintSeqError as error:
            yield Unread(source.name, str(error))
            continue
        if against is None:
            # Nothing is known of before, so all findings count, and pragmas that are there were there.
            bar = gate.against(document.with_text(""))
            yield _judge(source.name, document, replace(bar, document=document))
        else:
            before = document.with_text(read_document(against).text)
            yield _judge(source.name, document, gate.against(before))


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


def _show(entry: Judged | Unread) -> None:
    if isinstance(entry, Unread):
        show_error(entry.error)
        return
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
