"""`lintseq-lsp check`: the gate alone, for a file or for a patch of any origin."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lintseq_lsp.commands.output import (
    PATIENCE,
    clear_errors,
    console,
    errors,
    finding_record,
    print_json,
    read_document,
)
from lintseq_lsp.errors import LintSeqError, PatchError
from lintseq_lsp.gate import Baseline, Gate, Verdict
from lintseq_lsp.text import Document


@dataclass(frozen=True, slots=True)
class Judged:
    path: str
    verdict: Verdict

    def record(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "verdict": "accepted" if self.verdict.accepted else "rejected",
            "reason": self.verdict.reason.value,
            "tier": self.verdict.tier.name.lower(),
            "findings": [finding_record(finding) for finding in self.verdict.findings],
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
) -> None:
    """Lint FILE, or what a PATCH makes of its files: exit 1 if there are new findings."""
    from lintseq_lsp.runtime import open_gate
    from lintseq_lsp.settings import Settings

    with clear_errors():
        if (file is None) == (patch is None) or (patch is not None and against is not None):
            raise LintSeqError("check takes a FILE (with --against, if you like) or a --patch")
        root = Path.cwd()
        first = str(file.resolve() if file else root / "untitled.py")
        settings = Settings(python=python, gate_timeout=PATIENCE)
        gate = open_gate(settings, tuple if file else lambda: (root,), first)
        try:
            judged = list(_files(gate, file, against) if file else _patch(gate, patch or "", root))
        finally:
            gate.linter.close()
    if as_json:
        ok = all(entry.verdict.accepted for entry in judged)
        files = [entry.record() for entry in judged]
        print_json(files[0] if file else {"verdict": "accepted" if ok else "rejected", "files": files})
    else:
        _show(judged)
    if not all(entry.verdict.accepted for entry in judged):
        raise typer.Exit(1)


def _files(gate: Gate, file: Path, against: Path | None) -> Iterator[Judged]:
    document = read_document(file)
    if against is None:
        # Nothing is known of before, so all findings count, and pragmas that are there were there.
        yield _judge(gate, str(file), document, document, gate.baseline(Document("", None, document.path)))
    else:
        before = Document(read_document(against).text, None, document.path)
        yield _judge(gate, str(file), before, document, gate.baseline(before))


def _patch(gate: Gate, patch: str, root: Path) -> Iterator[Judged]:
    from lintseq_lsp.linters.workspace import GivenWorkspace
    from lintseq_lsp.patches import changes, decode_patch

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
    baselines = [gate.baseline(before) for before in befores]
    gate.workspace = GivenWorkspace(absent | dict(zip(news, (c.after for c in judged), strict=True)))
    for change, path, before, baseline in zip(judged, news, befores, baselines, strict=True):
        if change.after is not None:
            yield _judge(gate, change.path, before, Document(change.after, None, path), baseline)


def _judge(gate: Gate, name: str, before: Document, after: Document, baseline: Baseline) -> Judged:
    return Judged(name, gate.submit(before, after, baseline, early=False).result())


def _show(judged: list[Judged]) -> None:
    for entry in judged:
        verdict = entry.verdict
        for finding in verdict.findings:
            console.print(
                f"{entry.path}:{finding.line}:{finding.column}: "
                f"{finding.code} {finding.symbol}: {finding.message}",
                markup=False,
                soft_wrap=True,
            )
        if verdict.accepted:
            console.print(f"{entry.path}: no new findings ({verdict.tier.name.lower()})", markup=False)
        elif not verdict.findings:
            console.print(
                f"{entry.path}: {verdict.reason.value} {verdict.detail}".rstrip(),
                markup=False,
                soft_wrap=True,
            )
    if not judged:
        console.print("no Python file to judge")
