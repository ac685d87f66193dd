"""Python that is newer than the interpreter which the server runs on, and which that cannot parse.

A guess from the line at which the parser stopped. Deliberately absent: parsing.
"""

import re
import sys

_SINCE = (
    ((3, 12), "type parameters", re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[")),
    ((3, 12), "type statements", re.compile(r"^\s*type\s+\w+\s*(?:\[.*\])?\s*=")),
    (
        (3, 12),
        "an f-string's own quotes inside of it",
        re.compile(r"""\b[fF][rR]?(["'])[^"']*\{[^}]*\1.*\}"""),
    ),
    ((3, 14), "exceptions without parentheses", re.compile(r"^\s*except\*?\s+[\w.]+\s*,[^:]*:")),
    ((3, 14), "template strings", re.compile(r"""\b[tT][rR]?["']""")),
)


def newer_syntax(line: str, version: tuple[int, int] = sys.version_info[:2]) -> str:
    """What `line` seems to use that a parser of `version` does not know; empty when nothing is seen."""
    for since, what, pattern in _SINCE:
        if version < since and pattern.search(line):
            return f"it seems to use {what}, of Python {_name(since)}; the server runs on {_name(version)}"
    return ""


def _name(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
