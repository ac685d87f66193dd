"""Lines of a document as a model knows them, which has learned from blocks of four spaces; and back.

Each unit of a document's indentation that a line begins with is four spaces there, and the rest of the
white space, by which lines are aligned, stays as it is. Deliberately absent: which unit a document has
(`text.Document.indent`), and any look at what a line is part of: docstrings move with their blocks, and
so does what is aligned in brackets, or stands in another string.
"""

FOUR = "    "


def to_four(line: str, unit: str) -> str:
    """`line`, without its end, of a document that is indented by `unit`, as if it were by four spaces."""
    return _changed(line, unit, FOUR)


def from_four(line: str, unit: str) -> str:
    """What was written in blocks of four spaces, as `unit` indents it.

    Of a line from `to_four` it makes what it was, unless four blanks or more stood behind its last
    unit: these cannot be told from a unit.
    """
    return _changed(line, FOUR, unit)


def _changed(line: str, before: str, after: str) -> str:
    if before == after:
        return line
    count, width = 0, len(before)
    while line.startswith(before, count * width):
        count += 1
    return after * count + line[count * width :]
