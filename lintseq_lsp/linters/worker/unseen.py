"""What pylint has not seen the whole of: modules and classes that get names while they run.

Extension modules, module `__getattr__`, `globals()` that is written to, `setattr` in metaclasses and
decorators, star imports of such modules. That something is missing there is not known to be true.
Recognised in astroid's trees; nothing is run. Each answer is the code that is the reason, which may be in
the text that is checked.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from astroid import bases, nodes, objects
from astroid.const import Context
from astroid.exceptions import AstroidError
from astroid.util import UninferableBase

from lintseq_lsp.linters.worker.reading import MANAGER, OPAQUE

_READS = frozenset({"get", "keys", "items", "values", "copy", "__contains__"})
_READERS = frozenset({"dict", "eval", "iter", "len", "list", "print", "set", "sorted", "tuple"})
_READING = (
    nodes.Compare,
    nodes.Keyword,
    nodes.For,
    nodes.Comprehension,
    nodes.BinOp,
    nodes.Return,
    nodes.Dict,
)
_MODULES = "sys.modules"
_STARS = 20  # star imports that are followed


@dataclass(slots=True)
class Names:
    """What something may have beside what is written there: names, None for any, and what makes them."""

    made: list[tuple[str | None, nodes.NodeNG]] = field(default_factory=list)

    def by(self, name: str | None = None) -> list[nodes.NodeNG]:
        """The code that makes the name, or any name."""
        return [code for each, code in self.made if each is None or each == name]

    def add(self, code: nodes.NodeNG, name: str | None = None, *, when: bool = True) -> None:
        if when:
            self.made.append((name, code))


def infer(node: nodes.NodeNG) -> list[Any]:
    """All that a node may be; nothing where that cannot be found out."""
    try:
        return list(node.infer())
    except (AstroidError, RecursionError):
        return []


def forget() -> None:
    """Trees are let go, and what star imports lead to may change."""
    for cache in (_in_module, _in_class, _given_by, _by_setattr, _star_imports, _says_all):
        cache.cache_clear()


def may_have(value: Any, name: str) -> Sequence[nodes.NodeNG]:
    """The code by which a value of astroid's may have a member that its tree does not show."""
    if isinstance(value, nodes.Module):
        return _module_may_have(value, name)
    cls = class_of(value)
    return [code for each in (cls, *ancestors(cls)) for code in _in_class(each).by(name)] if cls else ()


def class_of(value: Any) -> nodes.ClassDef | None:
    if isinstance(value, objects.Super):
        value = value.type
    if isinstance(value, bases.Instance):
        value = value._proxied
    return value if isinstance(value, nodes.ClassDef) else None


def ancestors(cls: nodes.ClassDef) -> list[nodes.ClassDef]:
    try:
        return list(cls.ancestors())
    except (AstroidError, RecursionError):
        return []


def is_of_the_library(cls: nodes.ClassDef, name: str) -> bool:
    """Whether it is what the standard library gives to enumerations and data classes while it makes them."""
    classes = (cls, *ancestors(cls))
    if name.startswith("__dataclass_"):
        return any(each.is_dataclass for each in classes)
    is_special = name.startswith("_") and name.endswith("_") and not name.startswith("__")
    return is_special and any(each.qname() == "enum.Enum" for each in classes)


def _module_may_have(module: nodes.Module, name: str) -> Sequence[nodes.NodeNG]:
    if getattr(module, OPAQUE, False):
        return [module]
    if _is_trusted(module):
        return ()
    if str(module.file or "").endswith(".pyi") and name.startswith("__"):
        return [module]
    return [*_in_module(module).by(), *open_stars(module)]


def open_stars(module: nodes.Module, name: str | None = None) -> list[nodes.NodeNG]:
    """The star imports that may bring in any name, or such a `name` that astroid leaves out."""
    return [star for star in _star_imports(module) if _is_open(star, name)]


def _is_open(star: nodes.ImportFrom, name: str | None) -> bool:
    todo, done = [*_origin(star)], set[nodes.Module]()
    while todo and len(done) < _STARS:
        origin = todo.pop()
        if origin in done or _is_trusted(origin) or _says_all(origin):
            continue
        if getattr(origin, OPAQUE, False) or _in_module(origin).by():
            return True
        if name is not None and name in origin.locals and "__all__" in origin.locals:
            return True  # `__all__` is made of several parts
        done.add(origin)
        todo += stars(origin)
    return False


def stars(module: nodes.Module) -> Iterator[nodes.Module]:
    """The modules that are imported with a star."""
    for node in _star_imports(module):
        yield from _origin(node)


def _origin(star: nodes.ImportFrom) -> Iterator[nodes.Module]:
    with contextlib.suppress(AstroidError, RecursionError):
        yield star.do_import_module()


@lru_cache(maxsize=256)
def _says_all(module: nodes.Module) -> bool:
    """Whether `__all__` has each name that a star brings, as it is written there."""
    said = module.locals.get("__all__", [])
    if len(said) != 1 or not isinstance(said[0].parent, nodes.Assign):
        return False
    value = said[0].parent.value
    if not isinstance(value, nodes.List | nodes.Tuple):
        return False
    changed = (each.expr.as_string() for each in module.nodes_of_class(nodes.Attribute))
    return all(isinstance(each, nodes.Const) for each in value.elts) and "__all__" not in changed


@lru_cache(maxsize=256)
def _star_imports(module: nodes.Module) -> list[nodes.ImportFrom]:
    return [node for node in module.nodes_of_class(nodes.ImportFrom) if node.names[0][0] == "*"]


def registers_modules(name: str) -> Sequence[nodes.NodeNG]:
    """The code by which a package may have modules that lie nowhere: it makes them, or is compiled."""
    try:
        module = MANAGER.ast_from_module_name(name)
    except (AstroidError, RecursionError):
        return ()
    if getattr(module, OPAQUE, False):
        return [module]
    return [] if _is_trusted(module) else [code for made, code in _in_module(module).made if made == _MODULES]


@lru_cache(maxsize=256)
def _in_module(module: nodes.Module) -> Names:
    found = Names()
    for code in module.locals.get("__getattr__", ()):
        found.add(code)
    for node in module.nodes_of_class((nodes.Call, nodes.Subscript, nodes.AssignName)):
        if isinstance(node, nodes.AssignName):
            found.add(node, _MODULES, when=node.name == "__path__")
        elif isinstance(node, nodes.Subscript):
            if node.value.as_string() == _MODULES:
                found.add(node, when=node.slice.as_string() == "__name__")
                found.add(node, _MODULES)
        elif _called(node) == "globals":
            found.add(node, when=_is_written(node))
        elif _called(node) in ("locals", "vars", "exec"):
            is_made = _called(node) == "exec" or _is_written(node)
            found.add(node, when=node.frame() is module and is_made)
        elif _called(node) in ("initpkg", "apipkg.initpkg"):
            found.add(node)
    return found


@lru_cache(maxsize=1024)
def _in_class(cls: nodes.ClassDef) -> Names:
    """What a class of its own, its metaclass and its decorators may add to what is written in it."""
    found = Names()
    root = cls.root()
    if _is_trusted(root):
        return found
    found.made += _in_its_own(cls).made
    found.made += _by_setattr(root).get(cls, Names()).made
    for each in cls.decorators.nodes if cls.decorators else ():
        found.made += _by_decorator(each).made
    try:
        metaclass = cls.metaclass()
    except (AstroidError, RecursionError):
        metaclass = None
    if isinstance(metaclass, nodes.ClassDef):
        for part in (metaclass, *ancestors(metaclass)):
            if not _is_trusted(part.root()):
                found.made += _given_by(part).made
    elif metaclass is not None:
        found.add(cls)
    return found


def _by_decorator(node: nodes.NodeNG) -> Names:
    """What a class may get from its decorator: anything, when that is not known."""
    inferred = infer(node.func if isinstance(node, nodes.Call) else node)
    found = Names()
    found.add(node, when=not inferred or any(isinstance(each, UninferableBase) for each in inferred))
    for each in inferred:
        code = each._proxied if isinstance(each, bases.Proxy) else each
        if isinstance(code, nodes.FunctionDef | nodes.ClassDef) and not _is_trusted(code.root()):
            found.made += _given_by(code).made
    return found


def _in_its_own(cls: nodes.ClassDef) -> Names:
    """The names that a class gives to itself and its instances by their text, when it runs."""

    def is_its(node: nodes.NodeNG) -> bool:
        values = (each._proxied if isinstance(each, bases.Instance) else each for each in infer(node))
        return any(each is cls for each in values)

    found = Names()
    for node in cls.nodes_of_class((nodes.Call, nodes.Attribute, nodes.AssignAttr)):
        if isinstance(node, nodes.Call):
            name = _called(node)
            if name in ("locals", "vars", "exec") and not (name == "vars" and node.args):
                found.add(node, when=node.frame() is cls and (name == "exec" or _is_written(node)))
            elif name == "vars":
                found.add(node, when=_is_written(node) and is_its(node.args[0]))
            elif name == "setattr" and len(node.args) == 3 and is_its(node.args[0]):
                found.add(node, _name_in(node.args[1]))
            elif name.endswith(".__setattr__") and len(node.args) in (2, 3):
                found.add(node, _name_in(node.args[-2]))
        elif node.attrname == "__dict__" and _is_written(node) and is_its(node.expr):
            found.add(node)
    return found


@lru_cache(maxsize=1024)
def _given_by(code: nodes.FunctionDef | nodes.ClassDef) -> Names:
    """The names that a metaclass or a decorator gives to classes."""
    found = Names()
    found.add(code, when=isinstance(code, nodes.ClassDef) and "__prepare__" in code.locals)
    for node in code.nodes_of_class((nodes.Call, nodes.Name, nodes.Attribute, nodes.AssignAttr)):
        if isinstance(node, nodes.AssignAttr):
            found.add(node, node.attrname)
        if isinstance(node, nodes.Call):
            name = _called(node)
            if name == "setattr" or name.endswith(".__setattr__"):
                found.add(node, _name_in(node.args[-2]) if len(node.args) > 1 else None)
            elif name in ("vars", "locals", "globals"):
                found.add(node, when=bool(node.args) and _is_written(node))
            elif name == "type" or name.endswith(".__new__"):
                last = node.args[-1] if len(node.args) >= 3 else None
                found.add(node, when=last is not None and not _is_namespace(last))
        elif isinstance(node, nodes.Name):
            found.add(node, when=_is_namespace(node) and _is_changed(node))
        elif node.attrname == "__dict__":
            found.add(node, when=_is_written(node))
    return found


def _name_in(node: nodes.NodeNG) -> str | None:
    """What stands for the name of an attribute; None for any."""
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _is_namespace(node: nodes.NodeNG) -> bool:
    """Whether it is what a metaclass's method is given as the names of the class."""
    frame = node.frame()
    if not isinstance(node, nodes.Name) or not isinstance(frame, nodes.FunctionDef):
        return False
    given = [argument.name for argument in (*frame.args.posonlyargs, *frame.args.args)]
    return frame.name in ("__new__", "__init__") and len(given) == 4 and node.name == given[3]


def _is_changed(node: nodes.Name) -> bool:
    parent = node.parent
    if isinstance(parent, nodes.Subscript) and parent.value is node:
        return parent.ctx is Context.Store
    return isinstance(parent, nodes.Attribute) and parent.attrname in ("update", "setdefault")


@lru_cache(maxsize=256)
def _by_setattr(module: nodes.Module) -> dict[nodes.ClassDef, Names]:
    """What a module's code outside of its classes sets in them by name."""
    found: dict[nodes.ClassDef, Names] = {}
    for node in module.nodes_of_class(nodes.Call, skip_klass=nodes.ClassDef):
        if _called(node) == "setattr" and len(node.args) == 3:
            for value in infer(node.args[0]):
                if isinstance(value, nodes.ClassDef):
                    found.setdefault(value, Names()).add(node, _name_in(node.args[1]))
    return found


def _called(node: nodes.Call) -> str:
    return node.func.as_string() if isinstance(node.func, nodes.Name | nodes.Attribute) else ""


def _is_written(node: nodes.NodeNG) -> bool:
    """Whether names in `globals()`, `x.__dict__` or the like may become more: all but plain reading."""
    parent = node.parent
    if isinstance(node, nodes.AssignAttr):
        return True
    if isinstance(parent, nodes.Subscript):
        return parent.value is node and parent.ctx is Context.Store
    if isinstance(parent, nodes.Attribute):
        return parent.attrname not in _READS
    if isinstance(parent, nodes.Call):
        return _called(parent) not in _READERS and not _called(parent).endswith((".update", ".format"))
    return not isinstance(parent, _READING)


def _is_trusted(module: nodes.NodeNG) -> bool:
    """Whether what pylint has seen of its classes is all: the standard library's are what they look like."""
    name = str(module.name).partition(".")[0]
    return name in sys.stdlib_module_names
