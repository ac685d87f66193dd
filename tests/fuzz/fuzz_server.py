"""The fake server of lsp_fake.py, which also says what text it has: asked by hand, it offers a digest."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import lintseq_lsp.runtime
from lintseq_lsp.edits import Replacement
from lintseq_lsp.lsp import start
from lintseq_lsp.text import Document

sys.path.insert(0, str(Path(__file__).parent.parent))
import lsp_fake


def digest(text: str, offset: int) -> str:
    """What stands for a text, and a cursor in it in code points."""
    return f"{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}:{offset}"


class Echo(lsp_fake.FakeEngine):
    def complete(self, document: Document, offset: int, *, candidates: int, **more: Any) -> Any:
        if candidates == 1:
            return super().complete(document, offset, candidates=candidates, **more)
        text = digest(document.text, offset)
        return lsp_fake.outcome((lsp_fake.suggestion(document, Replacement(offset, offset, text)),))


if __name__ == "__main__":
    lintseq_lsp.runtime.open_engine = lambda settings, *_, memory, **__: Echo(settings, memory)
    lintseq_lsp.runtime.reopen = lsp_fake.reopen
    sys.exit(start.serve(sys.argv[1:]))
