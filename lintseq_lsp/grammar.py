"""Python that is newer than the interpreter which the server runs on, and which that cannot parse.

A guess from the line at which the parser stopped. Deliberately absent: parsing.
"""

import re
import sys
from collections.abc import Callable

_F_STRING = re.compile(r"""\b[fF][rR]?(["'])(?=([^"']*))""")


def _has_nested_quotes(line: str) -> bool:
    """Whether the first field of an f-string that holds a quote holds the f-string's own."""
    for opening in _F_STRING.finditer(line, 0, max(line.rfind("}"), 0)):
        field = line.rfind("{", *opening.span(2))
        if field >= 0 and opening[1] in line[field : line.index("}", field)]:
            return True
    return False


_SINCE: tuple[tuple[tuple[int, int], str, Callable[[str], object]], ...] = (
    ((3, 12), "type parameters", re.compile(r"\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[").match),
    ((3, 12), "type statements", re.compile(r"\s*type\s+\w+\s*(?:\[.*\]\s*)?=").match),
    ((3, 12), "an f-string's own quotes inside of it", _has_nested_quotes),
    ((3, 14), "exceptions without parentheses", re.compile(r"\s*except\*?\s+[\w.]+\s*,[^:]*:").match),
    ((3, 14), "template strings", re.compile(r"""\b[tT][rR]?["']""").search),
)


def newer_syntax(line: str, version: tuple[int, int] = sys.version_info[:2]) -> str:
    """What `line` seems to use that a parser of `version` does not know; empty when nothing is seen."""
    for since, what, is_in in _SINCE:
        if version < since and is_in(line):
            return f"it seems to use {what}, of Python {_name(since)}; the server runs on {_name(version)}"
    return ""


def _name(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
