"""Between the protocol's positions and code-point offsets: the only module that knows UTF-16 and UTF-8.

Also how suggestions look in the protocol.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from lsprotocol import types

from lintseq_lsp.edits import Replacement, apply, beside
from lintseq_lsp.text import Document

Json = dict[str, Any]


class Encoding(Enum):
    """What one unit of `Position.character` is."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


def negotiated(preferences: object) -> Encoding:
    """The first of the client's `general.positionEncodings` that is known; UTF-16 when there is none."""
    known = {encoding.value: encoding for encoding in Encoding}
    if isinstance(preferences, list):
        for preference in preferences:
            if isinstance(preference, str) and preference in known:
                return known[preference]
    return Encoding.UTF16


def _width(character: str, encoding: Encoding) -> int:
    code = ord(character)
    if encoding is Encoding.UTF16:
        return 1 if code < 0x10000 else 2
    if encoding is Encoding.UTF8:
        return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
    return 1


def column_from_units(line: str, units: int, encoding: Encoding) -> int:
    """Code points in front of `units`: rounded down inside of a character, clamped to the line."""
    if encoding is Encoding.UTF32 or line.isascii():
        return max(0, min(units, len(line)))
    for column, character in enumerate(line):
        units -= _width(character, encoding)
        if units < 0:
            return column
    return len(line)


def units_from_column(line: str, column: int, encoding: Encoding) -> int:
    if encoding is Encoding.UTF32 or line.isascii():
        return min(column, len(line))
    return sum(_width(character, encoding) for character in line[:column])


def offset_at(document: Document, position: types.Position, encoding: Encoding) -> int:
    """Code-point offset of a position, clamped to the document."""
    if position.line >= len(document.lines):
        return len(document.text)
    column = column_from_units(document.lines[position.line], position.character, encoding)
    return document.starts[position.line] + column


def position_at(document: Document, offset: int, encoding: Encoding) -> types.Position:
    line, column = document.position(offset)
    return types.Position(line, units_from_column(document.lines[line], column, encoding))


def range_between(document: Document, start: int, end: int, encoding: Encoding) -> types.Range:
    return types.Range(position_at(document, start, encoding), position_at(document, end, encoding))


def lines_of(selection: types.Range) -> tuple[int, int]:
    """First and last line of a range; a last line of which nothing is selected does not count."""
    first, last = selection.start.line, selection.end.line
    return first, last - 1 if last > first and selection.end.character == 0 else max(first, last)


def text_edit(document: Document, replacement: Replacement, encoding: Encoding) -> types.TextEdit:
    return types.TextEdit(
        range_between(document, replacement.start, replacement.end, encoding), replacement.text
    )


def with_line_feeds(text: str) -> str:
    """A text that clients draw, and then insert as they end lines.

    Neovim and Emacs would show and insert a carriage return as a character of its own; VS Code compares
    with its lines as they are joined by line feeds. All of them write the document's own line ends.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")


def at_cursor(document: Document, replacements: Sequence[Replacement], cursor: int) -> Replacement | None:
    """The same change as one replacement that clients can show as ghost text; None when there is none.

    It begins at the cursor and ends on the cursor's line, and what it replaces is a subword of its
    text. A change that begins on the next line is written as one that begins at the cursor.
    """
    line = document.position(cursor)[0]
    end = document.starts[line] + len(document.lines[line])
    final, below = apply(document.text, replacements), document.text[end:]
    if final[:cursor] != document.text[:cursor] or len(final) < cursor + len(below):
        return None
    if not final.endswith(below):
        return None
    written = beside(final[cursor : len(final) - len(below)], document.text[cursor:end])
    return Replacement(cursor, cursor + written[1], written[0]) if written and written[0] else None


def accept_command(suggestion_id: str) -> types.Command:
    return types.Command("Accept", "lintseq.accept", arguments=[suggestion_id])
