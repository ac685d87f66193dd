"""The part of a document that the model sees, and the way back.

An excerpt is a selection of the document's lines, in order. Line numbers of the model's diffs count
excerpt lines; `apply_diff` brings them back. Deliberately absent: how an excerpt is shown (prompts.py).
"""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lintseq_lsp.diffs import Diff, Malformed
from lintseq_lsp.text import Document, indentation


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

    The whole document when it fits, else a window that reaches further up than down. The window's
    upper edge moves in steps of `align` lines, so that typing does not change what was read before.
    Outer blank lines are left out: LintSeq's states begin with their first line that is not blank.
    """
    lines = document.lines
    line = min(line, len(lines) - 1)
    if _fits(lines, budget, cost):
        return _trimmed(document, range(len(lines)))
    headers = _enclosing(document, line)
    budget -= cost(lines[line]) + sum(cost(lines[number]) for number in headers)
    first = last = line
    below = budget // 4
    while last + 1 < len(lines) and (price := cost(lines[last + 1])) <= below:
        last += 1
        below -= price
        budget -= price
    while first > 0 and (price := cost(lines[first - 1])) <= budget:
        first -= 1
        budget -= price
    if first > 0:
        first = min(-(-first // align) * align, line)
    return _trimmed(document, sorted({*headers, *range(first, last + 1)}))


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


def _trimmed(document: Document, numbers: range | list[int]) -> Excerpt:
    shown = [bool(document.lines[number].strip()) for number in numbers]
    if not any(shown):
        return Excerpt(())
    first, last = shown.index(True), len(shown) - shown[::-1].index(True)
    return Excerpt(tuple(numbers[first:last]))


def apply_diff(document: Document, excerpt: Excerpt, diff: Diff) -> tuple[Document, Excerpt] | Malformed:
    """The document and its excerpt after the diff, or why the diff does not fit them."""
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
    after = replace_lines(document, changes)
    if len(after.lines) != max(1, len(document.lines) + shift):  # a lone \r now stands in front of a \n
        return Malformed("line ends of two kinds run together")
    return after, Excerpt(tuple(numbers))


LineChange = tuple[int, int, Sequence[str]]
"""(first, count, added): `count` lines from the zero-based line `first` on become the lines `added`."""


def replace_lines(document: Document, changes: Iterable[LineChange]) -> Document:
    """The document after all `changes`, which ascend, do not overlap, and count its lines as they are.

    Uses the document's line end, and leaves a last line without one as it is.
    """
    text, newline = document.text, document.newline
    starts, count = [*document.starts, len(text)], len(document.lines)
    parts, done = [], 0
    added: Sequence[str] = ()
    for first, removed, added in changes:
        parts.append(text[starts[done] : starts[first]])
        if done < first == count:
            parts.append(newline)  # which the last line did not have
        parts += [line + newline for line in added]
        done = first + removed
    if done < count:
        parts.append(text[starts[done] :])
        changed = "".join(parts)
    elif added:
        changed = "".join(parts).removesuffix(newline)
    else:  # what the last line that is left ended with
        changed = re.sub(r"(?:\r\n|\n|\r)\Z", "", "".join(parts))
    return document.with_text(changed)
