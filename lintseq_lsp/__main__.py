"""`python -m lintseq_lsp` is `lintseq-lsp`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # -m puts the working directory first, where an editor has its workspace: a json.py there would run.
    if Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
        del sys.path[0]

    from lintseq_lsp.cli import main

    main()
