"""`lintseq-lsp gate`: the process that answers hooks, in the foreground."""

from typing import Annotated

import typer

from lintseq_lsp.commands.terminal import LINTER, clear_errors, other_linters
from lintseq_lsp.errors import LintSeqError


def gate(
    python: Annotated[str, typer.Option(help="Interpreter or environment for resolving imports.")] = "",
    linter: Annotated[list[str] | None, typer.Option(help=LINTER)] = None,
    idle: Annotated[
        float, typer.Option(help="It ends after this many minutes without a hook.", min=0.01)
    ] = 10,
) -> None:
    """The background process for hooks of coding agents. A hook starts it if none runs."""
    with clear_errors():
        try:
            from lintseq_lsp.hooks.channel import place
            from lintseq_lsp.hooks.daemon import serve
            from lintseq_lsp.hooks.handler import open_handler

            linters = other_linters(linter)
            serve(place(python, linters), open_handler(python, linters), idle * 60)
        except ImportError as error:
            raise LintSeqError("this system has no Unix sockets: each hook does the work itself") from error
        except OSError as error:
            raise LintSeqError(f"the daemon cannot listen: {error}") from error
