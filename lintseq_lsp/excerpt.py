"""The part of a document that the model sees, and the way back.

An excerpt is a selection of the document's lines, in order. Line numbers of the model's diffs count
excerpt lines; `apply_diff` brings them back. Deliberately absent: how an excerpt is shown (formats/).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lintseq_lsp.diffs import Diff
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.formats.base import Malformed
from lintseq_lsp.text import Document, indentation, trimmed


@dataclass(frozen=True, slots=True)
class Excerpt:
    """`numbers[i]` is the zero-based document line that excerpt line i shows. Ascending."""

    numbers: tuple[int, ...]

    def lines(self, document: Document) -> list[str]:
        return [document.lines[number] for number in self.numbers]

    def above(self, line: int) -> int:
        """How many excerpt lines stand above document line `line`."""
        return sum(number < line for number in self.numbers)

    def document_above(self, above: int) -> int:
        """How many document lines stand above an insertion below `above` excerpt lines."""
        if above:
            return self.numbers[above - 1] + 1
        return self.numbers[0] if self.numbers else 0


def excerpt_around(
    document: Document, line: int, budget: int, cost: Callable[[str], int], *, align: int = 8
) -> Excerpt:
    """The lines around `line` that cost at most `budget` tokens, with the headers of the blocks they are in.

    The whole document when it fits, else a window that reaches further up than down. Typing does not change
    what was read before: the window's lower edge does not depend on `line` itself, and its upper edge moves
    in steps of `align` lines. Outer blank lines are left out: LintSeq's states begin with their first line
    that is not blank.
    """
    lines = document.lines
    line = min(line, len(lines) - 1)
    if _fits(lines, budget, cost):
        return Excerpt(tuple(trimmed(lines, range(len(lines)))))
    headers = _enclosing(document, line)
    above = budget - cost(lines[line]) - sum(cost(lines[number]) for number in headers)
    below = min(budget // 4, above)
    last = line
    while last + 1 < len(lines) and (price := cost(lines[last + 1])) <= below:
        last += 1
        below -= price
        above -= price
    first = line
    while first > 0 and (price := cost(lines[first - 1])) <= above:
        first -= 1
        above -= price
    if first > 0:
        first = min(-(-first // align) * align, line)
    return Excerpt(tuple(trimmed(lines, sorted({*headers, *range(first, last + 1)}))))


def _fits(lines: list[str], budget: int, cost: Callable[[str], int]) -> bool:
    """Looks at no more lines than it takes to know."""
    return all(total <= budget for total in itertools.accumulate(map(cost, lines)))


def _enclosing(document: Document, line: int) -> list[int]:
    """The lines above `line` that open the blocks it stands in, outermost last."""
    here = document.lines[line]
    below = next((text for text in document.lines[line:] if text.strip()), "")
    depth = len(indentation(here if here.strip() else max(here, indentation(below), key=len)))
    found = []
    for number in range(line - 1, -1, -1):
        if depth == 0:
            break
        text = document.lines[number]
        if text.strip() and len(indentation(text)) < depth and not text.lstrip().startswith("#"):
            depth = len(indentation(text))
            found.append(number)
            if text.lstrip().startswith((")", "]", "}")):
                depth += 1  # a signature of several lines: where it begins is a header, too
    return found


@dataclass(frozen=True, slots=True)
class Applied:
    """What a diff does: the replacements, the document after them, and what is shown of that."""

    changes: tuple[Replacement, ...]
    document: Document
    excerpt: Excerpt


def apply_diff(document: Document, excerpt: Excerpt, diff: Diff) -> Applied | Malformed:
    """What the diff does to the document, or why it does not fit what is shown."""
    shown = excerpt.lines(document)
    changes: list[LineChange] = []
    numbers: list[int] = []
    done = shift = 0
    for hunk in diff.hunks:
        end = hunk.above + len(hunk.removed)
        if end > len(shown):
            return Malformed(f"line {end} is past the end of {len(shown)} lines")
        if list(hunk.removed) != shown[hunk.above : end]:
            return Malformed(f"the lines removed at line {hunk.above + 1} are not there")
        numbers += [number + shift for number in excerpt.numbers[done : hunk.above]]
        first = excerpt.numbers[hunk.above] if hunk.removed else excerpt.document_above(hunk.above)
        removed = excerpt.numbers[hunk.above : end]
        if removed and removed[-1] - removed[0] >= len(removed):
            return Malformed("lines removed across a gap of the excerpt")
        changes.append((first, len(removed), hunk.added))
        numbers += range(first + shift, first + shift + len(hunk.added))
        shift += len(hunk.added) - len(hunk.removed)
        done = end
    numbers += [number + shift for number in excerpt.numbers[done:]]
    replacements = line_replacements(document, changes)
    after = document.with_text(apply(document.text, replacements))
    if len(after.lines) != max(1, len(document.lines) + shift):  # a lone \r now stands in front of a \n
        return Malformed("line ends of two kinds run together")
    return Applied(tuple(replacements), after, Excerpt(tuple(numbers)))


LineChange = tuple[int, int, Sequence[str]]
"""(first, count, added): `count` lines from the zero-based line `first` on become the lines `added`."""


def replace_lines(document: Document, changes: Iterable[LineChange]) -> Document:
    """The document after all `changes`, which ascend, do not overlap, and count its lines as they are."""
    return document.with_text(apply(document.text, line_replacements(document, changes)))


def line_replacements(document: Document, changes: Iterable[LineChange]) -> list[Replacement]:
    """The same changes, as replacements of text: those of lines that follow each other are one.

    Uses the document's line end, and leaves a last line without one as it is.
    """
    text, newline, count = document.text, document.newline, len(document.lines)
    starts = [*document.starts, len(text)]
    found = []
    for first, removed, added in _joined(changes):
        start, end = starts[first], starts[first + removed]
        new = "".join(line + newline for line in added)
        if first + removed == count:  # the last line's end is what it was: none
            new = new.removesuffix(newline)
            if first == count:
                new = newline + new
            elif not added and first:
                start -= len(text[starts[first - 1] : start]) - len(document.lines[first - 1])
        found.append(Replacement(start, end, new))
    return found


def _joined(changes: Iterable[LineChange]) -> Iterator[LineChange]:
    """Those that touch, as one; none that changes nothing."""
    current: LineChange | None = None
    for first, removed, added in changes:
        if not removed and not added:
            continue
        if current is not None and first == current[0] + current[1]:
            current = current[0], current[1] + removed, (*current[2], *added)
        else:
            if current is not None:
                yield current
            current = first, removed, added
    if current is not None:
        yield current
