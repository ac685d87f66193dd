"""Which of pylint's findings are not known to be true: what they rest on cannot be known here.

Each doubt is a reason for people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from astroid import bases, nodes
from astroid.exceptions import AstroidError

from lintseq_lsp.linters.worker import unseen
from lintseq_lsp.linters.worker.guards import guards_of
from lintseq_lsp.linters.worker.library import Library
from lintseq_lsp.linters.worker.reading import MANAGER

_MEMBERS = "no-member"
_OF_COMPILED = "c-extension-no-member"  # no error, but pylint's own doubt
_IMPORTED = ("no-name-in-module", "import-error")
_UNDEFINED = ("undefined-variable", "undefined-all-variable")
_ARGUMENTS = (
    "no-value-for-parameter",
    "too-many-function-args",
    "redundant-keyword-arg",
    "unexpected-keyword-arg",
    "missing-kwoa",
)
_ABILITIES = {
    "not-callable": "__call__",
    "not-context-manager": "__enter__",
    "not-async-context-manager": "__aenter__",
    "not-an-iterable": "__iter__",
    "not-a-mapping": "__getitem__",
    "unsubscriptable-object": "__getitem__",
    "unsupported-assignment-operation": "__setitem__",
    "unsupported-delete-operation": "__delitem__",
    "unsupported-membership-test": "__contains__",
    "unsupported-binary-operation": "",
    "invalid-unary-operand-type": "",
}
"""Findings that something cannot be used in a way, and the member that it would need ("" for one of many)."""

_OF_FIELDS = "invalid-field-call"

DOUBTED = frozenset({_MEMBERS, _OF_COMPILED, _OF_FIELDS, *_IMPORTED, *_UNDEFINED, *_ARGUMENTS, *_ABILITIES})

_DYNAMIC = "names may be made while it runs"
_DECORATED = "a decorator may make a dataclass of it"
_GUARDED = "that does not run on this machine and Python"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a finding is not known to be true. Each of `causes` is code that is a reason by itself."""

    reason: str
    causes: Sequence[Sequence[nodes.NodeNG]] = ()

    def lines(self, module: nodes.Module) -> tuple[tuple[int, ...], ...]:
        """Those of the module's own text that each cause is made of; nothing where one lies elsewhere."""
        if any(code.root() is not module for cause in self.causes for code in cause):
            return ()
        return tuple(
            tuple(sorted({line for code in cause for line in _lines(code)})) for cause in self.causes
        )


class Doubts:
    """Those about the findings of checks with one environment."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def about(self, symbol: str, node: nodes.NodeNG, args: Any) -> Doubt | None:
        """Why the finding is not known to be true; None when it is."""
        try:
            doubt = self._of_what_it_is_about(symbol, node, args)
            if symbol not in (_MEMBERS, *_IMPORTED) or (doubt and not doubt.lines(node.root())):
                return doubt
            guards = guards_of(node, self._library.python)
            return Doubt(_GUARDED, [*guards, *(doubt.causes if doubt else ())]) if guards else doubt
        except (AstroidError, RecursionError):
            return None

    def _of_what_it_is_about(self, symbol: str, node: nodes.NodeNG, args: Any) -> Doubt | None:
        if symbol == _OF_COMPILED:
            return Doubt(_DYNAMIC)
        if symbol == _MEMBERS:
            return self._of_values(unseen.infer(node.expr), node.attrname)
        if symbol == _OF_FIELDS:
            return _of_decorators(node)
        if symbol == "no-name-in-module":
            name, origin = args
            if isinstance(node, nodes.Import) and (causes := unseen.registers_modules(origin)):
                return _dynamic(causes)
            return self._of_module(MANAGER.astroid_cache.get(origin), name)
        if symbol == "import-error":
            return self._of_import(str(args).strip("'\""))
        if symbol in _UNDEFINED:
            name = args[0] if isinstance(args, tuple) else args
            if self._library.is_newer_builtin(name):
                return self._unread
            return _dynamic(unseen.open_stars(node.root(), name))
        if symbol in _ARGUMENTS:
            return self._of_call(unseen.infer(node.func)) if isinstance(node, nodes.Call) else None
        return self._of_values(
            [value for each in _parts(node) for value in unseen.infer(each)], _ABILITIES[symbol]
        )

    @property
    def _unread(self) -> Doubt:
        return Doubt(self._library.unread)

    def _of_module(self, module: nodes.Module | None, name: str) -> Doubt | None:
        if module is None:
            return Doubt(_DYNAMIC)
        if causes := unseen.may_have(module, name):
            return _dynamic(causes)
        parts = (module, *unseen.stars(module))
        return self._unread if any(map(self._library.is_unread, parts)) else None

    def _of_import(self, name: str) -> Doubt | None:
        if self._library.is_unknown(name):
            return self._unread
        parts = name.split(".")
        parents = (".".join(parts[:count]) for count in range(1, len(parts)))
        return _dynamic([code for parent in parents for code in unseen.registers_modules(parent)])

    def _of_values(self, values: Iterable[Any], name: str) -> Doubt | None:
        for value in values:
            if isinstance(value, nodes.Module):
                if (doubt := self._of_module(value, name)) is not None:
                    return doubt
            elif causes := unseen.may_have(value, name):
                return _dynamic(causes)
            elif (cls := unseen.class_of(value)) is not None:
                if unseen.is_of_the_library(cls, name):
                    return Doubt(_DYNAMIC)
                if self._library.is_unread_member([cls, *unseen.ancestors(cls)], name):
                    return self._unread
        return None

    def _of_call(self, called: Sequence[Any]) -> Doubt | None:
        for value in called:
            code = value._proxied if isinstance(value, bases.Proxy) else value
            while isinstance(code, bases.Proxy):
                code = code._proxied
            if isinstance(code, nodes.ClassDef) and (causes := unseen.may_have(code, "__init__")):
                return _dynamic(causes)
            if isinstance(code, nodes.NodeNG) and self._library.is_unread(code.root()):
                return self._unread
        return None


def _of_decorators(node: nodes.NodeNG) -> Doubt | None:
    """Whether one of the class around may be a dataclass's by another name."""
    cls = node.scope()
    if not isinstance(cls, nodes.ClassDef) or cls.is_dataclass or not cls.decorators:
        return None
    return Doubt(_DECORATED, [[decorator] for decorator in cls.decorators.nodes])


def _dynamic(causes: Sequence[nodes.NodeNG]) -> Doubt | None:
    return Doubt(_DYNAMIC, [[code] for code in causes]) if causes else None


def _lines(code: nodes.NodeNG) -> range:
    """Of a statement with a block, those of its header."""
    return range(code.fromlineno, getattr(code, "blockstart_tolineno", code.tolineno) + 1)


def _parts(node: nodes.NodeNG) -> list[nodes.NodeNG]:
    """What of a node a finding may be about."""
    match node:
        case nodes.Call():
            return [node.func]
        case nodes.With():
            return [item for item, _ in node.items]
        case nodes.BinOp():
            return [node.left, node.right]
        case nodes.AugAssign():
            return [node.target, node.value]
        case nodes.UnaryOp():
            return [node.operand]
        case nodes.Compare():
            return [node.left, *(each for _, each in node.ops)]
    return [node]
