"""The cheap tier: compile() and the pyflakes messages that imply a pylint error, in this process.

It may reject, never accept. Findings carry pylint's codes and wording, so that tiers are comparable.
Deliberately absent: pyflakes' opinions on style (unused imports and the like).
"""

import ast
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence

from pyflakes import messages
from pyflakes.checker import Checker

from lintseq_lsp.linters.base import Finding, Report, Tier
from lintseq_lsp.linters.grammar import BUILTINS, OLDEST, Version, later_syntax, newer_syntax
from lintseq_lsp.text import split_lines

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
        newer = why_newer(text, broken)
        return Report(broken, Tier.SYNTAX, parsed=False, milliseconds=_since(start), newer=newer)
    try:
        flaws = Checker(tree, filename=path or "<text>").messages
    except Exception as error:  # noqa: BLE001 - not made for all that ast takes: a __future__ import in a function
        failure = f"pyflakes cannot check the code: {type(error).__name__}"
        return Report(broken, Tier.SYNTAX, failure=failure, milliseconds=_since(start))
    findings = (*broken, *_implied(flaws, tree, text))
    return Report(findings, Tier.SYNTAX, milliseconds=_since(start))


def parse(text: str, python: Version | None = None) -> tuple[ast.Module | None, tuple[Finding, ...]]:
    """The tree (None when there is none) and the syntax error, if there is one.

    Both can be there: `return` at module level has a tree, yet no interpreter takes it. There is none of
    what is later than `python`, (major, minor); None and what is newer than the server's are the server's.
    """
    older = python if python is not None and python < sys.version_info[:2] else None
    tree = None
    # The lock keeps our own threads from restoring each other's filters; compile() warns of
    # doubtful literals, which is neither an error nor for our stderr.
    with _compiling, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text, feature_version=older and max(older, OLDEST))
            if older is not None and (later := later_syntax(tree, text, older)) is not None:
                return None, (syntax_finding(later),)
            compile(tree, "<unknown>", "exec", dont_inherit=True)
        except _PARSE_FAILURES as error:
            return tree, (syntax_finding(error),)
    return tree, ()


def why_newer(text: str, broken: Sequence[Finding], python: Version | None = None) -> str:
    """Why a text that does not parse may be right for `python`: empty, or one sentence."""
    lines = split_lines(text)[0]
    stopped = broken[0].line if broken else 0
    return newer_syntax(lines[stopped - 1], wanted=python) if 0 < stopped <= len(lines) else ""


def syntax_finding(error: BaseException) -> Finding:
    """E0001 as pylint words it. Where the message blames a line ("... on line 3"), it is that one."""
    blamed = _ON_LINE.search(str(getattr(error, "msg", "")))
    line = int(blamed[1]) if blamed else getattr(error, "lineno", None)
    offset = getattr(error, "offset", None)
    text = str(error) or type(error).__name__
    return Finding(
        "syntax-error", "E0001", f"Parsing failed: '{text}'", max(line or 1, 1), max(offset or 0, 0)
    )


def _implied(flaws: list[messages.Message], tree: ast.Module, text: str) -> Iterator[Finding]:
    """What pylint is sure to report too.

    The two disagree on names that are bound somewhere, only not here (order, branches, `del`), and
    pylint ignores names inside string annotations, which pyflakes reports at the string's position. Of what
    is a builtin of some Python only the linter's process knows whether it is one of the project's.
    """
    flaws = sorted(flaws, key=lambda flaw: (flaw.lineno, flaw.col))
    names = any(isinstance(flaw, messages.UndefinedName | messages.UndefinedExport) for flaw in flaws)
    bound = frozenset(_bound_names(tree)) if names else frozenset()
    lines = re.split(rb"\r\n|\r|\n", text.encode()) if names else []
    for flaw in flaws:
        match flaw:
            case messages.UndefinedName(message_args=(str(name),)) if (
                name not in bound and name not in BUILTINS
            ):
                if lines[flaw.lineno - 1].startswith(name.encode(), flaw.col):
                    message = f"Undefined variable {name!r}"
                    yield Finding("undefined-variable", "E0602", message, flaw.lineno, flaw.col)
            case messages.UndefinedExport(message_args=(str(name),)) if name not in bound:
                message = f"Undefined variable name {name!r} in __all__"
                yield Finding("undefined-all-variable", "E0603", message, flaw.lineno, flaw.col)
            case messages.RaiseNotImplemented():
                message = "NotImplemented raised - should raise NotImplementedError"
                yield Finding("notimplemented-raised", "E0711", message, flaw.lineno, flaw.col)


def _bound_names(tree: ast.Module) -> Iterator[str | None]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
                yield name
            case ast.MatchMapping(rest=name) | ast.arg(arg=name):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
            case ast.alias(name=name, asname=asname):
                yield asname or name.partition(".")[0]


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
