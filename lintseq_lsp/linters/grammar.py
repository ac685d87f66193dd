"""Grammars of other Pythons than the one that the server runs on.

What is newer its parser stops at: a guess from that line. What is older it takes more than: by
`feature_version`, and here what that lets pass.
"""

import ast
import io
import re
import sys
import token
import tokenize
from collections.abc import Callable, Iterator

Version = tuple[int, int]
OLDEST = (3, 9)
"""The oldest version that `feature_version` is right for: before, `with (a):` would be an error."""

BUILTINS = {
    "aiter": (3, 10),
    "anext": (3, 10),
    "EncodingWarning": (3, 10),
    "BaseExceptionGroup": (3, 11),
    "ExceptionGroup": (3, 11),
    "PythonFinalizationError": (3, 13),
}
"""Since when there are those builtins that have not always been there (from 3.8 on)."""

_F_STRING = re.compile(r"""\b[fF][rR]?(["'])(?=([^"']*))""")


def _has_nested_quotes(line: str) -> bool:
    """Whether the first field of an f-string that holds a quote holds the f-string's own."""
    for opening in _F_STRING.finditer(line, 0, max(line.rfind("}"), 0)):
        field = line.rfind("{", *opening.span(2))
        if field >= 0 and opening[1] in line[field : line.index("}", field)]:
            return True
    return False


_SINCE: tuple[tuple[Version, str, Callable[[str], object]], ...] = (
    ((3, 12), "type parameters", re.compile(r"\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[").match),
    ((3, 12), "type statements", re.compile(r"\s*type\s+\w+\s*(?:\[.*\]\s*)?=").match),
    ((3, 12), "an f-string's own quotes inside of it", _has_nested_quotes),
    ((3, 14), "exceptions without parentheses", re.compile(r"\s*except\*?\s+[\w.]+\s*,[^:]*:").match),
    ((3, 14), "template strings", re.compile(r"""\b[tT][rR]?["']""").search),
)


def newer_syntax(line: str, version: Version = sys.version_info[:2], wanted: Version | None = None) -> str:
    """What `line` seems to use that a parser of `version` does not know; empty when nothing is seen.

    Of Python up to `wanted`, or any when that is None.
    """
    for since, what, is_in in _SINCE:
        if version < since <= (wanted or since) and is_in(line):
            return f"it seems to use {what}, of Python {_name(since)}; the server runs on {_name(version)}"
    return ""


def later_syntax(tree: ast.Module, text: str, python: Version) -> SyntaxError | None:
    """The first use of what came after `python` and `ast.parse` takes all the same, whatever it is told."""
    uses: Iterator[tuple[Version, str, int]] = (
        (since, what, node.lineno) for node in ast.walk(tree) for since, what, node in _later(node)
    )
    found = [(line, since, what) for since, what, line in uses if python < since]
    if python < (3, 12) <= sys.version_info[:2]:
        found += [(line, (3, 12), "an f-string's own quotes inside of it") for line in _nested_strings(text)]
    if not found:
        return None
    line, since, what = min(found)
    return SyntaxError(f"{what} came with Python {_name(since)}", ("<unknown>", line, 1, None))


def _later(node: ast.AST) -> Iterator[tuple[Version, str, "ast.expr | ast.stmt | ast.arg"]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            for each in node.decorator_list:
                if not _is_dotted(each.func if isinstance(each, ast.Call) else each):
                    yield (3, 9), "any expression as a decorator", each
        case ast.Subscript(slice=ast.Tuple(elts=items)):
            if any(isinstance(item, ast.Starred) for item in items):
                yield (3, 11), "a star in an index", node
        case ast.arguments(vararg=ast.arg(annotation=ast.Starred() as star)):
            yield (3, 11), "a star in an annotation", star
        case ast.For(iter=ast.Tuple(elts=items) as loop) | ast.AsyncFor(iter=ast.Tuple(elts=items) as loop):
            # in parentheses it always was right: then the tuple begins in front of its first item
            if any(isinstance(item, ast.Starred) for item in items) and _is_bare(loop):
                yield (3, 9), "a star in what a loop goes over", loop
        case ast.NamedExpr():
            yield (3, 8), "an assignment expression", node
        case ast.arguments(posonlyargs=[first, *_]):
            yield (3, 8), "a parameter that is positional alone", first
        case ast.Return(value=ast.Tuple(elts=items) as value):
            if any(isinstance(item, ast.Starred) for item in items) and _is_bare(value):
                yield (3, 8), "a star in what is returned", value


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_bare(node: ast.Tuple) -> bool:
    first = node.elts[0]
    return (node.lineno, node.col_offset) == (first.lineno, first.col_offset)


def _nested_strings(text: str) -> Iterator[int]:
    """Lines of strings in f-strings that are quoted as those are."""
    quotes: list[str] = []
    begin, end = getattr(token, "FSTRING_START", -1), getattr(token, "FSTRING_END", -1)
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        if each.type == end:
            quotes.pop()
        elif each.type in (begin, token.STRING):
            quote = each.string.lstrip("rRbBuUfF")
            quote = quote[:3] if quote[:3] in ('"""', "'''") else quote[:1]
            if quote in quotes:
                yield each.start[0]
            if each.type == begin:
                quotes.append(quote)


def _name(version: Version) -> str:
    return ".".join(map(str, version))
