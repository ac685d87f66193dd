"""`lintseq-lsp check`: the gate alone, for files, folders, a patch of any origin, or what git knows of."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from lintseq_lsp.commands import reports
from lintseq_lsp.commands.changes import Skipped, of_git, of_patch
from lintseq_lsp.commands.files import python_files, read_document, read_standard_input
from lintseq_lsp.commands.reports import Entry, Format, Judged, Unread
from lintseq_lsp.commands.terminal import (
    LINTER,
    PATIENCE,
    checked_by,
    clear_errors,
    console,
    errors,
    other_linters,
    print_json,
    show_error,
)
from lintseq_lsp.errors import LintSeqError, PatchError
from lintseq_lsp.gate import Bar, Gate
from lintseq_lsp.globs import matches_any
from lintseq_lsp.review import Change, review
from lintseq_lsp.text import Document


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders to check; - for standard input.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="The file before; its findings do not count.")] = None,
    patch: Annotated[
        str | None,
        typer.Option(help="A patch over the working tree; - for standard input."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="What has changed since a git revision, or since the branch left it."),
    ] = None,
    staged: Annotated[bool, typer.Option("--staged", help="What git would commit.")] = False,
    stdin_filename: Annotated[
        Path | None, typer.Option(help="The path that standard input stands for.")
    ] = None,
    python: Annotated[str, typer.Option(help="Interpreter or environment for resolving imports.")] = "",
    linter: Annotated[list[str] | None, typer.Option(help=LINTER)] = None,
    form: Annotated[Format, typer.Option("--format", help="For people, or for a program.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Fail also for Python that is too new to be checked, and, with --since and --staged, "
            "for new comments and guards that silence the linter.",
        ),
    ] = False,
) -> None:
    """Lint FILES, or their changes. Exit 1 if there are new findings, 2 if a file cannot be read.

    A folder means all its Python files, except hidden folders and environments. Files that may be secrets are
    not read. With --patch, --since and --staged only new findings count, in all changed files, or in the
    changed files among FILES (not with --patch).
    """
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.settings import Settings

    form = Format.JSON if as_json else form
    by_git = since is not None or staged
    with clear_errors():
        ways = (patch is not None, since is not None, staged, bool(files) and not by_git)
        if sum(ways) != 1 or (against is not None and (by_git or len(files or ()) != 1)):
            raise LintSeqError(
                "check takes FILES (a single one with --against, if you like), a --patch, "
                "or --since or --staged, with FILES or without"
            )
        settings = Settings(python=python, linters=other_linters(linter), gate_timeout=PATIENCE)
        root = Path.cwd()
        sources, changes, judged = list[_Source](), list[Change](), list[Entry]()
        found: Iterable[Change | Skipped | Unread] = ()
        if patch is not None:
            found = of_patch(_read_patch(patch), root)
        elif by_git:
            found = of_git(since, root, files or (), settings.ignore)
        else:
            sources = _sources(files or (), stdin_filename, settings.ignore)
        for change in found:
            match change:
                case Change():
                    changes.append(change)
                case Unread():
                    judged.append(change)
                case Skipped():
                    _skip(change.name, change.why)
        first = sources[0].file if sources and sources[0].file else root / "untitled.py"
        gate = open_gate(settings, tuple if sources else lambda: (root,), str(first.resolve()))
        # Nobody is typing.
        gate.policy = replace(gate.policy, pylint_lines=gate.policy.names_lines)
        if form is Format.TEXT:
            for entry in judged:
                _show(entry)
        try:
            for entry in (
                _files(gate, sources, against)
                if sources
                else _changes(gate, changes, lenient=by_git and not strict)
            ):
                judged.append(entry)
                if form is Format.TEXT:
                    _show(entry)
        finally:
            gate.linter.close()
    unread = sum(isinstance(entry, Unread) for entry in judged)
    rejected = sum(isinstance(entry, Judged) and not entry.passes(strict=strict) for entry in judged)
    if form is Format.JSON:
        records = [entry.record() for entry in judged]
        one = bool(sources) and len(files or ()) == len(records) == 1 and not (files or [root])[0].is_dir()
        ok = not unread and not rejected
        print_json(records[0] if one else {"verdict": "accepted" if ok else "rejected", "files": records})
    elif form is not Format.TEXT:
        typer.echo(reports.written(judged, form, strict=strict), nl=False)
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
        raise LintSeqError("--stdin-filename names the text on standard input: add - to the files")
    sources = []
    for file in python_files(files):
        stands_for = stdin_filename if file == Path("-") else file
        if stands_for is not None and matches_any(stands_for.absolute().as_posix(), ignored):
            _skip(str(stands_for), "ignored")
        else:
            name = "<stdin>" if stands_for is None else str(stands_for)
            sources.append(_Source(name, stands_for, file == Path("-")))
    return sources


def _files(gate: Gate, sources: Sequence[_Source], against: Path | None) -> Iterator[Entry]:
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


def _read_patch(patch: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if patch == "-" else Path(patch).read_bytes()
    except OSError as error:
        raise PatchError(f"{patch} cannot be read: {error.strerror}") from error


def _skip(name: str, why: str) -> None:
    errors.print(f"{name}: not judged, {why}", markup=False, soft_wrap=True)


def _changes(gate: Gate, changes: Sequence[Change], *, lenient: bool) -> Iterator[Judged]:
    for change, verdict in review(gate, changes, lenient=lenient):
        yield Judged(change.name, verdict)


def _judge(name: str, after: Document, bar: Bar) -> Judged:
    return Judged(name, bar.submit(after, early=False).result())


def _show(entry: Entry) -> None:
    if isinstance(entry, Unread):
        show_error(entry.error)
        return
    verdict = entry.verdict
    for finding in () if entry.is_newer else verdict.findings:
        console.print(
            f"{entry.path}:{finding.line}:{finding.column}: {finding.names}: {finding.message}",
            markup=False,
            soft_wrap=True,
        )
    if verdict.accepted:
        console.print(f"{entry.path}: no new findings ({checked_by(verdict)})", markup=False, soft_wrap=True)
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
