"""Tests in real editors: collected only when a variable names the editor (see the Makefile here)."""

import os

collect_ignore = [
    name for name in ("nvim", "emacs", "vscode") if not os.environ.get(f"LINTSEQ_{name.upper()}")
]
