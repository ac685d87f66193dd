"""The walk of pylint's checkers over a tree, which may pass over functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from astroid import nodes
from pylint.checkers import BaseChecker
from pylint.checkers.classes.class_checker import ClassChecker
from pylint.checkers.logging import LoggingChecker
from pylint.checkers.variables import VariablesChecker
from pylint.lint import PyLinter
from pylint.utils import ASTWalker

_SCOPES = (nodes.FunctionDef, nodes.ClassDef, nodes.Lambda, nodes.ComprehensionScope)


@dataclass(frozen=True, slots=True)
class Passing:
    """Which functions to pass over, by the line of their `def`, and what of them is looked at all the same.

    Whatever is found in those is not reported. `all` are the functions; of names in `odd` pylint reports the
    first use alone, so it has to see all uses; and in the classes with methods that are visited (`accessing`
    are the others of these) it compares where attributes are read and where they are set.
    """

    all: frozenset[int]
    odd: frozenset[str] = frozenset()
    accessing: frozenset[int] = frozenset()
    mentioning: frozenset[int] = frozenset()
    """Functions that mention one of the odd names."""

    importing: frozenset[int] = frozenset()
    """Functions with imports: one may be of `logging`, for all below."""


class Walker(ASTWalker):
    """Notes which messages came up in which function (that is not in another one)."""

    def __init__(self, linter: PyLinter) -> None:
        super().__init__(linter)
        self.spans: dict[int, tuple[slice, slice]] = {}
        """The messages, and the doubted ones, of each function, by the line of its `def`."""
        self._passing: Passing | None = None
        self._is_inside = False
        self._kinds: dict[
            type[nodes.NodeNG], tuple[list[Callable[[Any], None]], list[Callable[[Any], None]]]
        ] = {}
        self._classes: ClassChecker | None = None
        self._logging: LoggingChecker | None = None
        self._variables: VariablesChecker | None = None

    def add_checker(self, checker: BaseChecker) -> None:
        super().add_checker(checker)
        if isinstance(checker, ClassChecker):
            self._classes = checker
        elif isinstance(checker, LoggingChecker):
            self._logging = checker
        elif isinstance(checker, VariablesChecker):
            self._variables = checker

    def begin(self, passing: Passing | None) -> None:
        """Makes ready for another tree."""
        self.spans, self._passing, self._is_inside = {}, passing, False

    def walk(self, astroid: nodes.NodeNG) -> None:
        """As pylint does it, but that a crash is not printed."""
        if isinstance(astroid, nodes.FunctionDef) and not self._is_inside:
            self._function(astroid)
        else:
            self._visit(astroid)

    def _visit(self, node: nodes.NodeNG) -> None:
        kind = type(node)
        if kind not in self._kinds:
            name = kind.__name__.lower()
            self._kinds[kind] = self.visit_events[name], self.leave_events[name]
        visits, leaves = self._kinds[kind]
        for callback in visits:
            callback(node)
        for child in node.get_children():
            self.walk(child)
        for callback in leaves:
            callback(node)

    def _function(self, node: nodes.FunctionDef) -> None:
        linter: Any = self.linter
        messages, doubted = linter.reporter.messages, linter.doubted
        counts = len(messages), len(doubted)
        if self._passing is not None and node.lineno in self._passing.all:
            self._look(node, self._passing)
            del messages[counts[0] :]
            del doubted[counts[1] :]
            return
        self._is_inside = True
        self._visit(node)
        self._is_inside = False
        self.spans[node.lineno] = slice(counts[0], len(messages)), slice(counts[1], len(doubted))

    def _look(self, node: nodes.FunctionDef, passing: Passing) -> None:
        """Has the checkers know what they need of a function that is passed over."""
        if self._logging is not None and node.lineno in passing.importing:
            for each in node.nodes_of_class((nodes.Import, nodes.ImportFrom)):
                visit = "visit_import" if isinstance(each, nodes.Import) else "visit_importfrom"
                getattr(self._logging, visit)(each)
        if self._classes is not None and node.lineno in passing.accessing:
            self._note_accesses(node, self._classes)
        if self._variables is not None and node.lineno in passing.mentioning:
            self._consume(node, passing.odd, self._variables)

    def _note_accesses(self, node: nodes.NodeNG, checker: ClassChecker) -> None:
        is_method = isinstance(node, nodes.FunctionDef) and node.is_method() and node.args.args is not None
        if is_method:
            checker._check_first_arg_for_type(node, node.parent.frame().type == "metaclass")
        for each in node.get_children():
            self._note_accesses(each, checker)
        if is_method:
            checker._first_attrs.pop()
        is_read = isinstance(node, nodes.Attribute) or (
            isinstance(node, nodes.AssignAttr) and isinstance(node.assign_type(), nodes.AugAssign)
        )
        if is_read and checker._uses_mandatory_method_param(node):
            checker._accessed.set_accessed(node)

    def _consume(self, node: nodes.NodeNG, names: frozenset[str], checker: VariablesChecker) -> None:
        kind = type(node).__name__.lower()
        if isinstance(node, _SCOPES):
            getattr(checker, f"visit_{kind}")(node)
        elif isinstance(node, nodes.Name | nodes.DelName):
            if node.name in names:
                checker.visit_name(node)
        elif isinstance(node, nodes.AssignName) and node.name in names:
            checker.visit_assignname(node)
        for each in node.get_children():
            self._consume(each, names, checker)
        if isinstance(node, _SCOPES):
            getattr(checker, f"leave_{kind}")(node)


def odd_names(module: nodes.Module, mentions: Mapping[str, int]) -> frozenset[str]:
    """The names of the module and its classes of which pylint may report the first use alone.

    Those are bound in a branch, in a loop or the like, or mentioned on a line before: `mentions` has
    the first one outside of functions.
    """
    found, todo = set[str](), [module]
    while todo:
        scope = todo.pop()
        for name, bound in scope.locals.items():
            bindings = [each for each in bound if each.lineno is not None]
            first = min((_first_line(each) for each in bindings), default=0)
            if mentions.get(name, first) < first or not all(
                _is_plain(each, scope, name) for each in bindings
            ):
                found.add(name)
            todo += (each for each in bindings if isinstance(each, nodes.ClassDef) and each not in todo)
    return frozenset(found)


def _first_line(node: nodes.NodeNG) -> int:
    decorators = getattr(node, "decorators", None)
    return int((decorators or node.statement()).fromlineno)


def _is_plain(node: nodes.NodeNG, scope: nodes.LocalsDictNodeNG, name: str) -> bool:
    """Whether who comes by the statement in its scope has the name, and it is made of others alone."""
    holder = node
    if isinstance(node, nodes.AssignName):
        holder = node.parent
        while isinstance(holder, nodes.Tuple | nodes.List | nodes.Starred):
            holder = holder.parent
    if holder.parent is not scope:
        return False
    if isinstance(holder, nodes.Assign | nodes.AnnAssign):
        value = holder.value
        return value is not None and all(each.name != name for each in value.nodes_of_class(nodes.Name))
    if isinstance(holder, nodes.ClassDef):
        return all(each.name != name for base in holder.bases for each in base.nodes_of_class(nodes.Name))
    return isinstance(holder, nodes.FunctionDef | nodes.Import | nodes.ImportFrom)
