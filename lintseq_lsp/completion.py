"""What is wanted at a cursor, and how an answer joins the text around it.

Pure functions over one document.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice

from lintseq_lsp.edits import Replacement, beside
from lintseq_lsp.repetition import repeated_from
from lintseq_lsp.text import Document, indentation, split_lines
from lintseq_lsp.typed import comment_of

_COMPOUND = re.compile(r"(?:async|class|def|elif|else|except|finally|for|if|match|case|try|while|with)\b|@\w")
_DEFINITION = re.compile(r"(?:async\s+def|def|class)\b")
_OPENS = re.compile(r"#|\"{3}|'{3}|[\"']")
_STOPS = {
    "#": re.compile(r"(?=[\n\r])"),
    '"': re.compile(r'\\(?:\r\n|.)|"|(?=[\n\r])', re.DOTALL),
    "'": re.compile(r"\\(?:\r\n|.)|'|(?=[\n\r])", re.DOTALL),
    '"""': re.compile(r'\\.|"{3}', re.DOTALL),
    "'''": re.compile(r"\\.|'{3}", re.DOTALL),
}
"""What is looked for next behind that which opens a comment or a string: an escape, or the end.

A search holds up every thread, and a literal may have megabytes: no pattern here repeats anything, so none
can go back. (`re` before Python 3.11.5 matches possessive quantifiers and atomic groups wrongly.)
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in a document: `typed` is left of it on its line, `right` is right of it."""

    document: Document
    line: int
    column: int

    @property
    def offset(self) -> int:
        return self.document.starts[self.line] + self.column

    @property
    def typed(self) -> str:
        return self.document.lines[self.line][: self.column]

    @property
    def right(self) -> str:
        return self.document.lines[self.line][self.column :]


def cursor_at(document: Document, offset: int) -> Cursor:
    return Cursor(document, *document.position(offset))


def in_word(cursor: Cursor) -> bool:
    """Whether a name goes on right of the cursor."""
    return cursor.right[:1].isidentifier() or cursor.right[:1].isdigit()


def in_string_or_comment(cursor: Cursor) -> bool:
    """Whether the cursor stands inside of a string literal or of a comment."""
    offset = cursor.offset
    for start, end, is_closed in strings_and_comments(cursor.document.text):
        if start >= offset:
            return False
        # At its very end one is still inside of a comment, and of a string that is not closed.
        if offset < end or (offset == end and not is_closed):
            return True
    return False


def strings_and_comments(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether a quote closes it) of each, in order; without a string's prefix.

    A quote inside of an f-string's field counts as any other: of `f"{names["a"]}"`, `a` is code.
    """
    end = 0
    while opening := _OPENS.search(text, end):
        end, is_closed = len(text), False
        for stop in _STOPS[opening[0]].finditer(text, opening.end()):
            if not stop[0].startswith("\\"):
                end, is_closed = stop.end(), bool(stop[0])
                break
        yield opening.start(), end, is_closed


def lines_wanted(cursor: Cursor, most: int) -> tuple[int, int]:
    """The fewest and the most lines that go on from the cursor, the cursor's own counted.

    More than one is left open where a statement begins, and nothing stands right of the cursor;
    a half-typed simple statement is one line.
    """
    if cursor.right.strip() or most == 1:
        return 1, 1
    typed = cursor.typed.strip()
    if typed and not _COMPOUND.match(typed):
        return 1, 1
    return (2 if typed else 1), most


def answers(cursor: Cursor, written: str) -> Iterator[Replacement]:
    """What the text `written` behind `typed` means at the cursor: longest first.

    Each is one replacement that starts at the cursor. Lines that leave the cursor's block, and those
    that stand below the cursor already, are cut off. Nothing when the code right of the cursor cannot
    be brought together with the answer.
    """
    added, _ = split_lines(cursor.typed + written)
    first, rest = added[0][len(cursor.typed) :].rstrip(), _wanted(cursor, added)
    if cursor.right.strip():
        joined = _join(cursor, first)
        if joined is not None:
            text, replaced = joined
            yield Replacement(cursor.offset, cursor.offset + replaced, text)
        return
    newline = cursor.document.newline
    for count in range(len(rest), -1, -1):
        if count == len(rest) or rest[count - 1 : count] != [""]:
            text = newline.join([first, *rest[:count]])
            last = rest[count - 1] if count else "" if cursor.typed.strip() else first
            if text.strip() and not last.lstrip().startswith("@"):  # it would decorate what is below
                # White space on the right that the answer has as well is replaced, other stays behind it.
                _, replaced = beside(text, cursor.right) or (text, 0)
                yield Replacement(cursor.offset, cursor.offset + replaced, text)


def _wanted(cursor: Cursor, added: Sequence[str]) -> list[str]:
    """The lines behind the first: inside of its block, not there already, and not said again."""
    document = cursor.document
    depth = len(indentation(added[0]))
    rest: list[str] = []
    said = {added[0].strip()}
    for line in added[1 : repeated_from(added)]:
        text = line.strip()
        if text and len(indentation(line)) < depth:
            break
        if text in said and _DEFINITION.match(text):
            break
        said.add(text)
        rest.append(line.rstrip())
    below = [line.rstrip() for line in document.lines[cursor.line + 1 : cursor.line + 1 + len(rest)]]
    for count in range(len(rest), 0, -1):
        if rest[-count:] == below[:count]:
            rest = rest[:-count]
            break
    while rest and not rest[-1]:
        rest.pop()
    return rest


def _join(cursor: Cursor, written: str) -> tuple[str, int] | None:
    """The text to insert in front of what is right of the cursor, and how much of that it replaces.

    White space and a comment at the line's end stay as they are, whatever comment the answer has.
    """
    comment = comment_of(cursor.typed + cursor.right)
    code = cursor.right.removesuffix(comment).rstrip() if len(comment) <= len(cursor.right) else cursor.right
    if comment:
        written = written.removesuffix(comment_of(cursor.typed + written)).rstrip()
    joined = beside(written, code)
    return joined if joined is not None and joined[0].strip() else None


def stands_there_already(cursor: Cursor, replacement: Replacement) -> bool:
    """Whether the answer only repeats the line above the cursor, or what follows below it."""
    written = [line.strip() for line in (cursor.typed + replacement.text).split(cursor.document.newline)]
    lines = cursor.document.lines
    following = dropwhile(lambda line: not line.strip(), lines[cursor.line + 1 :])
    below = [line.strip() for line in islice(following, len(written))]
    return written in (below, [lines[cursor.line - 1].strip()] if cursor.line else below)
