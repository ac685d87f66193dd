"""What the corpus leaves out of a module, and of modules that repeat: pure functions from text to text."""

import ast
import hashlib
import inspect
import io
import re
import tokenize
from collections.abc import Iterator

TABLE_LINES = 30  # an assigned collection of more lines is a data table
DUPLICATE_LINES = 4  # functions of fewer lines are not compared

GENERATED = re.compile(
    r"generated (by|from|using|with|automatically)|auto-?(matically)?[ -]?generated|do not edit|don't edit"
    r"|code generator",
    re.IGNORECASE,
)
PRAGMA = re.compile(
    r"#\s*(noqa|type:\s*ignore|pylint|pragma|fmt:|isort|mypy|pyright|ruff|nosec|flake8|yapf|noinspection|"
    r"-\*-|vim:|coding[:=]|lgtm|codespell|spellchecker|pytype|ty:|cython:|doctest)",
    re.IGNORECASE,
)


def first_paragraph(docstring: str) -> list[str]:
    """What a reader needs of a docstring: its first paragraph, at most three lines."""
    lines = inspect.cleandoc(docstring).splitlines()
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    return [line.rstrip() for line in lines[: min(end, 3)]]


def is_code(comment_lines: list[str]) -> bool:
    """Whether comment lines (with their `#`) read as Python statements rather than as prose."""
    text = inspect.cleandoc("\n" + "\n".join(re.sub(r"^#+ ?", "", line.strip()) for line in comment_lines))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call | ast.Await) for node in tree.body
    )


def clean(source: str) -> str | None:
    """`source` without what teaches a small model little; None where the whole file is not worth it.

    Cut: licence headers, commented-out code, pragmas, docstrings beyond their first paragraph, data tables.
    """
    if GENERATED.search(source[:2000]) or len(source) > 300_000 or "\x00" in source:
        return None
    source = source.replace("\r\n", "\n").replace("\r", "\n").expandtabs(8).replace("\f", "")
    try:
        tree = ast.parse(source)
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    lines: list[str | None] = list(source.split("\n"))
    if (
        sum(len(line or "") > 160 for line in lines) > len(lines) // 50
        or sum(c > "\x7f" for c in source) > len(source) // 50
    ):
        return None
    _cut_comments(lines, tokens, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _shorten_docstring(lines, node)
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                span = (statement.end_lineno or 0) - statement.lineno + 1
                if (
                    isinstance(statement, ast.Assign | ast.AnnAssign)
                    and span > TABLE_LINES
                    and len(node.body) > 1
                ):
                    lines[statement.lineno - 1 : statement.end_lineno] = [None] * span
    return "\n".join(line for line in lines if line is not None).strip() + "\n"


def _cut_comments(lines: list[str | None], tokens: list[tokenize.TokenInfo], tree: ast.Module) -> None:
    first_statement = tree.body[0].lineno if tree.body else 0
    run: list[int] = []
    for token in tokens:
        if token.type != tokenize.COMMENT:
            continue
        row, column = token.start
        if token.line[:column].strip():
            if PRAGMA.search(token.string):
                lines[row - 1] = token.line[:column].rstrip()
            continue
        if run and row != run[-1] + 1:
            _cut_run(lines, run, first_statement)
            run = []
        run.append(row)
    _cut_run(lines, run, first_statement)


def _cut_run(lines: list[str | None], run: list[int], first_statement: int) -> None:
    texts = [lines[row - 1] or "" for row in run]
    whole = bool(run) and (run[-1] < first_statement or is_code(texts))
    for i, row in enumerate(run):
        if whole or i >= 4 or PRAGMA.search(texts[i]) or not re.search(r"\w", texts[i]):
            lines[row - 1] = None


def _shorten_docstring(
    lines: list[str | None], node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> None:
    if not (
        node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
    ):
        return
    expression, value = node.body[0], node.body[0].value.value
    start, end = expression.lineno - 1, expression.end_lineno or 0
    before = (lines[start] or "")[: expression.col_offset]
    after = (lines[end - 1] or "")[expression.end_col_offset :]
    if not isinstance(value, str) or before.strip() or after.strip():
        return
    kept = first_paragraph(value)
    if not kept or "\\" in value or '"""' in value or kept[-1].endswith('"'):
        if end - start > 3 and len(node.body) > 1:
            lines[start:end] = [None] * (end - start)
        return
    shortened = (
        f'{before}"""{kept[0]}' + "".join(f"\n{before}{line}" if line else "\n" for line in kept[1:]) + '"""'
    )
    lines[start:end] = [shortened] + [None] * (end - start - 1)


def functions(text: str) -> Iterator[tuple[int, int, str]]:
    """(first line, line behind the last, digest) of each function of at least DUPLICATE_LINES lines."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            last = node.end_lineno or first + 1
            if last - first >= DUPLICATE_LINES:
                body = "\n".join(line.strip() for line in lines[first:last] if line.strip())
                yield first, last, hashlib.sha1(body.encode()).hexdigest()


def without_duplicates(text: str, seen: set[str]) -> str | None:
    """`text` without functions whose digest is in `seen` (which grows); None when most of it was known."""
    lines: list[str | None] = list(text.splitlines())
    cut = 0
    for first, last, digest in functions(text):
        if digest in seen:
            cut += sum(line is not None for line in lines[first:last])
            lines[first:last] = [None] * (last - first)
        seen.add(digest)
    if not cut:
        return text
    rest = "\n".join(line for line in lines if line is not None).strip() + "\n"
    try:
        ast.parse(rest)
    except SyntaxError:
        return None
    return rest if cut < len(lines) / 2 else None
