"""The statements of a module: where they stand, what binds and uses names, and what depends on what.

Training data leaves lines out of modules such that the rest stays clean. Which lines go together is read off
the syntax tree here: a statement, and whatever uses a name that only it bound. That is a much faster stand-in
for the linter of `lintseq_lsp.lintseq`.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines `first` to `last` (excluded), with the comments and blank lines above `code`, where it begins.

    `binds` and `uses` are names and `self.` attributes, those of a compound statement's header only.
    `parent` and `siblings` are indices; `siblings` share its body.
    """

    node: ast.stmt
    first: int
    code: int
    last: int
    parent: int
    binds: frozenset[str]
    uses: frozenset[str]
    siblings: tuple[int, ...] = ()


@dataclass
class Module:
    lines: list[str]
    statements: list[Statement] = field(default_factory=list)

    @property
    def definitions(self) -> list[Statement]:
        return [s for s in self.statements if isinstance(s.node, Definition)]


_BODIES = ("body", "orelse", "finalbody")
_INNER = ast.stmt | ast.excepthandler | ast.match_case


def parse(text: str) -> Module:
    """The module of a text that Python can read, its outer blank lines gone. Raises what `ast.parse` does."""
    text = text.strip("\n")
    module = Module(text.split("\n"))
    _read_block(module, ast.parse(text).body, 0, -1)
    return module


def _read_block(module: Module, body: Sequence[ast.stmt], above: int, parent: int) -> None:
    """Appends the statements of a body; `above` is the line behind what stands before it."""
    places: list[int] = []
    for node in body:
        code = _first_line(node)
        last = node.end_lineno or node.lineno
        if code < above or (parent >= 0 and code == module.statements[parent].code):
            above = max(above, last)
            continue  # shares a line with another statement
        first = code
        while first > above and is_blank_or_comment(module.lines[first - 1]):
            first -= 1
        place = len(module.statements)
        places.append(place)
        is_compound = any(getattr(node, name, None) for name in _BODIES) or isinstance(node, ast.Match)
        header = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _INNER)]
        binds, uses = _names(header if is_compound else [node])
        if isinstance(node, Definition):
            binds = frozenset({node.name})
        module.statements.append(Statement(node, first, code, last, parent, binds, uses))
        if is_compound:
            begin = node.body[0].lineno - 1 if isinstance(node, Definition) else code + 1
            for name in _BODIES:
                inner = getattr(node, name, [])
                if inner and isinstance(inner, list):
                    _read_block(module, inner, _header_end(module, begin, inner[0]), place)
                    begin = inner[-1].end_lineno or begin
            for part in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
                begin = _header_end(module, part.body[0].lineno - 1, part.body[0])
                _read_block(module, part.body, begin, place)
        above = last
    for place in places:
        module.statements[place] = replace(module.statements[place], siblings=tuple(places))


def _header_end(module: Module, begin: int, first: ast.stmt) -> int:
    """The line behind the last non-blank, non-comment line above a body's first statement."""
    line = _first_line(first)
    while line > begin and is_blank_or_comment(module.lines[line - 1]):
        line -= 1
    return line


def _first_line(node: ast.stmt) -> int:
    """The zero-based line of a statement, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1


def is_blank_or_comment(line: str) -> bool:
    return not line.strip() or line.lstrip()[0] == "#"


def _names(nodes: Iterable[ast.AST]) -> tuple[frozenset[str], frozenset[str]]:
    binds, uses = set(), set()
    for node in nodes:
        for inner in ast.walk(node):
            match inner:
                case ast.Name(id=name, ctx=ast.Load()):
                    uses.add(name)
                case ast.Name(id=name):
                    binds.add(name)
                case ast.alias(name=name, asname=alias):
                    binds.add(alias or name.partition(".")[0])
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Load()):
                    uses.add(f"self.{name}")
                case ast.Attribute(value=ast.Name(id="self"), attr=name):
                    binds.add(f"self.{name}")
                case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                    binds.add(name)
    return frozenset(binds), frozenset(uses)


def within(module: Module, numbers: set[int]) -> set[int]:
    """The statements (indices) whose lines are all in `numbers`."""
    return {i for i, s in enumerate(module.statements) if numbers.issuperset(range(s.code, s.last))}


def closure(module: Module, present: set[int], gone: set[int]) -> set[int]:
    """The statements that have to go from `present` when those of `gone` do, so that the rest stays clean.

    A body may not become empty, a name may not lose everything that binds it, and what stands in a
    statement goes with it.
    """
    gone = set(gone)
    while True:
        more = {index for index in present - gone if module.statements[index].parent in gone}
        left = present - gone - more
        for index in gone:
            statement = module.statements[index]
            if statement.parent in left and not any(sibling in left for sibling in statement.siblings):
                more.add(statement.parent)
        bound = {name for index in left for name in module.statements[index].binds}
        lost = {name for index in gone for name in module.statements[index].binds} - bound
        more |= {index for index in left if module.statements[index].uses & lost}
        if not more:
            return gone
        gone |= more


def first_docstring_line(node: ast.AST) -> str:
    """Of a definition, as a sentence: empty when there is none, and for markup."""
    docstring = (ast.get_docstring(node) or "").partition("\n")[0] if isinstance(node, Definition) else ""
    return "" if docstring.startswith((".", ":", "@")) else docstring


def is_first_in_function(module: Module, statement: Statement) -> bool:
    """Whether it is the first statement of a function, its docstring aside."""
    if statement.parent < 0 or not isinstance(parent := module.statements[statement.parent].node, Function):
        return False
    return statement.node is parent.body[min(_has_docstring(parent), len(parent.body) - 1)]


def _has_docstring(node: Definition) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def signature(module: Module, definition: Statement) -> str | None:
    """The lines of a definition with a docstring down to the end of that, dedented."""
    node = definition.node
    if not isinstance(node, Definition) or not _has_docstring(node):
        return None
    return _dedented(module.lines[definition.code : node.body[0].end_lineno])


def alone(module: Module, definition: Statement, *, keep_docstring: bool) -> Module | None:
    """A function or class as a module of its own, without its docstring unless that is kept.

    None when it is no Python any more, dedented.
    """
    node, lines = definition.node, module.lines
    whole = lines[definition.code : definition.last]
    if not keep_docstring and isinstance(node, Definition) and _has_docstring(node) and len(node.body) > 1:
        docstring = node.body[0]
        end = docstring.end_lineno or docstring.lineno
        end += end < definition.last and not lines[end].strip()  # the blank line below it
        whole = [*lines[definition.code : docstring.lineno - 1], *lines[end : definition.last]]
    try:
        return parse(_dedented(whole))
    except SyntaxError:
        return None


def _dedented(lines: Sequence[str]) -> str:
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines)
