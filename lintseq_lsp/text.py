"""Documents and their lines. Deliberately absent: protocol positions (see lsp/convert.py).

Only `\\n`, `\\r\\n` and `\\r` end a line, as in the language server protocol: a form feed, `\\x85` or
U+2028 inside a line is text. A text of n line ends has n + 1 lines, the last of which may be empty.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

_INDENT = "    "
_LINE_END = re.compile(r"\r\n|\n|\r")


def split_lines(text: str) -> tuple[list[str], list[str]]:
    """The lines of `text` without their ends, and the end of each (`""` for the last)."""
    lines, ends, start = [], [], 0
    for match in _LINE_END.finditer(text):
        lines.append(text[start : match.start()])
        ends.append(match.group())
        start = match.end()
    lines.append(text[start:])
    ends.append("")
    return lines, ends


def indentation(line: str) -> str:
    """The white space that `line` begins with."""
    return line[: len(line) - len(line.lstrip(" \t\f"))]


def trimmed(lines: Sequence[str], numbers: Collection[int]) -> list[int]:
    """Those `numbers` of lines in order, without outer blank lines."""
    ordered = sorted(numbers)
    filled = [place for place, number in enumerate(ordered) if lines[number].strip()]
    return ordered[filled[0] : filled[-1] + 1] if filled else []


@dataclass(frozen=True)
class Document:
    """An immutable text. `version` is the client's, `path` is where imports resolve from (or "")."""

    text: str
    version: int | None = None
    path: str = ""

    @cached_property
    def _split(self) -> tuple[list[str], list[str]]:
        return split_lines(self.text)

    @property
    def lines(self) -> list[str]:
        """Contents of the lines, without line ends. Not to be changed."""
        return self._split[0]

    @cached_property
    def starts(self) -> list[int]:
        """Code-point offset of the beginning of each line."""
        starts, offset = [], 0
        for line, end in zip(*self._split, strict=True):
            starts.append(offset)
            offset += len(line) + len(end)
        return starts

    @cached_property
    def newline(self) -> str:
        """The line end that the document uses most; `\\n` when it has none."""
        ends = Counter(end for end in self._split[1] if end)
        return ends.most_common(1)[0][0] if ends else "\n"

    @cached_property
    def indent(self) -> str:
        """What most blocks are indented by; four spaces where there are none."""
        steps = Counter[str]()
        lines = [line for line in self.lines if line.strip()]
        for header, body in pairwise(lines):
            outer, inner = indentation(header), indentation(body)
            if header.rstrip().endswith(":") and inner != outer and inner.startswith(outer):
                steps[inner.removeprefix(outer)] += 1
        return max(steps, key=lambda step: (steps[step], step == _INDENT), default=_INDENT)

    def with_text(self, text: str) -> "Document":
        """An edit of the document: the same version and path."""
        return Document(text, self.version, self.path)

    def offset(self, line: int, column: int) -> int:
        """Offset of (line, column), both zero-based and in code points; clamped to the document."""
        if line < 0:
            return 0
        if line >= len(self.lines):
            return len(self.text)
        return self.starts[line] + max(0, min(column, len(self.lines[line])))

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a code-point offset; an offset inside of a line end is the line's end."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self.starts, offset) - 1
        return line, min(offset - self.starts[line], len(self.lines[line]))
