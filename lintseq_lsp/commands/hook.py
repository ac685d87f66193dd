"""`lintseq-lsp hook`: the gate for the edits of coding agents."""

import sys
from typing import Annotated

import typer

from lintseq_lsp.commands.terminal import LINTER, clear_errors, other_linters


def hook(
    python: Annotated[str, typer.Option(help="Interpreter or environment for resolving imports.")] = "",
    linter: Annotated[list[str] | None, typer.Option(help=LINTER)] = None,
    daemon: Annotated[bool, typer.Option(help="Use a background process.")] = True,
) -> None:
    """Check an edit of a coding agent: the input of its hook, on standard input (see docs/agents.md)."""
    from lintseq_lsp.hooks.client import run

    with clear_errors():
        linters = other_linters(linter)
    status, out, err = run(sys.stdin.buffer.read(), python, linters, daemon=daemon)
    typer.echo(out, nl=False)
    typer.echo(err, nl=False, err=True)
    raise typer.Exit(status)
