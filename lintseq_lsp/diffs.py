"""LintSeq's wire format: diffs without file names and without context, one per edit step.

    @@ -2,0 +3,2 @@
    +def area(radius):
    +    return pi * radius**2

Deliberately absent: where a diff lands (see excerpt.py), and whole patch files, which unidiff reads.
What a model writes never raises: it is a `Diff` or it is `Malformed`.
"""

import re
from dataclasses import dataclass

from lintseq_lsp.formats.base import Malformed

_HEADER = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@[ \t]*")


@dataclass(frozen=True, slots=True)
class Hunk:
    """`removed` lines, replaced by `added`, below the first `above` lines of the text before the diff."""

    above: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """One edit step. Hunks ascend and do not overlap; no hunks is a step that changes nothing."""

    hunks: tuple[Hunk, ...] = ()


def header(above: int, added: int, *, removed: int = 0, shift: int = 0) -> str:
    """The hunk header that `difflib.unified_diff(n=0)` writes.

    `above` lines of the old text stand above the hunk; earlier hunks of the diff added `shift` lines
    more than they removed.
    """
    return f"@@ -{_range(above, removed)} +{_range(above + shift, added)} @@"


def _range(above: int, count: int) -> str:
    if count == 1:
        return str(above + 1)
    return f"{above if count == 0 else above + 1},{count}"


def render(diff: Diff) -> str:
    """`diff` as text, each line ended by a newline: what stands between two boundaries.

    A diff without hunks is one newline.
    """
    lines, shift = [], 0
    for hunk in diff.hunks:
        lines.append(header(hunk.above, len(hunk.added), removed=len(hunk.removed), shift=shift))
        lines += [f"-{line}" for line in hunk.removed]
        lines += [f"+{line}" for line in hunk.added]
        shift += len(hunk.added) - len(hunk.removed)
    return "\n".join(lines) + "\n"


class DiffStream:
    """Reads the text between two boundaries as it comes, in pieces of any size.

    A hunk's body is every following line that begins with `+` (or, before those, `-`): its header's
    counts are normalised to what came, and `@@` inside code is harmless.
    """

    def __init__(self) -> None:
        self._line: list[str] = []  # the pieces of one that is not complete
        self._hunks: list[tuple[int, list[str], list[str]]] = []  # above, removed, added
        self._ended = False  # a blank line: nothing may follow
        self._malformed: Malformed | None = None

    def feed(self, text: str) -> Malformed | None:
        """Takes the next piece. Returns the reason as soon as the text cannot become a diff."""
        *complete, rest = text.split("\n")
        for end in complete:
            line = "".join([*self._line, end])
            self._line = []
            self._malformed = self._malformed or self._take(line)
        self._line.append(rest)
        return self._malformed

    def flush(self) -> Diff | Malformed:
        """The diff, now that a boundary (or the end) has come. The stream is then new again."""
        last = "".join(self._line)
        malformed = self._malformed or (self._take(last) if last else None)
        hunks = tuple(
            Hunk(above, tuple(added), tuple(removed))
            for above, removed, added in self._hunks
            if added or removed
        )
        self.__init__()  # type: ignore[misc]
        return malformed or _ordered(hunks)

    def _take(self, line: str) -> Malformed | None:
        if line.endswith("\r"):
            line = line[:-1]
        if "\r" in line:
            return Malformed("a carriage return inside of a line")
        if match := _HEADER.fullmatch(line):
            if self._ended:
                return Malformed("a hunk behind a blank line")
            start, count = int(match[1]), int(match[2] or 1)
            # A count of zero names the line above the hunk, any other the hunk's first line.
            self._hunks.append((start if count == 0 else max(start - 1, 0), [], []))
            return None
        if not line.strip():
            self._ended = True
            return None
        if self._ended or not self._hunks:
            return Malformed("text without a hunk header")
        _, removed, added = self._hunks[-1]
        if line.startswith("+"):
            added.append(line[1:])
        elif line.startswith("-") and not added:
            removed.append(line[1:])
        else:
            return Malformed("a line that begins with neither + nor @@")
        return None


def _ordered(hunks: tuple[Hunk, ...]) -> Diff | Malformed:
    below = 0
    for hunk in hunks:
        if hunk.above < below:
            return Malformed("hunks out of order")
        below = hunk.above + len(hunk.removed)
    return Diff(hunks)


def parse(text: str) -> Diff | Malformed:
    """One diff from the whole text between two boundaries."""
    stream = DiffStream()
    stream.feed(text)
    return stream.flush()
