"""The server, with all the time in the world for a chain of next edits.

With its patience, an answer has fewer edits on a busy machine: how many would depend on the machine.
"""

from lintseq_lsp.cli import main
from lintseq_lsp.lsp import next_edit

next_edit.PATIENCE = float("inf")

if __name__ == "__main__":
    main()
