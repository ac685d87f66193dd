"""`lintseq-lsp tour`: three situations of an editor, in files that ship, with every verdict on the way.

Nothing is written, and nothing is fetched. Deliberately absent: editing by an instruction, at which small
models are poor (`lintseq-lsp edit`).
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lintseq_lsp.actions import Action, ActionKind
from lintseq_lsp.commands.files import read_document
from lintseq_lsp.commands.terminal import PATIENCE, clear_errors, console, show_outcome
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.reasons import Reason
from lintseq_lsp.suggestions import Outcome
from lintseq_lsp.text import Document

_CURSOR = "▮"
_PAUSE = 1.5
"""Seconds to read what was shown last, at a terminal."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a user has in front of them: a file, and the lines (zero-based) that are shown of it."""

    title: str
    file: str
    lines: range
    ask: Callable[[Engine, Document], Outcome]
    column: int | None = None
    """Where the cursor is in the last of the lines."""


def _complete(line: int, column: int) -> Callable[[Engine, Document], Outcome]:
    return lambda engine, document: engine.complete(document, document.offset(line, column))


def _fix(line: int) -> Callable[[Engine, Document], Outcome]:
    """Shows what is wrong in the line, as an editor does, and asks for another one."""

    def ask(engine: Engine, document: Document) -> Outcome:
        known = engine.gate.against(document).known.findings
        finding = next((each for each in known if each.line == line + 1), None)
        if finding is None:
            return Outcome(reason=Reason.STALE, detail="the linter reports nothing in this line")
        console.print(
            Text(f"  line {finding.line}: {finding.code} {finding.symbol}: {finding.message}", "red")
        )
        action = Action(ActionKind.FIX, line, line, "", finding.symbol, finding.message)
        return engine.resolve(document, action)

    return ask


SITUATIONS = (
    Situation("A half-typed line", "geometry.py", range(49, 54), _complete(53, 7), 7),
    Situation("The body below a docstring", "measurements.py", range(3, 6), _complete(5, 0), 0),
    Situation("A line that pylint complains about", "jobs.py", range(13, 16), _fix(15)),
)


def examples_folder() -> Path:
    """Where the files lie: inside an installed package, else in a source checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_examples"
    return installed if installed.is_dir() else package.parent / "examples"


def tour(
    model: Annotated[str, typer.Option(help="A GGUF file or the name of a model.")] = "",
    pause: Annotated[
        float | None, typer.Option(min=0, help="Seconds to read each part; by default 1.5 at a terminal.")
    ] = None,
) -> None:
    """See in half a minute what an editor would show: three situations, each edit with its verdict."""
    from lintseq_lsp.runtime import open_engine
    from lintseq_lsp.settings import Settings

    reading = (_PAUSE if console.is_terminal else 0.0) if pause is None else pause
    start = time.perf_counter()
    with clear_errors():
        settings = Settings(model=model, gate_timeout=PATIENCE)
        engine = open_engine(settings, first=str(examples_folder() / SITUATIONS[0].file))
        try:
            console.print(
                f"Model {engine.backend.name} and pylint, started in {_seconds(start)}.", markup=False
            )
            for number, situation in enumerate(SITUATIONS, 1):
                _show(number, situation, engine, reading)
        finally:
            engine.close()
    console.print(_onward(_seconds(start)), markup=False, soft_wrap=True)


def _show(number: int, situation: Situation, engine: Engine, reading: float) -> None:
    document = read_document(examples_folder() / situation.file)
    if situation.lines.stop > len(document.lines):
        raise LintSeqError(f"{document.path} was changed: install lintseq-lsp again")
    console.print(Text(f"\n{number}. {situation.title} ({situation.file})", "bold"))
    for line in situation.lines:
        text = document.lines[line]
        if situation.column is not None and line == situation.lines[-1]:
            text = text[: situation.column] + _CURSOR + text[situation.column :]
        console.print(Text(f"  {line + 1:3} {text}", "dim"), soft_wrap=True)
    time.sleep(reading)
    show_outcome(document, situation.ask(engine, document))
    time.sleep(reading)


def _seconds(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} s"


def _onward(seconds: str) -> str:
    command = "lintseq-lsp" if shutil.which("lintseq-lsp") else str(Path(sys.argv[0]).absolute())
    return f"""
That took {seconds}. No file was changed, and nothing used the network.

Continue with a file of yours (lines and columns count from 0):
  {command} complete FILE.py --line 0 --column 0
To see what is installed, and what would make it faster:
  {command} doctor
In VS Code, install the extension, type in a Python file, and press Tab when grey text appears.
Neovim needs two lines in init.lua: README.md. Other editors: editors/README.md."""
