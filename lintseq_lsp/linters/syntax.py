"""The cheap tier: compile() and the pyflakes messages that imply a pylint error, in this process.

It may reject, never accept. Findings carry pylint's codes and wording, so that tiers are comparable.
Deliberately absent: pyflakes' opinions on style (unused imports and the like).
"""

import ast
import re
import threading
import time
import warnings
from collections.abc import Iterator

from pyflakes import messages
from pyflakes.checker import Checker

from lintseq_lsp.linters.base import Finding, Report, Tier

_PARSE_FAILURES = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)
_ON_LINE = re.compile(r"\bon line (\d+)\b")
_compiling = threading.Lock()


def check_syntax(text: str, path: str = "") -> Report:
    """The report of `Tier.SYNTAX`; about 5 ms for 200 lines. Never raises for what the text holds.

    `path` only tells whether the text is a package's `__init__.py`.
    """
    start = time.perf_counter()
    tree, broken = parse(text)
    if tree is None:
        return Report(broken, Tier.SYNTAX, parsed=False, milliseconds=_since(start))
    try:
        flaws = Checker(tree, filename=path or "<text>").messages
    except RecursionError:
        failure = "the code is nested too deeply to be checked"
        return Report(broken, Tier.SYNTAX, failure=failure, milliseconds=_since(start))
    findings = (*broken, *_implied(flaws, text))
    return Report(findings, Tier.SYNTAX, milliseconds=_since(start))


def parse(text: str) -> tuple[ast.Module | None, tuple[Finding, ...]]:
    """The tree (None when there is none) and the syntax error, if there is one.

    Both can be there: `return` at module level has a tree, yet no interpreter takes it.
    """
    tree = None
    # The lock keeps our own threads from restoring each other's filters; compile() warns of
    # doubtful literals, which is neither an error nor for our stderr.
    with _compiling, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
            compile(tree, "<unknown>", "exec", dont_inherit=True)
        except _PARSE_FAILURES as error:
            return tree, (syntax_finding(error),)
    return tree, ()


def syntax_finding(error: BaseException) -> Finding:
    """E0001 as pylint words it. Where the message blames a line ("... on line 3"), it is that one."""
    blamed = _ON_LINE.search(str(getattr(error, "msg", "")))
    line = int(blamed[1]) if blamed else getattr(error, "lineno", None)
    offset = getattr(error, "offset", None)
    text = str(error) or type(error).__name__
    return Finding("syntax-error", "E0001", f"Parsing failed: '{text}'", max(line or 1, 1), max(offset or 0, 0))


def _implied(flaws: list[messages.Message], text: str) -> Iterator[Finding]:
    lines: list[bytes] = []
    for flaw in sorted(flaws, key=lambda flaw: (flaw.lineno, flaw.col)):
        match flaw:
            case messages.UndefinedName(message_args=(str(name),)):
                lines = lines or _encoded_lines(text)
                # Names inside string annotations have the string's position; pylint ignores them.
                if flaw.lineno <= len(lines) and lines[flaw.lineno - 1][flaw.col :].startswith(name.encode()):
                    message = f"Undefined variable {name!r}"
                    yield Finding("undefined-variable", "E0602", message, flaw.lineno, flaw.col)
            case messages.UndefinedExport(message_args=(str(name),)):
                message = f"Undefined variable name {name!r} in __all__"
                yield Finding("undefined-all-variable", "E0603", message, flaw.lineno, flaw.col)
            case messages.RaiseNotImplemented():
                message = "NotImplemented raised - should raise NotImplementedError"
                yield Finding("notimplemented-raised", "E0711", message, flaw.lineno, flaw.col)


def _encoded_lines(text: str) -> list[bytes]:
    return re.split(rb"\r\n|\r|\n", text.encode())


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
