"""`lintseq-lsp hook`: the gate for the edits of coding agents."""

import sys
from typing import Annotated

import typer


def hook(
    python: Annotated[str, typer.Option(help="Interpreter or environment to resolve imports.")] = "",
    daemon: Annotated[bool, typer.Option(help="Let a process that stays do the work.")] = True,
) -> None:
    """Judge what a coding agent tells its hook on standard input (see docs/agents.md)."""
    from lintseq_lsp.hooks.client import run

    status, out, err = run(sys.stdin.buffer.read(), python, daemon=daemon)
    typer.echo(out, nl=False)
    typer.echo(err, nl=False, err=True)
    raise typer.Exit(status)
