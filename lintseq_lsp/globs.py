"""Globs of files, as the protocol has them: `**` crosses folders, and case does not matter."""

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]|.", re.DOTALL)
_WILD = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


def matches_any(path: str, globs: Iterable[str]) -> bool:
    """Whether the path, with `/` between its parts, matches one of `globs`."""
    return _matches_any(path, tuple(globs))


def sieve(globs: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that can be used, and those that cannot."""
    usable, others = [], []
    for pattern in globs:
        try:
            _compiled(pattern)
            usable.append(pattern)
        except re.error:
            others.append(pattern)
    return tuple(usable), tuple(others)


@lru_cache(maxsize=1024)
def _matches_any(path: str, globs: tuple[str, ...]) -> bool:
    return any(_compiled(pattern).fullmatch(path) for pattern in globs)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Raises `re.error`. Case does not matter: a secret is one in capitals, too."""
    parts = []
    for token in _TOKEN.findall(pattern):
        if token in _WILD:
            parts.append(_WILD[token])
        elif len(token) > 1:
            negated = token[1] in "!^"
            characters = re.sub(r"([^\w-])", r"\\\1", token[1 + negated : -1])
            parts.append(f"[{'^' if negated else ''}{characters}]")
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
