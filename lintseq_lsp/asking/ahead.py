"""Where the user will probably ask next: at the cursor, and on the line below it."""

from collections.abc import Iterator

from lintseq_lsp.completion import cursor_at
from lintseq_lsp.edits import apply
from lintseq_lsp.suggestions import Suggestion
from lintseq_lsp.text import Document, indentation


def next_places(document: Document, offset: int, shown: Suggestion | None) -> Iterator[tuple[Document, int]]:
    """Documents and offsets, the most probable last: what is read last is still there without a copy.

    Below a line means behind an Enter at its end, which what is `shown` at the cursor may lead to.
    """
    yield document, offset
    if shown is not None:
        [change] = shown.replacements
        end = change.start + len(change.text)
        document, offset = document.with_text(apply(document.text, [change])), end
    cursor = cursor_at(document, offset)
    if cursor.typed.strip() and not cursor.right.strip():
        new = document.newline + indentation(cursor.typed)
        end = offset + len(cursor.right)
        yield document.with_text(document.text[:end] + new + document.text[end:]), end + len(new)
