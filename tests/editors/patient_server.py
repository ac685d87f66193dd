"""The server, with all the time in the world for a chain of next edits.

With its patience, an answer has fewer edits on a busy machine, and what a recording has for the others
is used up: then a test would depend on the machine.
"""

from lintseq_lsp import engine
from lintseq_lsp.cli import main

engine._PATIENCE = float("inf")

if __name__ == "__main__":
    main()
