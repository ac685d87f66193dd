"""Edits that a user asks for at a place: what is possible there, and what the model then has to write.

Pure, and of microseconds until one is chosen. Deliberately absent: running the model (asking/resolve.py).
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from lintseq_lsp.excerpt import replace_lines
from lintseq_lsp.text import Document, indentation


class ActionKind(Enum):
    IMPLEMENT = "implement"
    CONTINUE = "continue"
    REWRITE = "rewrite"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do with the lines `first_line` to `last_line` (zero-based, inclusive).

    `symbol` and `message` are those of the diagnostic to fix.
    """

    kind: ActionKind
    first_line: int
    last_line: int
    title: str
    symbol: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A client's diagnostic: zero-based line, symbol or code (may be empty) and message."""

    line: int
    symbol: str
    message: str


@dataclass(frozen=True, slots=True)
class Insertion:
    """What the model is to insert into `document`: below its first `above` lines, beginning with `typed`.

    When that document is not clean, the model is `shown` another one, and so many lines of it above.
    """

    document: Document
    above: int
    typed: str
    instruction: str = ""
    shown: tuple[Document, int] | None = None


def actions_at(
    document: Document, first_line: int, last_line: int, problems: Sequence[Problem] = ()
) -> list[Action]:
    """What can be done with the selected lines, or at the cursor when first and last are equal."""
    return list(_actions(document, first_line, last_line, problems))


def _actions(document: Document, first: int, last: int, problems: Sequence[Problem]) -> Iterator[Action]:
    count = len(document.lines)
    first, last = min(first, count - 1), min(last, count - 1)
    for problem in problems:
        if problem.line < count and document.lines[problem.line].strip():
            what = problem.message.split("\n")[0] or problem.symbol
            title = f"Rewrite this line to fix: {what}"
            yield Action(ActionKind.FIX, problem.line, problem.line, title, problem.symbol, problem.message)
    if (function := _stub_at(document, first)) is not None:
        yield Action(ActionKind.IMPLEMENT, first, first, f"Implement {function.name}()")
    if comment_text(document.lines[first]) and first == last:
        yield Action(ActionKind.CONTINUE, first, first, "Continue from this comment")
    if last > first and any(line.strip() for line in document.lines[first : last + 1]):
        yield Action(ActionKind.REWRITE, first, last, "Rewrite the selected lines")


def comment_text(line: str) -> str:
    """The text of a line that holds nothing but a comment; empty for any other."""
    text = line.strip()
    return text.lstrip("#").removeprefix(":").strip() if text.startswith("#") else ""


@dataclass(frozen=True, slots=True)
class Stub:
    """A function without a body of its own. Lines are zero-based; the body is [body_first, body_end)."""

    name: str
    docstring: str
    body_first: int
    body_end: int
    typed: str


def implementation(document: Document, action: Action) -> Insertion | None:
    """The function's body, from its name and docstring; None when it has one by now."""
    stub = _stub_at(document, action.first_line)
    if stub is None:
        return None
    rest = replace_lines(document, [(stub.body_first, stub.body_end - stub.body_first, ())])
    instruction = stub.docstring.strip().split("\n\n")[0] or stub.name.replace("_", " ").strip()
    return Insertion(rest, stub.body_first, stub.typed, " ".join(instruction.split()))


def continuation(document: Document, action: Action) -> Insertion:
    """The statement that a comment announces, below the comment and as deep as it."""
    line = document.lines[action.first_line]
    return Insertion(document, action.first_line + 1, indentation(line), comment_text(line))


def _stub_at(document: Document, line: int) -> Stub | None:
    """The innermost function around `line`, if it has no body but a docstring and a placeholder."""
    header = document.lines[line]
    deeper = indentation(header) + document.indent
    attempts = [(document, False)]
    if header.rstrip().endswith(":"):
        # A signature with nothing below it: a body makes it Python.
        attempts.append((replace_lines(document, [(line + 1, 0, (f"{deeper}pass",))]), True))
    for attempt, has_added in attempts:
        try:
            tree = ast.parse(attempt.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        functions = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.lineno - 1 <= line < (node.end_lineno or node.lineno)
        ]
        if not functions:
            return None
        return _stub(max(functions, key=lambda node: node.lineno), attempt, has_added=has_added)
    return None


def _stub(
    function: ast.FunctionDef | ast.AsyncFunctionDef, document: Document, *, has_added: bool
) -> Stub | None:
    docstring = ast.get_docstring(function)
    body = function.body[1:] if docstring is not None else function.body
    if len(body) > 1 or not all(_is_placeholder(statement) for statement in body):
        return None
    if not all(_begins_its_line(statement, document) for statement in function.body):
        return None
    if body:
        first, end = body[0].lineno - 1, body[0].end_lineno or body[0].lineno
    else:
        first = end = function.body[0].end_lineno or function.body[0].lineno
    typed = indentation(document.lines[function.body[0].lineno - 1])
    return Stub(function.name, docstring or "", first, first if has_added else end, typed)


def _begins_its_line(statement: ast.stmt, document: Document) -> bool:
    return statement.col_offset == len(indentation(document.lines[statement.lineno - 1]))


def _is_placeholder(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
        case ast.Raise(
            exc=ast.Call(func=ast.Name(id="NotImplementedError")) | ast.Name(id="NotImplementedError")
        ):
            return True
        case _:
            return False
