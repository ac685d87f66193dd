"""`lintseq-lsp mcp`: the gate as tools of the Model Context Protocol, over standard input and output."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lintseq_lsp import __version__
from lintseq_lsp.commands.changes import Skipped, of_patch
from lintseq_lsp.commands.reports import Judged
from lintseq_lsp.commands.terminal import LINTER, PATIENCE, clear_errors, finding_record, other_linters
from lintseq_lsp.encoding import decode
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.gate import Gate
from lintseq_lsp.globs import matches_any
from lintseq_lsp.linters.files import read_file
from lintseq_lsp.review import Change, review
from lintseq_lsp.verdicts import Verdict

if TYPE_CHECKING:
    from mcp.server import MCPServer

_MOST_BYTES = 1 << 24
WHAT_IS_JUDGED = (
    "check_edit tells what an edit of Python code breaks: errors and fatal messages of pylint, "
    "bad-indentation and super-init-not-called, in the text after the edit, which the text before had not. "
    "A finding on a line that was only moved or indented is not new; a second identical one is. It reads the "
    "project's environment to know what can be imported, and runs nothing of it. What cannot be known "
    'without running code is listed as "unknown", and is no finding. No types are checked beyond what pylint '
    "infers, and files that were not given are not looked at."
)


# What follows is what the SDK makes a schema of. It would take slots for defaults.


@dataclass(frozen=True)
class FoundLine:
    linter: str
    line: int
    column: int
    code: str
    symbol: str
    message: str
    same: list[str]


@dataclass(frozen=True)
class FoundFile:
    """`verdict` is accepted, rejected, or not judged, for `reason`."""

    path: str
    verdict: str
    reason: str
    findings: list[FoundLine]
    unknown: list[str]


@dataclass(frozen=True)
class Answer:
    """`against` is what the text before was: `disk`, `git` (its index), `patch`, or `nothing`."""

    new_findings: int
    against: str
    files: list[FoundFile]


def mcp(
    python: Annotated[str, typer.Option(help="Interpreter or environment for resolving imports.")] = "",
    linter: Annotated[list[str] | None, typer.Option(help=LINTER)] = None,
) -> None:
    """Serve the tools check_edit and explain; relative paths start at the current folder."""
    with clear_errors():
        try:
            import mcp.server  # noqa: F401
        except ModuleNotFoundError as error:
            raise LintSeqError("this needs the MCP SDK: pip install 'lintseq-lsp[mcp]'") from error
        from lintseq_lsp.runtime import open_gate
        from lintseq_lsp.settings import Settings

        root = Path.cwd()
        settings = Settings(python=python, linters=other_linters(linter), gate_timeout=PATIENCE)
        gate = open_gate(settings, lambda: (root,), str(root / "untitled.py"))
        try:
            server(gate, root, settings.ignore, settings.linters).run("stdio")
        finally:
            gate.linter.close()


def server(gate: Gate, root: Path, ignored: Sequence[str], linters: Sequence[str] = ()) -> "MCPServer[Any]":
    """The tools, over `gate`; relative paths begin at `root`. What matches `ignored` is not read.

    `linters` are those beside pylint that the gate asks, as the setting names them.
    """
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations

    reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    judged = " ".join([WHAT_IS_JUDGED, *(f"New errors of {linter} count as well." for linter in linters)])
    tools: MCPServer[Any] = MCPServer(
        "lintseq-lsp", version=__version__, instructions=judged, log_level="WARNING"
    )

    @tools.tool(annotations=reads, structured_output=True)
    def check_edit(path: str = "", text: str | None = None, patch: str | None = None) -> Answer:
        """Tells the new lint findings of an edit of Python code, and changes nothing.

        Give `path` and `text` (the whole new text) to compare with the file on disk; `path`
        alone to compare the file on disk with git's index; or `patch`, a unified diff with paths from the
        workspace's folder, be it applied or not.
        """
        try:
            if (patch is None) == (not path) or (text is not None and patch is not None):
                raise LintSeqError("give a path (with or without the text after the edit) or a patch")
            if patch is not None:
                against, changes = "patch", _of_patch(patch, root, ignored)
            else:
                against, changes = _of_file(root / path, path, text, ignored)
            # What a gate has seen counts as long as the files around it stay, which nobody promises here.
            fresh = Gate(gate.linter, gate.syntax, gate.policy)
            files = [_found(change, verdict) for change, verdict in review(fresh, changes, lenient=True)]
        except LintSeqError as error:
            raise ToolError(str(error)) from None
        return Answer(new_findings=sum(len(file.findings) for file in files), against=against, files=files)

    @tools.tool(annotations=reads)
    def explain(symbol: str = "") -> str:
        """Tells what pylint means by a message (`no-member`, or `E1101`); without one, what is judged."""
        if not symbol:
            return judged
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", symbol):
            raise ToolError(f"{symbol!r} is not a pylint message")
        return _meaning(symbol)

    return tools


def _of_patch(patch: str, root: Path, ignored: Sequence[str]) -> list[Change]:
    found = []
    for change in of_patch(patch.encode("utf-8", "surrogateescape"), root):
        if not isinstance(change, Skipped) and not matches_any(Path(change.new).as_posix(), ignored):
            found.append(change)
    return found


def _of_file(file: Path, name: str, text: str | None, ignored: Sequence[str]) -> tuple[str, list[Change]]:
    """What the text before is, and the change. Raises `LintSeqError`."""
    from lintseq_lsp.git import staged

    if file.suffix not in (".py", ".pyw") or matches_any(file.absolute().as_posix(), ignored):
        raise LintSeqError(f"{name} is not checked: it is not a Python file, or looks like a secret")
    path = str(file.absolute())
    held = _read(file)
    if text is not None:
        return "disk" if held is not None else "nothing", [Change(name, path, path, held, text)]
    if held is None:
        raise LintSeqError(f"{name} does not exist: give its text")
    before = staged(path)
    return "git" if before is not None else "nothing", [Change(name, path, path, before, held)]


def _read(file: Path) -> str | None:
    """None where there is no file. Raises `LintSeqError`."""
    try:
        return decode(read_file(file, _MOST_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LintSeqError(f"{file} cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise LintSeqError(f"{file} cannot be read as text: {error.msg}") from error


def _found(change: Change, verdict: Verdict) -> FoundFile:
    record = Judged(change.name, verdict).record()
    return FoundFile(
        path=record["path"],
        verdict=record["verdict"],
        reason=verdict.detail or verdict.reason.value,
        findings=[FoundLine(**finding_record(finding)) for finding in verdict.findings],
        unknown=record["unknown"],
    )


def _meaning(symbol: str) -> str:
    """As pylint itself says it, from a process that reads no configuration, and in no workspace's folder."""
    command = [sys.executable, "-I", "-m", "pylint", "--rcfile", "", "--help-msg", symbol]
    done = subprocess.run(
        command,
        cwd=Path(sys.executable).anchor,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return (done.stdout or done.stderr).strip()
