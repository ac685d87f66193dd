"""Code that does not run on this machine, or not on the project's Python: which branches are off.

Values as type checkers know them: `sys.platform`, `os.name`, `platform.system()`, `sys.version_info`, and
what is made of them by comparison, `not`, `and` and `or`, also by way of a name.
"""

import operator
import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from astroid import nodes

Version = tuple[int, int]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, values: value in values,
    "not in": lambda value, values: value not in values,
}
_FIELDS = ("major", "minor", "micro")
_MOST_NAMES = 20  # that are followed from a test
_ENDS = (nodes.Return, nodes.Raise, nodes.Continue, nodes.Break)


class _VersionInfo(tuple[int, ...]):
    """`sys.version_info`, of which major and minor alone are known."""


class UnclearError(Exception):
    """What an expression is cannot be said. `machine` says whether it has to do with the machine."""

    def __init__(self, *, machine: bool = False) -> None:
        super().__init__()
        self.machine = machine


def guards_of(node: nodes.NodeNG, python: Version) -> list[list[nodes.NodeNG]]:
    """Those that `node` is behind which are false here, or cannot be said to be true: the code of each."""
    found = []
    child, parent = node, node.parent
    while parent is not None:
        if isinstance(parent, nodes.If | nodes.IfExp | nodes.While):
            if child is not parent.test:
                is_body = child in parent.body if isinstance(parent.body, list) else child is parent.body
                if _truth(parent.test, python) in (not is_body, None):
                    found.append(_with_names(parent.test))
        elif isinstance(parent, nodes.BoolOp):
            before = parent.values[: parent.values.index(child)]
            off = (value for value in before if _truth(value, python) in (parent.op == "or", None))
            found += map(_with_names, off)
        if child.is_statement:
            field, _ = parent.locate_child(child)
            end = _end_of(parent, field, python)
            if end and child.fromlineno > end[0].tolineno:
                found.append([*_with_names(end[0].test), *end[1:]])
        child, parent = parent, parent.parent
    return found


def forget() -> None:
    """Trees are let go."""
    _end_of.cache_clear()


def _with_names(test: nodes.NodeNG) -> list[nodes.NodeNG]:
    """A test, and what gives their values to the names in it."""
    found = [test]
    for part in found:  # which grows
        for name in part.nodes_of_class(nodes.Name):
            _, places = name.lookup(name.name)
            given = places[0].parent if len(places) == 1 else None
            if isinstance(given, nodes.Assign) and given not in found and len(found) < _MOST_NAMES:
                found.append(given)
    return found


@lru_cache(maxsize=4096)
def _end_of(parent: nodes.NodeNG, field: str, python: Version) -> tuple[nodes.NodeNG, ...]:
    """The statement of a block behind which nothing runs, and what in it leaves; there may be none."""
    block = getattr(parent, field)
    for each in block if isinstance(block, list) else ():
        if isinstance(each, nodes.Assert) and _truth(each.test, python) in (False, None):
            return (each,)
        if isinstance(each, nodes.If) and (_leaves(each.body) or _leaves(each.orelse)):
            truth = _truth(each.test, python)
            if _leaves(each.body) and truth in (True, None):
                return each, each.body[-1]
            if _leaves(each.orelse) and truth in (False, None):
                return each, each.orelse[-1]
    return ()


def _leaves(block: Sequence[nodes.NodeNG]) -> bool:
    last = block[-1] if block else None
    if isinstance(last, nodes.Expr) and isinstance(last.value, nodes.Call):
        return last.value.func.as_string() in ("sys.exit", "exit", "quit", "os._exit")
    return isinstance(last, _ENDS)


def _truth(test: nodes.NodeNG, python: Version) -> bool | str | None:
    """True or False; None when that depends on the machine in a way not seen; "plain" for other tests."""
    try:
        return bool(_value(test, python))
    except UnclearError as unclear:
        return None if unclear.machine else "plain"
    except (TypeError, ValueError, IndexError, AttributeError):  # no comparison that would run
        return None


def _value(node: nodes.NodeNG, python: Version, depth: int = 0) -> Any:
    """Raises UnclearError, and whatever the expression itself would raise."""
    match node:
        case nodes.Const():
            if depth:
                return node.value
            raise UnclearError  # `if False:` is no guard of the machine
        case nodes.Tuple() | nodes.List() | nodes.Set():
            return tuple(_value(item, python, depth + 1) for item in node.elts)
        case nodes.Attribute():
            return _attribute(node, python)
        case nodes.Subscript(value=nodes.Attribute() as value):
            return _item(_value(value, python, depth + 1), node.slice)
        case nodes.UnaryOp(op="not"):
            return not _value(node.operand, python, depth)
        case nodes.BoolOp():
            return _both(node, python, depth)
        case nodes.Compare(ops=[(op, right)]):
            return _compared(op, node.left, right, python, depth)
        case nodes.Call(func=nodes.Attribute() as func):
            return _called(func, node.args, python, depth)
        case nodes.Name() if depth < 5:
            _, found = node.lookup(node.name)
            if len(found) == 1 and isinstance(found[0].parent, nodes.Assign):
                return _value(found[0].parent.value, python, depth + 1)
    raise UnclearError


def _attribute(node: nodes.Attribute, python: Version) -> Any:
    match node.as_string():
        case "sys.platform":
            return sys.platform
        case "os.name":
            return os.name
        case "sys.version_info":
            return _VersionInfo(python)
        case "sys.version_info.major" | "sys.version_info.minor":
            return python[_FIELDS.index(node.attrname)]
        case "sys.hexversion":
            raise UnclearError(machine=True)
    raise UnclearError


def _item(value: Any, key: nodes.NodeNG) -> Any:
    match key:
        case nodes.Const(value=int(index)):
            if isinstance(value, tuple) and index >= len(value):
                raise UnclearError(machine=True)
            return value[index]
        case nodes.Slice(lower=None, upper=nodes.Const(value=int(upper)), step=None):
            return value[:upper]
    raise UnclearError(machine=True)


def _both(node: nodes.BoolOp, python: Version, depth: int) -> bool:
    """`and` is false when a part is, whatever the rest; the other way round with `or`."""
    decides, unclear = node.op == "or", []
    for part in node.values:
        try:
            if bool(_value(part, python, depth)) is decides:
                return decides
        except UnclearError as error:
            unclear.append(error)
    if not unclear:
        return not decides
    raise UnclearError(machine=any(error.machine for error in unclear))


def _compared(op: str, left: nodes.NodeNG, right: nodes.NodeNG, python: Version, depth: int) -> bool:
    sides, unclear = [], []
    for side in (left, right):
        try:
            sides.append(_value(side, python, depth + 1))
        except UnclearError as error:
            unclear.append(error)
    about = any(_is_about_the_machine(side) for side in (left, right))
    if unclear or not about or op not in _COMPARE:
        raise UnclearError(machine=about)
    one, other = sides
    if isinstance(one, tuple) and isinstance(other, tuple) and op in ("<", "<=", ">", ">=", "==", "!="):
        if len(other) > len(python) and one[: len(python)] == other[: len(python)]:
            raise UnclearError(machine=True)  # the micro version is not known
        if op in (">", "<=") and one[: len(other)] == other:
            return op == ">" if isinstance(one, _VersionInfo) else _COMPARE[op](one, other)
    return _COMPARE[op](one, other)


def _called(func: nodes.Attribute, arguments: list[nodes.NodeNG], python: Version, depth: int) -> Any:
    if func.as_string() == "platform.system":
        return platform.system()
    if func.attrname in ("startswith", "lower", "endswith"):
        text = _value(func.expr, python, depth + 1)
        return getattr(text, func.attrname)(*(_value(each, python, depth + 1) for each in arguments))
    raise UnclearError


def _is_about_the_machine(node: nodes.NodeNG) -> bool:
    text = node.as_string()
    return any(name in text for name in ("sys.platform", "os.name", "sys.version_info", "platform.system"))
