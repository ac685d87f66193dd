"""`lintseq-lsp hook`: the gate for the edits of coding agents."""

from typing import Annotated

import typer

from lintseq_lsp import cli


def hook(
    python: Annotated[str, typer.Option(help="Interpreter or environment to resolve imports.")] = "",
    daemon: Annotated[bool, typer.Option(help="Let a process that stays do the work.")] = True,
) -> None:
    """Judge what a coding agent tells its hook on standard input (see docs/agents.md)."""
    raise typer.Exit(cli.hook(python, daemon=daemon))
