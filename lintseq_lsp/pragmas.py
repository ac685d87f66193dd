"""Comments that silence linters, where they do so, and what of it an edit brings in.

What a linter takes for a directive is read from its own documentation. Deliberately absent: the names of
pylint's messages (`E0602` and `undefined-variable` count as two).
"""

import ast
import operator
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache

from lintseq_lsp.alignment import origins
from lintseq_lsp.text import split_lines

Item = tuple[str, str]
"""A tool and one of its messages; `*` for all of them."""

_HINT = re.compile(r"pylint|noqa|nosec|ty(?:pe)?\s*:|pyright|mypy|ruff|flake8|coding[:=]", re.IGNORECASE)
_PYLINT = re.compile(r"\bpylint\s*:([^;]*)", re.IGNORECASE)
_WORD = re.compile(r"[\w-]+|=")
_LINE_LEVEL = (
    ("noqa", re.compile(r"noqa\b(?!-)(?:\s*:\s*((?:[a-z]+[0-9]+[\s,]*)+))?", re.IGNORECASE)),
    ("type", re.compile(r"type\s*:\s*ignore\b(?:\[([^\]]*)\])?", re.IGNORECASE)),
    ("pyright", re.compile(r"pyright\s*:\s*ignore\b(?:\[([^\]]*)\])?", re.IGNORECASE)),
    ("ty", re.compile(r"ty\s*:\s*ignore\b(?:\[([^\]]*)\])?", re.IGNORECASE)),
    ("nosec", re.compile(r"nosec\b(?:\s*(?::\s*)?((?:B[0-9]+[\s,]*)+))?", re.IGNORECASE)),
)
_RUFF = re.compile(r"ruff\s*:\s*(ignore|disable|enable|file-ignore)\s*\[([^\]]*)\]", re.IGNORECASE)
_FILE_LEVEL = re.compile(
    r"(?:(ruff|flake8)\s*:\s*((?:noqa|disable|ignore)\b.*)"
    r"|(mypy|pyright)\s*:\s*([\w-]+\s*(?:[=,].*)?))$",
    re.IGNORECASE,
)
_ENCODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_NO_CODE = re.compile(r"[ \t\f]*(?:#|$)")
_CLAUSES = frozenset({"elif", "else", "except", "finally"})
_LONGEST_BARE = 6
_MOST_ITEMS = 500
"""Messages that blocks of one text silence. Each line below has them all, which takes time and memory."""

_NOTHING: frozenset[Item] = frozenset()


@dataclass(slots=True)
class _Directives:
    """What one comment says. `next` is for the line below it.

    `statement` is for the next statement, where the comment has a line of its own.
    """

    line: set[Item] = field(default_factory=set)
    statement: set[Item] = field(default_factory=set)
    disable: set[Item] = field(default_factory=set)
    enable: set[Item] = field(default_factory=set)
    next: set[Item] = field(default_factory=set)
    file: set[Item] = field(default_factory=set)


@dataclass(slots=True)
class _Silence:
    """What is silenced in a text; lines are zero-based.

    `block` has for each line of code what an enclosing block silences, and `end` the same for one that
    would follow; `line` is for single lines. `open` counts pylint's `disable` less its `enable`.
    """

    file: set[Item] = field(default_factory=set)
    block: dict[int, frozenset[Item]] = field(default_factory=dict)
    line: dict[int | None, set[Item]] = field(default_factory=dict)
    end: frozenset[Item] = _NOTHING
    open: Counter[Item] = field(default_factory=Counter)


def silences_more(before: str, after: str, stand_in: str = "") -> bool:
    """Whether `after`, an edit of `before`, silences a linter where it was not silenced, or changes
    the declared encoding.

    Where the tokens of `before` cannot be read, those of `stand_in` count: the same text but for one line,
    or another one with lines of its own. An `after` that cannot be read silences more, unless Python does
    not parse it anyway.
    """
    if before == after or not _may_have_any(after):
        return False
    new = _silence(after)
    if new is None:
        return _parses(after)
    old_lines, new_lines = split_lines(before)[0], split_lines(after)[0]
    encoding = _encoding(new_lines)
    if encoding not in ("utf-8", _encoding(old_lines)):
        return True
    old = _silence(before)
    if old is None:
        old, lines = _silence(stand_in) or _Silence(), split_lines(stand_in)[0]
        if len(lines) != len(old_lines) or sum(map(operator.ne, lines, old_lines)) > 1:
            old_lines = lines
    opened = {item for item in new.open if new.open[item] > max(old.open[item], 0)}
    if not _covers(old.file, new.file | opened):
        return True
    if not (any(new.block.values()) or any(new.line.values())):
        return False
    return _reaches_further(old, old_lines, new, new_lines)


def _reaches_further(
    old: _Silence, old_lines: Sequence[str], new: _Silence, new_lines: Sequence[str]
) -> bool:
    was = origins(old_lines, new_lines)
    around = _around(old, old_lines, new_lines, was)
    for line, silent in new.block.items():
        origin = was[line]
        allowed = _NOTHING if origin is None else old.block.get(origin, _NOTHING)
        if origin is None or old_lines[origin] != new_lines[line]:
            allowed |= around[line]  # a new line may stand where a block is silent already
        if not (silent <= allowed or _covers(old.file | allowed, silent)):
            return True
        single = new.line.get(line, _NOTHING)
        if single and not _covers(old.file | allowed | old.line.get(origin, _NOTHING), single):
            return True
    return False


def _around(
    old: _Silence, old_lines: Sequence[str], new_lines: Sequence[str], was: Sequence[int | None]
) -> list[frozenset[Item]]:
    """For each new line what blocks silenced between the lines of code around it that stayed."""
    around = [_NOTHING] * len(new_lines)
    above, begin = -1, 0
    for line in range(len(new_lines) + 1):
        last = line == len(new_lines)
        origin = len(old_lines) if last else was[line]
        if not last and (origin not in old.block or old_lines[origin] != new_lines[line]):
            continue
        assert origin is not None
        if begin < line:
            between = range(above, origin + 1) if above <= origin else (above, origin)
            silent = _NOTHING.union(*(old.block[number] for number in between if number in old.block))
            around[begin:line] = [silent | old.end if last else silent] * (line - begin)
        above, begin = origin, line + 1
    return around


def _covers(allowed: Set[Item], wanted: Set[Item]) -> bool:
    return all(item in allowed or (item[0], "*") in allowed for item in wanted)


def _may_have_any(text: str) -> bool:
    return any("#" in line and _HINT.search(line, line.index("#")) for line in split_lines(text)[0])


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
        return False
    return True


def _encoding(lines: Sequence[str]) -> str:
    """The declared one (PEP 263), in small letters; UTF-8 by whatever name is "utf-8"."""
    for line in lines[:2]:
        if match := _ENCODING.match(line):
            name = match[1].lower().replace("_", "-")
            return "utf-8" if name == "utf8" or f"{name}-".startswith("utf-8-") else name
        if not _NO_CODE.match(line):
            break
    return "utf-8"


@lru_cache(maxsize=4)
def _silence(text: str) -> _Silence | None:
    """None when the text has no tokens, or silences more than anybody means. It is not to be changed."""
    if not _may_have_any(text):
        return _Silence()
    reader = _Reader()
    lines = iter([f"{line}\n" for line in split_lines(text)[0]])
    try:
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            reader.read(token)
            if len(reader.silence.open) > _MOST_ITEMS:
                return None
    except (tokenize.TokenError, SyntaxError, UnicodeError):
        return None
    return reader.silence


class _Reader:
    """Follows the tokens of a text.

    As in pylint, a comment behind code is for its statement, also for the block which that opens if
    nothing but a name stands in front; one on a line of its own is for the rest of the block that the
    next statement stands in, or for the next clause.
    """

    def __init__(self) -> None:
        self.silence = _Silence(line=defaultdict(set))
        self._blocks = [_NOTHING]
        self._coming: list[_Directives] = []
        self._next: defaultdict[int, set[Item]] = defaultdict(set)
        self._above: set[Item] = set()
        self._any_code = False
        # of the statement that is being read, or was the last one
        self._first: int | None = None
        self._words: list[str] = []
        self._said = _Directives()
        self._alone: set[Item] = set()
        self._inner = _NOTHING

    def read(self, token: tokenize.TokenInfo) -> None:
        line = token.start[0] - 1
        if token.type == tokenize.COMMENT:
            self._comment(_directives(token.string), line)
        elif token.type == tokenize.INDENT:
            self._blocks.append(_after(self._inner, self._said) if _is_bare(self._words) else self._inner)
        elif token.type == tokenize.DEDENT:
            self._blocks.pop()
        elif token.type == tokenize.ENDMARKER:
            self.silence.end = self._settled()
        elif token.type == tokenize.NEWLINE:
            self._end_statement(line)
        elif token.type != tokenize.NL:
            if self._first is None:
                self._begin_statement(token.string, line)
            if len(self._words) < _LONGEST_BARE:
                self._words.append(token.string)

    def _comment(self, said: _Directives, line: int) -> None:
        self.silence.file |= said.file
        self._next[line + 1] |= said.next
        if self._first is not None:
            self.silence.line[line] |= said.line | said.disable
            self._said.disable |= said.disable
            self._said.enable |= said.enable
            return
        self._coming.append(said)
        self.silence.open.update(said.disable)
        self.silence.open.subtract(said.enable)
        self._above |= said.statement
        if not self._any_code:  # above all code it is for the whole file
            self.silence.file |= {item for item in said.line if item == ("type", "*") or item[0] == "ty"}

    def _settled(self) -> frozenset[Item]:
        silent = self._blocks[-1]
        for said in self._coming:
            silent = _after(silent, said)
        self._coming.clear()
        return silent

    def _begin_statement(self, word: str, line: int) -> None:
        self._first, self._words, self._said, self._any_code = line, [], _Directives(), True
        self._alone, self._above = self._above, set()
        self._inner = self._settled()
        if word not in _CLAUSES:
            self._blocks[-1] = self._inner

    def _end_statement(self, last: int) -> None:
        first = last if self._first is None else self._first
        silent = self._blocks[-1] - self._said.enable if self._said.enable else self._blocks[-1]
        for line in range(first, last + 1):
            self.silence.block[line] = silent
            if self._alone:
                self.silence.line[line] |= self._alone
            if line in self._next:
                self.silence.line[line] |= self._next[line]
                self._said.disable |= self._next[line]
        self._first = None


def _is_bare(words: Sequence[str]) -> bool:
    """Whether a header has nothing that pylint would take the comment behind it to be about."""
    if words[:1] == ["class"]:
        return words[2:] in ([":"], ["(", ")", ":"])
    return words[:1] != [] and words[0] in _CLAUSES | {"try"} and words[1:] == [":"]


def _after(silent: frozenset[Item], said: _Directives) -> frozenset[Item]:
    silent = silent | said.disable if said.disable else silent
    return silent - said.enable if said.enable else silent


def _directives(comment: str) -> _Directives:
    said = _Directives()
    for part in comment.split("#"):
        text = part.strip()
        for match in _PYLINT.finditer(text):
            _read_pylint(match[1], said)
        if items := _of_line(text):
            said.line |= items
            said.statement |= {item for item in items if item[0] == "ty"}
        elif ruff := _RUFF.match(text):
            _read_ruff(ruff[1].lower(), _codes("ruff", ruff[2]), said)
        elif whole := _FILE_LEVEL.match(text):
            said.file.add(((whole[1] or whole[3]).lower(), (whole[2] or whole[4]).lower()))
    return said


def _of_line(text: str) -> set[Item]:
    for tool, pattern in _LINE_LEVEL:
        if match := pattern.match(text):
            return _codes(tool, match[1] or "*")
    return set()


def _codes(tool: str, text: str) -> set[Item]:
    return {(tool, code.lower()) for code in re.findall(r"[\w-]+|\*", text) or ["*"]}


def _read_ruff(action: str, codes: set[Item], said: _Directives) -> None:
    match action:
        case "ignore":
            said.line |= codes
            said.statement |= codes
        case "disable":
            said.disable |= codes
        case "enable":
            said.enable |= codes
        case _:
            said.file |= codes


def _read_pylint(text: str, said: _Directives) -> None:
    """What stands behind `pylint:`, such as `disable=a,b enable=c`: an action counts with its `=` alone."""
    words = _WORD.findall(text.lower())
    codes: set[Item] = set()
    for number, word in enumerate(words):
        assigned = words[number + 1 : number + 2] == ["="]
        if word in ("skip-file", "disable-all"):
            said.file.add(("pylint", "*"))
        elif assigned:
            codes = {
                "disable": said.disable,
                "disable-msg": said.disable,
                "disable-next": said.next,
                "enable": said.enable,
                "enable-msg": said.enable,
            }.get(word, set())
        elif word == "all" and codes is said.disable:
            said.file.add(("pylint", "*"))  # the same as skip-file to pylint
        elif word != "=":
            codes.add(("pylint", word))
