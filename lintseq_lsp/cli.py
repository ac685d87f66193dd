"""The command line: one command for each stage of the way from a prompt to a lint-clean edit.

Without a command it is the language server. Heavy imports are inside of the commands, so that a
server starts at once.
"""

import os
import sys

from lintseq_lsp import __version__


def hook(python: str = "", *, daemon: bool = True) -> int:
    """Answers the hook of a coding agent, which goes on whatever happens here. Returns the exit status."""
    from lintseq_lsp.hooks.client import run

    try:
        status, out, err = run(sys.stdin.buffer.read(), python, daemon=daemon)
    except Exception as error:  # noqa: BLE001
        status, out, err = 0, "", f"lintseq-lsp hook: {error!r}\n"
    sys.stdout.write(out)
    sys.stdout.flush()
    sys.stderr.write(err)
    return status


def main() -> None:
    """Entry point of `lintseq-lsp` and of `python -m lintseq_lsp`."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith(("--stdio", "--tcp", "--log-level", "--clientProcessId")):
        from lintseq_lsp.lsp.start import serve

        sys.exit(serve(arguments))
    if arguments == ["--version"]:
        sys.stdout.write(f"lintseq-lsp {__version__}\n")
        return
    if arguments == ["hook"] or (arguments[:2] == ["hook", "--python"] and len(arguments) == 3):
        sys.exit(hook(*arguments[2:]))
    from lintseq_lsp.commands import app

    try:
        app()
    except OSError as error:
        if error.filename is not None:
            raise
        # A full disk, say. What is still in the buffer would be tried again at the end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr.write(f"lintseq-lsp: the output cannot be written: {error.strerror}\n")
        sys.exit(2)
