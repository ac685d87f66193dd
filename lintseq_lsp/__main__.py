"""`python -m lintseq_lsp` is `lintseq-lsp`."""

from lintseq_lsp.cli import main

if __name__ == "__main__":
    main()
