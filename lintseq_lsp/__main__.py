"""`python -m lintseq_lsp` is `lintseq-lsp`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # -m puts the working directory first, where an editor has its workspace: a json.py there would run.
    # With -P or -I it does not, and then the first one is the standard library's.
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
        del sys.path[0]

    from lintseq_lsp.cli import main

    main()
