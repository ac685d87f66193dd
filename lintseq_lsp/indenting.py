"""Lines of a document as a model knows them, which has learned from blocks of four spaces; and back.

Each unit of a document's indentation that a line begins with is four spaces there, and the rest of the
white space, by which lines are aligned, stays as it is. Deliberately absent: which unit a document has
(`text.Document.indent`), and any look at what a line is part of: docstrings move with their blocks, and
so does what is aligned in brackets, or stands in another string.
"""

from collections.abc import Iterable

FOUR = "    "


def to_four(lines: Iterable[str], unit: str) -> list[str]:
    """`lines`, without their ends, of a document that is indented by `unit`, as if it were by four spaces."""
    return [_changed(line, unit, FOUR) for line in lines]


def from_four(lines: Iterable[str], unit: str) -> list[str]:
    """What was written in blocks of four spaces, as `unit` indents it.

    Of lines from `to_four` it makes what they were, unless four blanks or more stood behind their last
    unit: these cannot be told from a unit.
    """
    return [_changed(line, FOUR, unit) for line in lines]


def _changed(line: str, before: str, after: str) -> str:
    if before == after:
        return line
    count, width = 0, len(before)
    while line.startswith(before, count * width):
        count += 1
    return after * count + line[count * width :]
