"""A text in parts, and which of its functions an edit can have given other findings.

A function that an edit does not touch has the findings that it had, unless it mentions a name of which the
edit may have changed what it stands for. Such names are followed: through what functions return, what they
assign to attributes and globals, and what statements outside of functions bind. What cannot be followed
(special methods, names that are made while the code runs, bases of classes, branches around functions) has
all of the text checked.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SIMPLE = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom),
    *(ast.Expr, ast.Pass, ast.Delete),
)
_WORD = re.compile(r"[^\W\d]\w*")
_SPECIAL = re.compile(r"__\w+__\Z")

_FAR = frozenset(
    {
        *("pylint", "globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "__setattr__"),
        *("__dict__", "__path__", "__future__", "__class__", "initpkg", "modules"),
        *("type_check_only", "version_info", "platform", "metaclass"),
    }
)
"""Words of an edit that may reach anything in the text."""

_LEAVES = frozenset({"raise", "assert", "exit", "quit", "_exit", "return", "break", "continue"})
"""Words by which a block may end what is below it."""

_MOST_WALKED = 0.6
"""Share of the lines in functions from which on all of the text is checked."""


@dataclass(frozen=True)
class Part:
    """A function, another statement, or what says how they nest. Lines are one-based."""

    kind: str  # "def", "statement", "class", "block", "pragma"
    place: tuple[str, ...]
    """What it is in: names of classes, and which branch of which block."""

    text: str
    first: int
    last: int
    node: ast.stmt | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, tuple[str, ...], str]:
        """What two parts share that are the same code."""
        return self.kind, self.place, self.text

    @property
    def name(self) -> str:
        """Of a function or class."""
        return str(getattr(self.node, "name", ""))

    @property
    def line(self) -> int:
        """Of a function, the one with its `def`."""
        return self.node.lineno if self.node else self.first

    @cached_property
    def words(self) -> frozenset[str]:
        """All names in it, those in its strings and comments included."""
        return words_of(self.text)

    @cached_property
    def header(self) -> str:
        """Of a function: what is not its body."""
        assert isinstance(self.node, _FUNCTIONS)
        node = self.node
        fields = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        return " ".join([type(node).__name__, *map(ast.unparse, fields)])

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(name for name in self.place if name.isidentifier())


@lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def split(tree: ast.Module, text: str) -> list[Part]:
    """The parts of a text in the order of their lines."""
    lines = text.split("\n")
    parts = list(_parts(tree.body, (), lines))
    covered = set[int]()
    for part in parts:
        if part.kind in ("def", "statement"):
            covered.update(range(part.first, part.last + 1))
    for number, line in enumerate(lines, 1):
        if "pylint" in line and number not in covered:
            parts.append(Part("pragma", (), line, number, number))
    return sorted(parts, key=lambda part: part.first)


def _parts(body: Sequence[ast.stmt], place: tuple[str, ...], lines: Sequence[str]) -> Iterator[Part]:
    for node in body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        blocks = list(_blocks(node))
        if isinstance(node, _FUNCTIONS) or not (isinstance(node, ast.ClassDef) or _holds(blocks)):
            kind = "def" if isinstance(node, _FUNCTIONS) else "statement"
            yield Part(kind, place, "\n".join(lines[first - 1 : last]), first, last, node)
            continue
        own = [
            ast.dump(value)
            for name, value in ast.iter_fields(node)
            for value in (value if isinstance(value, list) else [value])
            if isinstance(value, ast.AST) and not isinstance(value, ast.stmt)
            if not isinstance(value, ast.ExceptHandler | ast.match_case)
        ]
        kind = "class" if isinstance(node, ast.ClassDef) else "block"
        heads = [type(node).__name__, *(f"{name}: {head}" for name, head, _ in blocks)]
        text = " ".join([*heads, *own]) if kind == "block" else " ".join([node.name, *own])  # type: ignore[attr-defined]
        yield Part(kind, place, text, first, node.lineno, node)
        for name, _, statements in blocks:
            inner = node.name if isinstance(node, ast.ClassDef) else f"{type(node).__name__}.{name}"
            yield from _parts(statements, (*place, inner), lines)


def _blocks(node: ast.stmt) -> Iterator[tuple[str, str, list[ast.stmt]]]:
    """The blocks of a compound statement: which one, its head, and its statements."""
    for name, value in ast.iter_fields(node):
        if not isinstance(value, list):
            continue
        if value and isinstance(value[0], ast.stmt):
            yield name, "", value
        for number, each in enumerate(value):
            if isinstance(each, ast.ExceptHandler):
                head = f"{each.name} {ast.dump(each.type) if each.type else ''}"
                yield f"{name}{number}", head, each.body
            elif isinstance(each, ast.match_case):
                head = f"{ast.dump(each.pattern)} {ast.dump(each.guard) if each.guard else ''}"
                yield f"{name}{number}", head, each.body


def _holds(blocks: Iterable[tuple[str, str, list[ast.stmt]]]) -> bool:
    """Whether there is a function or a class in them."""
    return any(
        isinstance(each, (*_FUNCTIONS, ast.ClassDef)) or _holds(_blocks(each))
        for _, _, statements in blocks
        for each in statements
    )


@dataclass(frozen=True)
class Change:
    """What of a text is to be checked. `kept` has what the parts of the others were, and are."""

    walked: Sequence[Part]
    kept: Sequence[tuple[Part, Part]]


def change(
    old: Sequence[Part], new: Sequence[Part], odd: frozenset[str], stuck: Iterable[Part]
) -> Change | None:
    """What an edit of `old` that made `new` of it can have changed; None when that may be anything.

    `odd` are the names outside of functions of which who uses them first matters. `stuck` are old
    parts whose findings cannot be kept.
    """
    gone, come, pairs = _differences(old, new)
    if any(part.kind not in ("def", "statement") for part in (*gone, *come)):
        return None
    if not all(_is_near(part) for part in (*gone, *come) if part.kind == "statement"):
        return None
    reached = _Reached(new)
    try:
        reached.begin(gone, come)
        reached.follow()
    except _Far:
        return None
    mentioned = {word for part in (*gone, *come) for word in part.words} & odd
    named = reached.dirty | reached.used | mentioned
    never = {id(part) for part in stuck}
    kept = [
        (before, after)
        for before, after in pairs
        if after.kind == "def" and id(before) not in never and named.isdisjoint(after.words)
    ]
    lines = {after.line for _, after in kept}
    walked = [part for part in new if part.kind == "def" and part.line not in lines]
    sizes = [
        sum(part.last - part.first + 1 for part in parts) for parts in (walked, [after for _, after in kept])
    ]
    return Change(walked, kept) if sizes[0] <= _MOST_WALKED * sum(sizes) else None


def _differences(
    old: Sequence[Part], new: Sequence[Part]
) -> tuple[list[Part], list[Part], list[tuple[Part, Part]]]:
    """The parts that only one of the texts has, and those that both have."""
    befores, afters = [part.key for part in old], [part.key for part in new]
    top = 0
    while top < min(len(old), len(new)) and befores[top] == afters[top]:
        top += 1
    end = 0
    while end < min(len(old), len(new)) - top and befores[-1 - end] == afters[-1 - end]:
        end += 1
    pairs = list(zip(old[:top], new[:top], strict=True))
    middle = befores[top : len(old) - end], afters[top : len(new) - end]
    gone, come = list[Part](), list[Part]()
    for tag, i, i_end, j, j_end in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        olds, news = old[top + i : top + i_end], new[top + j : top + j_end]
        if tag == "equal":
            pairs += zip(olds, news, strict=True)
        else:
            gone += olds
            come += news
    pairs += zip(old[len(old) - end :], new[len(new) - end :], strict=True)
    return gone, come, pairs


def _is_near(part: Part) -> bool:
    """Whether a statement can be followed when it comes, goes or changes."""
    if not _FAR.isdisjoint(part.words):
        return False
    node = part.node
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return False
    if any(map(_SPECIAL.match, _bound(node))):
        return False
    return isinstance(node, _SIMPLE) or _LEAVES.isdisjoint(part.words)


class _Far(Exception):  # noqa: N818 - no error
    """It cannot be said how far an edit reaches."""


@dataclass(frozen=True)
class _Line:
    """A simple statement of a function, or the head of a compound one."""

    text: str
    words: frozenset[str]
    binds: frozenset[str]
    attributes: frozenset[str]
    answers: bool
    """Whether it has to do with what the function gives back."""


class _Reached:
    """The names that an edit changes. `dirty` may stand for something else; `used` is used in another way."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.dirty: set[str] = set()
        self.used: set[str] = set()
        self._parts = parts
        self._bases: defaultdict[str, set[str]] = defaultdict(set)
        for part in parts:
            if part.kind == "class":
                self._bases[part.name] |= part.words

    def begin(self, gone: Sequence[Part], come: Sequence[Part]) -> None:
        """Raises _Far."""
        functions = defaultdict[tuple[str, tuple[str, ...]], tuple[list[Part], list[Part]]](lambda: ([], []))
        for side, parts in enumerate((gone, come)):
            for part in parts:
                if part.kind == "def":
                    functions[part.name, part.place][side].append(part)
                else:
                    self.dirty |= _bound(part.node)
                    self._use_classes(part)
        for (name, _), (olds, news) in functions.items():
            if len(olds) == len(news) == 1 and olds[0].header == news[0].header:
                self._edited(olds[0], news[0])
                continue
            if _SPECIAL.match(name) and name != "__init__":
                raise _Far
            if any(not _FAR.isdisjoint(part.words) for part in (*olds, *news)):
                raise _Far
            self.dirty.add(name)
            if name == "__init__":
                self.used |= {"cls", "super", "type"}
            for part in (*olds, *news):
                self._use_classes(part)
                lines = _lines_of(part)
                self._take(part, lines, set(lines))

    def follow(self) -> None:
        """Raises _Far."""
        done = set[str]()
        while not self.dirty <= done:
            news = self.dirty - done
            done |= news
            for part in self._parts:
                if news.isdisjoint(part.words):
                    continue
                if part.kind == "statement":
                    self.dirty |= _bound(part.node)
                    if any(map(_SPECIAL.match, _bound(part.node))):
                        raise _Far
                elif part.kind == "def":
                    if not news.isdisjoint(words_of(part.header)):
                        self._gives(part)
                    lines = _lines_of(part)
                    self._take(part, lines, {line for line in lines if not self.dirty.isdisjoint(line.words)})
                elif part.kind in ("class", "block"):
                    raise _Far

    def _use_classes(self, part: Part) -> None:
        """What a class has decides on how it, and what inherits from it, may be called."""
        names, count = set(part.classes), -1
        while len(names) != count:
            count = len(names)
            names |= {name for name, bases in self._bases.items() if not names.isdisjoint(bases)}
        self.used |= names

    def _edited(self, old: Part, new: Part) -> None:
        """A function whose body alone is another one."""
        if "pylint" in old.words | new.words:
            raise _Far
        before, after = _lines_of(old), _lines_of(new)
        counts = Counter(line.text for line in before), Counter(line.text for line in after)
        changed = {line for line in before if counts[0][line.text] != counts[1][line.text]}
        changed |= {line for line in after if counts[0][line.text] != counts[1][line.text]}
        if not changed and [line.text for line in before] != [line.text for line in after]:
            changed = {*before, *after}
        self._take(new, [*before, *after], changed)
        answers = any(line.answers for line in (*before, *after))
        if changed and not answers and not {"raise", "pass"}.isdisjoint(old.words | new.words):
            self._gives(new)  # whether it is abstract is told from its statements

    def _take(self, part: Part, lines: Sequence[_Line], changed: set[_Line]) -> None:
        """Follows values inside of a function, from the lines where they are others."""
        names = {name for line in changed for name in line.binds}
        count = -1
        while len(names) + len(changed) != count:
            count = len(names) + len(changed)
            changed |= {line for line in lines if not names.isdisjoint(line.words)}
            names |= {name for line in changed for name in line.binds}
        if any(not _FAR.isdisjoint(line.words) for line in changed):
            raise _Far
        self.dirty |= {name for line in changed for name in line.attributes}
        if outer := _outer_names(part):
            self.dirty |= names & outer
        if any(line.answers for line in changed):
            self._gives(part)

    def _gives(self, part: Part) -> None:
        """The function gives back something else."""
        if _SPECIAL.match(part.name) and part.name != "__init__":
            raise _Far
        self.dirty.add(part.name)
        # What decorates a class, or makes one, gives it names.
        if any(part.name in bases for bases in self._bases.values()):
            raise _Far


@lru_cache(maxsize=4096)
def _lines_of(part: Part) -> tuple[_Line, ...]:
    assert isinstance(part.node, _FUNCTIONS)
    return tuple(_flat(part.node.body, 0))


def _flat(body: Sequence[ast.stmt], depth: int) -> Iterator[_Line]:
    for node in body:
        blocks = list(_blocks(node))
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) or not blocks:
            text = ast.unparse(node)
            answers = any(isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) for each in ast.walk(node))
            yield _Line(
                f"{depth} {text}", words_of(text), frozenset(_bound(node)), _attributes(node), answers
            )
            continue
        # Where its head is another one, so is when its blocks run: it counts as what binds their names.
        own = [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.stmt)]
        heads = " ".join([*(ast.dump(each) for each in own if isinstance(each, ast.expr | ast.withitem))])
        heads += " ".join(f"{name}: {head}" for name, head, _ in blocks)
        answers = any(isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) for each in ast.walk(node))
        words = {each.id for part in own for each in ast.walk(part) if isinstance(each, ast.Name)}
        words |= {each.attr for part in own for each in ast.walk(part) if isinstance(each, ast.Attribute)}
        yield _Line(
            f"{depth} {type(node).__name__} {heads}",
            frozenset(words),
            frozenset(_bound(node)),
            _attributes(node),
            answers,
        )
        for _, _, statements in blocks:
            yield from _flat(statements, depth + 1)


def _bound(node: ast.AST | None) -> set[str]:
    """The names and attributes that a statement binds."""
    found = set[str]()
    for each in ast.walk(node) if node else ():
        match each:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
            case ast.MatchMapping(rest=str(name)) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name.partition(".")[0])
    return found


def _attributes(node: ast.AST) -> frozenset[str]:
    return frozenset(
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and not isinstance(each.ctx, ast.Load)
    )


def _outer_names(part: Part) -> set[str]:
    """What a function binds outside of itself."""
    assert part.node is not None
    return {
        name
        for each in ast.walk(part.node)
        if isinstance(each, ast.Global | ast.Nonlocal)
        for name in each.names
    }


def outer_mentions(parts: Sequence[Part]) -> dict[str, int]:
    """The first line outside of functions' bodies on which each name is read."""
    found: dict[str, int] = {}
    for part in parts:
        for each in _outside(part):
            for node in ast.walk(each):
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                    found.setdefault(node.id, part.first)
    return found


def _outside(part: Part) -> Iterable[ast.AST]:
    """What of a part runs before any function does."""
    node = part.node
    if isinstance(node, _FUNCTIONS):
        return [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
    if node is None or part.kind == "statement":
        return [node] if node else []
    return [
        each
        for child in ast.iter_child_nodes(node)
        for each in (_heads(child) if isinstance(child, ast.ExceptHandler | ast.match_case) else [child])
        if not isinstance(each, ast.stmt)
    ]


def _heads(branch: ast.ExceptHandler | ast.match_case) -> list[ast.AST]:
    return [each for each in ast.iter_child_nodes(branch) if not isinstance(each, ast.stmt)]
