"""The Python in an answer in prose."""

import ast
import re
import threading
import warnings
from collections.abc import Iterator
from itertools import islice
from textwrap import dedent

# The rest of the line that opens a block is no code, unless the block ends on that line.
_OPENING = re.compile(
    r"(?<![`~])(`{3,}|~{3,}) *(?:python3?|py)(?![\w-])(?:[^`\r\n]*(?=[\r\n]))?", re.IGNORECASE
)
_FENCE = re.compile(r"`{3,}|~{3,}")
_MARKERS = re.compile(r"[ \t>*+\-0-9.)]*")  # of lists and quotations, in front of a fence
_WIDEST = 100
_MOST_ENDS = 8
_FILTERS = threading.Lock()  # of warnings, which all threads share


def code_in(response: str) -> str:
    """The Python of an answer in prose: its fenced blocks, when the whole is not Python itself."""
    response = response.removeprefix("\ufeff")  # what an editor hides, and pylint in a file, too
    if _OPENING.search(response) is None or parsed(response) is not None:
        return response
    return "\n".join(_fenced(response)).strip()


def _fenced(text: str) -> Iterator[str]:
    """The code of each fenced block, without the indentation that its fence has in a list or a quotation.

    A fence may stand in a string of the code: the first ends the block behind which the code is whole.
    """
    end = 0
    while (opening := _OPENING.search(text, end)) is not None:
        fence, start = opening[1], opening.end()
        before = text[max(opening.start() - _WIDEST, 0) : opening.start()].rpartition("\n")[2]
        indent = before if _MARKERS.fullmatch(before) else ""
        closing = (match for match in _FENCE.finditer(text, start) if match[0].startswith(fence))
        ends = [match.span() for match in islice(closing, _MOST_ENDS)] or [(len(text), len(text))]
        blocks = [(_unindented(text[start:stop], indent), end) for stop, end in ends]
        code, end = next((block for block in blocks if parsed(block[0]) is not None), blocks[0])
        yield code


def _unindented(code: str, indent: str) -> str:
    """Without what stands in front of the first line, up to `indent`, nor what the lines have in common."""
    blank = " \t>" if ">" in indent else " \t"
    lines = code.split("\n")
    first = next((line for line in lines if line.strip(blank + "\r")), "")
    width = min(len(indent), len(first) - len(first.lstrip(blank)))
    lines = [line[min(width, len(line) - len(line.lstrip(blank))) :] for line in lines]
    return dedent("\n".join(lines)) if first[width : width + 1] in (" ", "\t") else "\n".join(lines)


def parsed(text: str) -> ast.Module | None:
    """None for what is no Python, or too deep for this interpreter's parser."""
    # Odd escapes and the like are the program's affair.
    try:
        with _FILTERS, warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # null bytes, very deep nesting
        return None
