"""How astroid gets to modules: it finds and reads files, as an editor has them, and imports nothing."""

import ast
import contextlib
import importlib.machinery
import io
import os
import re
import sys
from functools import lru_cache, partialmethod
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any

import astroid.manager
from astroid import bases, builder, modutils, nodes
from astroid.builder import AstroidBuilder, open_source_file
from astroid.exceptions import AstroidError, AstroidSyntaxError
from astroid.interpreter._import import spec
from astroid.manager import AstroidManager
from astroid.modutils import is_module_name_part_of_extension_package_whitelist, load_module_from_name
from astroid.nodes.scoped_nodes import scoped_nodes

from lintseq_lsp.linters.base import Stamp
from lintseq_lsp.linters.files import Opener
from lintseq_lsp.linters.grammar import newer_syntax
from lintseq_lsp.linters.imports import COMPILED
from lintseq_lsp.linters.sources import Sources
from lintseq_lsp.linters.worker.library import Library

MANAGER = AstroidManager()  # one for the process, whoever makes it
SOURCES = Sources()  # the same
ASKED: set[str] = set()
"""Names of the modules that anything asked astroid for since the last check began."""
ast_from_module_name = AstroidManager.ast_from_module_name
parse_string = builder._parse_string
READ: dict[str, tuple[Stamp | str | None, int]] = {}
"""What each file that was read since then was: its state, and a hash of its text."""

PARSED: dict[str, ast.Module] = {}
"""Python's own trees of texts that astroid is about to parse."""

OPAQUE = "lintseq_opaque"
"""Attribute of a module's tree that is not what the module has: nobody can know that without running it."""

_STUB_VALUE = re.compile(r"(?<![=!<>])=[ \t]*\.\.\.(?=[ \t]*(?:#|$))", re.MULTILINE)
"""Of a constant in a stub, which is not an ellipsis. In place of it stands a name that nothing binds."""

MOST_SOURCE = 4 * 1024 * 1024
"""Bytes of a module's source. astroid's tree of it takes a hundred times as many."""

READERS = (
    "astroid.builder",
    "astroid.interpreter._import.spec",
    "astroid.nodes.scoped_nodes.scoped_nodes",
    "configparser",
    "pylint.config.config_file_parser",
    "pylint.config.find_default_config_files",
)
"""The modules that open files which a workspace's names or configuration lead to."""


class Builder(AstroidBuilder):  # type: ignore[misc]
    """Builds a module and can take back what it changed in others.

    `os.extra = 1` adds a name to astroid's one tree of `os`, which later checks would believe.
    """

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._added: list[tuple[dict[str, list[Any]], nodes.AssignAttr]] = []

    def delayed_assattr(self, node: nodes.AssignAttr) -> None:
        super().delayed_assattr(node)
        try:
            owners = list(node.expr.infer())
        except AstroidError:
            return
        for inferred in owners:
            owner = inferred._proxied if isinstance(inferred, bases.Instance) else inferred
            if not isinstance(owner, nodes.LocalsDictNodeNG) or owner.root() is node.root():
                continue
            tables = [owner.locals, getattr(owner, "instance_attrs", {})]
            for table in tables:
                if any(value is node for value in table.get(node.attrname, ())):
                    self._added.append((table, node))

    def take_back(self) -> None:
        for table, node in self._added:
            left = [value for value in table.pop(node.attrname, ()) if value is not node]
            if left:  # astroid takes the last value of each name
                table[node.attrname] = left


def confine(opener: Opener) -> None:
    """Leaves astroid and pylint, of what they do with a name, to read the module that it names."""
    # astroid asks for the specification of a dotted name, which imports the name's parents ...
    util = SimpleNamespace(find_spec=lambda name: getattr(sys.modules.get(name), "__spec__", None))
    spec.importlib = SimpleNamespace(machinery=importlib.machinery, util=util)
    # ... imports what is compiled ...
    astroid.manager.load_module_from_name = _compiled_module
    # ... and, in a plug-in, GTK.
    sys.modules["gi"] = None  # type: ignore[assignment]
    for name in READERS:
        vars(sys.modules[name])["open"] = opener


def _compiled_module(name: str) -> Any:
    """The module itself, for astroid to look at. Raises ImportError."""
    allowed = MANAGER.extension_package_whitelist  # by a trusted configuration
    if allowed and is_module_name_part_of_extension_package_whitelist(name, allowed):
        return load_module_from_name(name)
    if name not in COMPILED or name not in sys.modules:
        raise ImportError(f"{name} is not imported because somebody names it", name=name)
    return sys.modules[name]


class _NewFolders(spec.Finder):  # type: ignore[misc]
    """Finds packages without `__init__.py` of which the editor has modules and the disk has nothing yet."""

    @staticmethod
    @lru_cache(maxsize=1024)
    def find_module(
        name: str,
        parts: tuple[str, ...],  # noqa: ARG004
        processed: tuple[str, ...],  # noqa: ARG004
        folders: tuple[str, ...] | None,
    ) -> Any:
        places = [str(Path(folder, name)) for folder in folders or sys.path]
        new = [place for place in places if SOURCES.is_new_folder(place)]
        return spec.ModuleSpec(name, spec.ModuleType.PY_NAMESPACE, None, None, new) if new else None

    def contribute_to_path(self, found: Any, processed: list[str]) -> Any:  # noqa: ARG002
        return found.submodule_search_locations


def source_of(file: str) -> tuple[IO[str], str, str]:
    """What astroid's own `open_source_file` returns: a stream to be closed, the encoding, the text."""
    text = SOURCES.state(file)
    return (io.StringIO(), "utf-8", text) if isinstance(text, str) else open_source_file(file)


def _parse_once(data: str, type_comments: bool = True, modname: str | None = None) -> ast.Module:
    return PARSED.pop(data, None) or parse_string(data, type_comments, modname)


def _read_source(file: str) -> tuple[IO[str], str, str]:
    path = str(Path(file).absolute())
    before = SOURCES.state(path)
    found = source_of(path)
    READ[path] = before, hash(found[2])
    return found


def _ask_for(
    manager: AstroidManager, library: Library, name: str | None, *arguments: Any, **options: Any
) -> nodes.Module:
    if name is None:
        return ast_from_module_name(manager, name, *arguments, **options)
    ASKED.add(name)
    path, kept = sys.path, None
    if library.lacks(name):
        sys.path = [folder for folder in path if folder not in library.path]
        kept = manager.astroid_cache.pop(name, None)  # for a text that may import it
    try:
        return ast_from_module_name(manager, name, *arguments, **options)
    except AstroidSyntaxError as error:
        if not _may_be_newer(error, library):
            raise
        return opaque(manager, name, error.path)
    finally:
        sys.path = path
        if kept is not None:
            manager.astroid_cache[name] = kept


def _may_be_newer(error: AstroidSyntaxError, library: Library) -> bool:
    """Whether a module that does not parse may be right: it is installed, or uses what came later."""
    folders = Path(error.path or "").parts
    if "site-packages" in folders or "dist-packages" in folders:
        return True
    return bool(newer_syntax(getattr(error.error, "text", None) or "", wanted=library.wanted))


def _compiled_elsewhere(manager: AstroidManager, name: str) -> nodes.Module:
    """An extension module, which is not loaded: what its stub says, or the source that it was compiled from.

    Else nothing is known of it.
    """
    file = None
    with contextlib.suppress(AstroidError, OSError, SyntaxError, ValueError, LookupError):
        file = manager.file_from_module_name(name, None).location
        if file:
            stem = str(Path(file).with_name(Path(file).name.partition(".")[0]))
            for source in filter(SOURCES.is_file, (f"{stem}.pyi", f"{stem}.py")):
                stream, _, text = _read_source(source)
                stream.close()
                text = _STUB_VALUE.sub("= __value__", text) if source.endswith("i") else text
                return AstroidBuilder(manager).string_build(text, name, source)
    return opaque(manager, name, file)


def opaque(manager: AstroidManager, name: str, file: str | None = None) -> nodes.Module:
    """A module of which nothing is known but that it is there, in astroid's cache from now on."""
    module = AstroidBuilder(manager).string_build("", name, file)
    setattr(module, OPAQUE, True)
    return module


def look_through_sources(library: Library) -> None:
    """Has astroid ask `SOURCES` for what it would ask the file system, and note what it was asked for."""
    paths, system = ModuleType("os.path"), ModuleType("os")
    paths.__dict__.update(os.path.__dict__, isfile=SOURCES.is_file, exists=SOURCES.exists)
    system.__dict__.update(os.__dict__, path=paths)
    modutils.os = scoped_nodes.os = system
    builder.open_source_file = _read_source
    builder._parse_string = _parse_once
    AstroidManager.ast_from_module_name = partialmethod(_ask_for, library)
    AstroidManager._build_stub_module = _compiled_elsewhere
    spec._SPEC_FINDERS = (*spec._SPEC_FINDERS, _NewFolders)
