"""What can be said of a line that is still being typed, and does not parse yet."""

import io
import keyword
import re
import tokenize
from collections.abc import Iterator

_BINDS = re.compile(r"(?:async|case|class|def|except|for|from|global|import|nonlocal|with)\b|type\s|@")
_HEADS = re.compile(r"\A(?:elif|if|while)\b")
_BINDS_NOTHING = re.compile(r"(?:assert|await|del|raise|return|yield)\b")
_OF_TARGETS = frozenset(".,*:()[]")


def comment_of(line: str) -> str:
    """The comment that `line` ends with, or nothing."""
    if "#" not in line:
        return ""
    return next((token.string for token in _tokens(line) if token.type == tokenize.COMMENT), "")


def is_decided(line: str) -> bool:
    """Whether `line` binds no further name, however it goes on (`:=` aside).

    An import, a `def` or a loop may, and so may `x = (` and `if (`; `x = f(` and `return a +` may not.
    The names that it has already are bound or read by all that it can become.
    """
    code = _HEADS.sub("", line.strip(), count=1).strip()
    if _BINDS.match(code):
        return False
    if not line.strip() or _BINDS_NOTHING.match(code):
        return True
    assigned, depth, before = False, 0, ""
    for token in _tokens(code):
        text = token.string
        if depth:  # in a subscript, which may belong to a target
            depth += (text == "[") - (text == "]")
        elif text == "[" and _ends_a_value(before):
            depth = 1
        elif text == "=":
            assigned = True
        elif text.strip() and not _fits_a_target(text, before):
            return True
        before = text
    return assigned and depth > 0


def _tokens(line: str) -> Iterator[tokenize.TokenInfo]:
    """As many as there are in front of what is wrong."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(line + "\n").readline)
    except (tokenize.TokenError, SyntaxError, UnicodeError):
        return


def _fits_a_target(text: str, before: str) -> bool:
    return _is_name(text) or (text in _OF_TARGETS and not (text == "(" and _ends_a_value(before)))


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _ends_a_value(text: str) -> bool:
    return _is_name(text) or text in (")", "]")
