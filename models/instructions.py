"""What a person could write to get a statement inserted: by templates over its syntax, or what describes it.

Instructions are short, as people write them. Nothing is made up: each is the comment above the statement, the
first line of its docstring, or a template filled with the statement's own parts.
"""

import ast
import random
from collections.abc import Iterator

from statements import Definition, Function, Module, Statement, first_docstring_line, signature

LONGEST, LONGEST_TEXT = 60, 100  # characters of an expression, of a name or sentence in a template
DESCRIBED = 0.23  # share with the comment above or a docstring, where there is one, instead of a template
LOWER_CASE, FULL_STOP = 0.2, 0.4  # shares that begin, and end, like that

AS_PROBLEM = (
    0.4  # of functions with a docstring from an empty file: HumanEval's way to ask, with the signature
)
BY_DOCSTRING = 0.5  # of the others

PROBLEM = "Write a Python function to solve the following problem:\n"  # as in the paper's evaluation
_LEVELS = {"debug": "a", "info": "an", "warning": "a", "error": "an", "exception": "an"}

Template = tuple[str | ast.AST | None, ...]  # a format, then what goes into its places


def for_statement(module: Module, statement: Statement, rng: random.Random) -> str:
    """An instruction for one statement; empty when nothing fits."""
    described = description(module, statement)
    if described and rng.random() < DESCRIBED:
        return described
    ways = list(filled(statement.node))
    if not ways:
        return ""
    way = rng.choice(ways)
    if rng.random() < LOWER_CASE:
        way = lowered(way)
    return f"{way}." if rng.random() < FULL_STOP and not way.endswith(".") else way


def for_definition(module: Module, definition: Statement, rng: random.Random) -> str:
    """An instruction for a function or class of its own, in an empty file."""
    docstring = first_docstring_line(definition.node)
    if docstring and isinstance(definition.node, Function) and rng.random() < AS_PROBLEM:
        return f"{PROBLEM}{signature(module, definition)}"
    if docstring and rng.random() < BY_DOCSTRING:
        return docstring
    return for_statement(module, definition, rng)


def description(module: Module, statement: Statement) -> str:
    """The comment above the statement, else the docstring of the definition that it is or stands in."""
    above = module.lines[statement.code - 1].strip() if statement.code else ""
    if above.startswith("#"):
        return above.lstrip("#: ")
    while not isinstance(statement.node, Definition) and statement.parent >= 0:
        statement = module.statements[statement.parent]
    return first_docstring_line(statement.node)


def filled(node: ast.stmt) -> Iterator[str]:
    """The templates for a statement, without those one of whose parts is missing or too long."""
    for template, *parts in templates(node):
        texts = [brief(part) for part in parts]
        if all(texts):
            yield str(template).format(*texts)


def brief(part: str | ast.AST | None) -> str:
    """On one line; empty when that is long."""
    is_code = isinstance(part, ast.AST)
    text = " ".join((ast.unparse(part) if is_code else part or "").split())
    return text if len(text) <= (LONGEST if is_code else LONGEST_TEXT) else ""


def lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def words(name: str) -> str:
    """A name as words; empty for `__init__` and its like, which are none."""
    return "" if name.startswith("__") else name.strip("_").replace("_", " ")


def templates(node: ast.stmt) -> list[Template]:
    """Ways to ask for a statement, the likelier ones more than once."""
    match node:
        case ast.Import(names=names):
            what = ", ".join(alias.name for alias in names)
            return [("Import {}", what)] * 2 + [("Add the import of {}", what)]
        case ast.ImportFrom(names=names, module=module):
            what = ", ".join(alias.name for alias in names)
            return [("Import {}", what), ("Import {} from {}", what, module), ("Add the import of {}", what)]
        case ast.FunctionDef(name=name, args=arguments) | ast.AsyncFunctionDef(name=name, args=arguments):
            kind = "method" if [a.arg for a in arguments.args[:1]] == ["self"] else "function"
            docstring = first_docstring_line(node)
            return [
                (f"Add a {kind} {{}}", name),
                ("Define {}", name),
                (f"Write a {kind} {{}}", f"{name}({ast.unparse(arguments)})"),
                (f"Add a {kind} to {{}}", words(name)),
                *[("{}", docstring), (f"Add a {kind} {name}: {{}}", docstring)] * 2,
            ]
        case ast.ClassDef(name=name, bases=bases):
            docstring = first_docstring_line(node)
            return [
                ("Add a class {}", name),
                ("Define the class {}", name),
                ("Add a subclass {} of {}", name, ", ".join(map(ast.unparse, bases))),
                ("{}", docstring),
                ("Add a class {}: {}", name, docstring),
            ]
        case ast.Return(value=None):
            return [("Return",), ("Stop here",)]
        case ast.Return(value=ast.Name(id=name)):
            return [("Return {}", name), ("Return the {}", words(name)), ("Return the result",)]
        case ast.Return(value=value):
            return [("Return {}", value), ("Return the result",)]
        case ast.Raise(exc=None):
            return [("Raise again",)]
        case ast.Raise(exc=error):
            kind = error.func if isinstance(error, ast.Call) else error
            return [("Raise {}", kind), ("Raise an error: {}", error)]
        case ast.If(test=test, body=[first, *_]):
            ways: list[Template] = [("Check whether {}", test), ("Handle the case {}", test)]
            for way in filled(first):
                ways += [("{} if {}", way, test), ("If {}, {}", test, lowered(way))]
            return ways if brief(test) else [("{} when needed", way) for way in filled(first)]
        case ast.For(target=one, iter=over, body=body) | ast.AsyncFor(target=one, iter=over, body=body):
            ways = [("Loop over {}", over), ("Iterate over {}", over), ("Go through each {}", one)]
            return ways + [("For each {} in {}, {}", one, over, lowered(way)) for way in filled(body[0])]
        case ast.While(test=test):
            return [("Loop while {}", test), ("Repeat while {}", test)]
        case ast.With(items=[item, *_]) | ast.AsyncWith(items=[item, *_]):
            what = item.context_expr
            return [("Use {}", what), ("Open {}", what), ("With {}", what)]
        case ast.Try(handlers=handlers):
            caught = ", ".join(ast.unparse(handler.type) for handler in handlers if handler.type)
            return [("Catch {}", caught), ("Handle {}", caught)] if caught else [("Clean up at the end",)]
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            ways = [("Set {}", name), ("Compute {}", name), ("Assign {}", name)]
            return [*ways, ("Compute the {}", words(name)), *[("Set {} to {}", name, value)] * 2]
        case ast.Assign(targets=[target], value=value):
            ways = [("Set {}", target), ("Compute {}", target), ("Assign {}", target)]
            return [*ways, *[("Set {} to {}", target, value)] * 2]
        case ast.AnnAssign(target=target, annotation=annotation):
            return [("Add {}: {}", target, annotation), ("Declare {}", target)]
        case ast.AugAssign(target=target, op=ast.Add(), value=value):
            return [("Update {}", target), ("Add {} to {}", value, target)]
        case ast.AugAssign(target=target):
            return [("Update {}", target)]
        case ast.Expr(value=ast.Constant(value=str())):
            return [("Add a docstring",), ("Document it",), ("Write the docstring",)]
        case ast.Expr(value=ast.Call() as call):
            return _for_call(call)
        case ast.Assert(test=test):
            return [("Assert {}", test), ("Check that {}", test)]
    return []


def _for_call(call: ast.Call) -> list[Template]:
    first = call.args[0] if call.args else None
    match call.func:
        case ast.Name(id="print"):
            return [("Print {}", first), ("Print it",)]
        case ast.Attribute(value=owner, attr="append" | "add"):
            return [("Add {} to {}", first, owner), ("Append {} to {}", first, owner)]
        case ast.Attribute(attr=level) if level in _LEVELS:
            return [("Log {}", first), ("Log it",), (f"Log {_LEVELS[level]} {level}",)]
    return [("Call {}", call.func), ("Call {} with {}", call.func, first)]
