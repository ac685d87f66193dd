"""The command line: one command for each stage of the way from a prompt to a lint-clean edit.

Without a command it is the language server. Heavy imports are inside of the commands, so that a
server starts at once.
"""

import sys

from lintseq_lsp import __version__


def main() -> None:
    """Entry point of `lintseq-lsp` and of `python -m lintseq_lsp`."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith(("--stdio", "--tcp", "--log-level", "--clientProcessId")):
        from lintseq_lsp.lsp.start import serve

        sys.exit(serve(arguments))
    if arguments == ["--version"]:
        sys.stdout.write(f"lintseq-lsp {__version__}\n")
        return
    from lintseq_lsp.commands import app

    app()
