"""The command line: one command for each stage of the way from a prompt to a lint-clean edit.

Without a command it is the language server. Heavy imports are inside of the commands, so that a
server starts at once.
"""

import gc
import io
import os
import sys

from lintseq_lsp import __version__


def main() -> None:
    """Entry point of `lintseq-lsp` and of `python -m lintseq_lsp`."""
    try:
        _run()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lintseq_lsp":
            raise
        sys.stderr.write(
            f"lintseq-lsp: the package {error.name} is not installed, which this needs: install lintseq-lsp "
            "(lintseq-gate is without the model and the server)\n"
        )
        sys.exit(2)


def _run() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith(("--stdio", "--tcp", "--log-level", "--clientProcessId")):
        gc.disable()  # it would go through what is imported again and again: a tenth of the time
        from lintseq_lsp.lsp.start import serve

        gc.freeze()
        gc.enable()
        sys.exit(serve(arguments))
    if arguments == ["--version"]:
        sys.stdout.write(f"lintseq-lsp {__version__}\n")
        return
    if (
        arguments[:1] == ["hook"]
        and len(arguments) % 2
        and {"--python", "--linter"}.issuperset(arguments[1::2])
    ):
        from lintseq_lsp.hooks.client import run

        options = list(zip(arguments[1::2], arguments[2::2], strict=True))
        python = dict(options).get("--python", "")
        linters = tuple(value for name, value in options if name == "--linter")
        status, out, err = run(sys.stdin.buffer.read(), python, linters)
        sys.stdout.write(out)
        sys.stdout.flush()
        sys.stderr.write(err)
        sys.exit(status)
    from lintseq_lsp.commands import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it may be closed; what it cannot write is escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as error:
        if error.filename is not None:
            raise
        # A full disk, say. What is still in the buffer would be tried again at the end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr.write(f"lintseq-lsp: the output cannot be written: {error.strerror}\n")
        sys.exit(2)
