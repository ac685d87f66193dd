"""The rest that a statement needs before it can be judged: brackets that are open, a body, a handler.

While somebody writes, a text seldom parses: the call goes on in the next line, `try:` has no handler yet.
With an ending that means as little as possible such a text can be judged, and what is wrong in it already is
found. Pure functions over one document. Deliberately absent: who may be shown what is unfinished (gate.py).
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lintseq_lsp.completion import strings_and_comments
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.linters.base import Finding
from lintseq_lsp.text import Document, indentation

_CLOSES = {"(": ")", "[": "]", "{": "}"}
_STRUCTURE = re.compile(r"[()\[\]{}]|:(?!=)|\r\n|\r|\n")
_HEADER = re.compile(
    r"\s*(?:async\s+)?(?P<word>class|def|elif|else|except|finally|for|if|try|while|with)\b|\s*(?P<soft>case|match)\b"
)
_INDENT = re.compile(r"[ \t\f]*")
_HANDLER = re.compile(r"\s*(?:except|finally)\b")
_BODY = "raise NotImplementedError"
"""Means less than `pass`: whoever calls it gets no value that could be wrong, and no name is left unbound."""

FOR_WANT_OF_ARGUMENTS = frozenset(
    {
        "logging-too-few-args",
        "missing-format-string-key",
        "missing-kwoa",
        "no-value-for-parameter",
        "too-few-format-args",
        # ruff's and ty's names for them
        "missing-argument",
        "percent-format-missing-argument",
        "percent-format-positional-count-mismatch",
        "string-dot-format-missing-arguments",
    }
)
FOR_WANT_OF_A_BODY = frozenset({"super-init-not-called"})
"""Findings that what is still to be written, between the brackets or in the body, may take away."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A document with an `ending` that was not written. `missing` are symbols of findings that may be for
    want of the rest, on the lines `first` to `last` of the statement, which is written down to `line`.
    `added` has the lines behind which the ending stands, in order, and of how many lines it is there."""

    document: Document
    ending: str
    missing: frozenset[str]
    first: int
    line: int
    last: int
    added: Sequence[tuple[int, int]]

    def of_what_is_written(self, findings: Iterable[Finding]) -> Sequence[Finding]:
        """Those of the document's `findings` that are not for want of the rest."""
        findings = list(findings)
        there = [each for each in findings if self.first < each.line <= self.last + 1]
        if self.missing.isdisjoint(each.symbol for each in there):
            return findings
        closed = _closed_calls(self.document.text, self.line)
        if closed is None:
            return findings
        wanting = {
            id(each)
            for each in there
            if each.symbol in self.missing and (each.line, each.column) not in closed
        }
        return [each for each in findings if id(each) not in wanting]

    def line_of(self, finding: Finding) -> int:
        """Its (one-based) line in the text without the ending; the one in front, where it is the ending's."""
        line = finding.line
        for behind, count in self.added:
            line = min(line, max(behind + 1, line - count))
        return line


@dataclass(frozen=True, slots=True)
class _Statements:
    """Where each statement of some code begins, and how far the last one is. Offsets are of the code.

    Of the last one, `open` has the brackets that are not closed, `colon` is the first colon outside of any.
    """

    code: str
    starts: Sequence[int]
    open: str
    colon: int | None

    @property
    def last(self) -> str:
        return self.code[self.starts[-1] :]


def finished(document: Document, offset: int) -> Finished | None:
    """The document with the shortest ending behind the line at `offset`, where the user goes on to write.

    None when the statement there needs none, or when no ending is known. That it parses is not said.
    """
    line = document.position(offset)[0]
    end = document.starts[line] + len(document.lines[line])
    written = _statements(document.text[:end])
    if written is None:
        return None
    tail = _tail(document, written)
    added = [(end, tail)] if tail else []
    for outer in _tries_around(written):
        place = _end_of_block(document, line, outer)
        if place is not None:
            added.append((place, f"{document.newline}{outer}finally: pass"))
    if not added:
        return None
    ended = document.with_text(
        apply(document.text, (Replacement(place, place, text) for place, text in added))
    )
    ending = "".join(text for _, text in added).strip()
    first = document.position(written.starts[-1])[0]
    missing = FOR_WANT_OF_ARGUMENTS if written.open else frozenset[str]()
    if tail.endswith(_BODY):
        missing |= FOR_WANT_OF_A_BODY
    lines = [(document.position(place)[0], text.count(document.newline)) for place, text in added]
    return Finished(ended, ending, missing, first, line, line + tail.count(document.newline), lines)


def begin_of_statement(document: Document, line: int) -> int:
    """The line where the statement on `line` begins; `line` itself when that is not known."""
    end = document.starts[line] + len(document.lines[line])
    written = _statements(document.text[:end])
    return line if written is None else document.position(written.starts[-1])[0]


def _closed_calls(text: str, line: int) -> set[tuple[int, int]] | None:
    """Where calls and formats (`"%s" % x`) begin that end by `line`: nothing that follows it adds to them.

    As (line, column) of findings. None when the text cannot be read.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    closed, still_open = set[tuple[int, int]](), set[tuple[int, int]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)):
            is_closed = (node.end_lineno or node.lineno) <= line + 1
            (closed if is_closed else still_open).add((node.lineno, node.col_offset))
    return closed - still_open


def _code(text: str) -> str | None:
    """The text with spaces for comments, and `_` for strings; None inside of a string."""
    parts, done = [], 0
    for start, end, is_closed in strings_and_comments(text):
        is_comment = text[start] == "#"
        if not is_comment and not is_closed:
            return None
        parts += [text[done:start], (" " if is_comment else "_") * (end - start)]
        done = end
    return "".join([*parts, text[done:]])


def _statements(text: str) -> _Statements | None:
    """Those that a text has; None when brackets do not match, or when no code is at its end."""
    code = _code(text)
    if code is None:
        return None
    starts, opened, colon = [0], list[str](), None
    for match in _STRUCTURE.finditer(code):
        what = match[0]
        if what in _CLOSES:
            opened.append(what)
        elif what in _CLOSES.values():
            if not opened or _CLOSES[opened.pop()] != what:
                return None
        elif opened:
            continue
        elif what == ":":
            colon = match.start() if colon is None else colon
        elif not code.endswith("\\", 0, match.start()):
            if not code[starts[-1] : match.start()].strip():
                starts.pop()  # a line without code
            starts.append(match.end())
            colon = None
    return _Statements(code, starts, "".join(opened), colon) if code[starts[-1] :].strip() else None


def _tail(document: Document, written: _Statements) -> str:
    """What the last statement itself needs."""
    newline, indent = document.newline, indentation(written.last)
    header = _HEADER.match(written.last)
    closing = "".join(_CLOSES[bracket] for bracket in reversed(written.open))
    if closing == ")" and header and header["word"] == "def" and written.colon is None:
        closing = _parameters(written.last) + closing
    tail = newline + closing if closing else ""  # on a line of its own, behind a comment
    if written.last.lstrip().startswith("@"):
        return f"{tail}{newline}{indent}def _unfinished(self, *_): {_BODY}"
    if header is None or (header["soft"] and written.colon is None):
        return tail
    if written.colon is None:
        tail += ":"
    elif written.code[written.colon + 1 :].strip():
        return tail
    inner = newline + indent + document.indent
    match header["word"] or header["soft"]:
        case "class" | "finally":
            return f"{tail}{inner}pass"
        case "match":
            return f"{tail}{inner}case _: {_BODY}"
        case _:
            return f"{tail}{inner}{_BODY}"


def _parameters(header: str) -> str:
    """Those that a function may still get: calls of it are not wrong for want of them."""
    written, one = header.rstrip(), "_"
    while not {one, f"{one}_"}.isdisjoint(re.findall(r"\w+", written)):
        one += "_"
    if written.endswith("("):
        return f"self, *{one}, **{one}_"
    if "**" in written:
        return ""
    comma = "" if written.endswith(",") else ", "
    if written.removesuffix(",").rstrip().endswith("*"):
        return f"{comma}{one}=None, **{one}_"
    return comma + (f"**{one}" if "*" in written else f"*{one}, **{one}_")


def _tries_around(written: _Statements) -> Iterator[str]:
    """The indentation of each `try` in whose body the last statement is, itself included, from inside out."""
    width: int | None = None
    for start in reversed(written.starts):
        indent = match[0] if (match := _INDENT.match(written.code, start)) else ""
        if width is None or len(indent) < width:
            header = _HEADER.match(written.code, start)
            if header is not None and header["word"] == "try":
                yield indent
            width = len(indent)
        if not width:
            return


def _end_of_block(document: Document, line: int, outer: str) -> int | None:
    """The end of the lines below `line` that are further in than `outer`; None when a handler follows."""
    last = line
    for number in range(line + 1, len(document.lines)):
        text = document.lines[number]
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if len(indentation(text)) <= len(outer):
            if indentation(text) == outer and _HANDLER.match(text):
                return None
            break
        last = number
    return document.starts[last] + len(document.lines[last])
