"""The texts of the benchmark: the standard library's files, cut to a length at top-level boundaries."""

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.text import Document, indentation

_FILES = {
    20: ("posixpath.py", "shutil.py", "calendar.py"),
    200: ("contextlib.py", "functools.py", "copy.py", "ntpath.py", "pickle.py", "shutil.py", "tarfile.py"),
    2000: ("doctest.py", "inspect.py", "typing.py", "zipfile.py"),
}
_SIMPLE = (ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.Expr)


@dataclass(frozen=True, slots=True)
class Keystroke:
    """The document right after it, the cursor, and `rest`: what the line goes on with in the original."""

    kind: str  # "jump", "key", "enter"
    document: Document
    line: int
    offset: int
    rest: str


def texts(lines: int) -> list[Document]:
    """Files of at most `lines` (20, 200 or 2000) lines. Their paths do not exist."""
    folder = Path(sysconfig.get_path("stdlib"))
    found = []
    for name in _FILES[lines]:
        path = folder / name
        if path.is_file():  # modules become packages, and leave the library
            text = cut(path.read_text("utf-8"), lines)
            found.append(Document(text, 1, f"/nonexistent/cut_{name}"))
    if not found:
        raise LintSeqError(f"{folder} has none of {', '.join(_FILES[lines])}")
    return found


def cut(text: str, lines: int) -> str:
    """The top-level statements of `text` that end within its first `lines` lines."""
    ends = [node.end_lineno or 0 for node in ast.parse(text).body]
    last = max((end for end in ends if end <= lines), default=0)
    return "".join(text.splitlines(keepends=True)[:last])


def statements(document: Document) -> list[int]:
    """Zero-based lines of functions that hold one simple statement of 12 to 60 characters each."""
    found = set()
    for function in ast.walk(ast.parse(document.text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, _SIMPLE) and node.lineno == node.end_lineno:
                line = document.lines[node.lineno - 1]
                docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                # `if a: b` and `a; b` are not alone on their line.
                alone = node.col_offset == len(indentation(line)) and ";" not in line
                if alone and not docstring and "#" not in line and 12 <= len(line.strip()) <= 60:
                    found.add(node.lineno - 1)
    return sorted(found)


def typed(document: Document, line: int, most: int) -> Iterator[Keystroke]:
    """`line` is typed anew, `most` characters at the most: a jump to it, its keys, and Enter behind it."""
    text = document.lines[line]
    first = len(indentation(text))
    for column in range(first, min(len(text), first + most)):
        kind = "jump" if column == first else "key"
        yield _keystroke(document, line, text[:column], kind, text[column:])
    yield _keystroke(document, line, f"{text}\n{text[:first]}", "enter", "pass")


def _keystroke(document: Document, line: int, text: str, kind: str, rest: str) -> Keystroke:
    """`line` holds `text`, which may end a line, and the cursor is behind it."""
    start = document.starts[line]
    end = start + len(document.lines[line])
    changed = document.with_text(document.text[:start] + text + document.text[end:])
    return Keystroke(kind, changed, line + text.count("\n"), start + len(text), rest)
