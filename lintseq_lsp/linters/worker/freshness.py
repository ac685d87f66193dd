"""Which modules astroid has read, which of them are other ones by now, and what a check depends on."""

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astroid import nodes
from astroid.context import _invalidate_cache
from astroid.exceptions import AstroidError
from astroid.inference_tip import clear_inference_tip_cache
from astroid.interpreter._import import spec, util
from astroid.interpreter.objectmodel import ObjectModel
from astroid.modutils import _cache_normalize_path_, _has_init, cached_os_path_isfile
from astroid.nodes._base_nodes import LookupMixIn
from pylint.checkers.clear_lru_cache import clear_lru_caches

from lintseq_lsp.linters.base import Dependencies, Stamp
from lintseq_lsp.linters.environment import MOST_NAMES
from lintseq_lsp.linters.files import names_in
from lintseq_lsp.linters.protocol import Setup, stamp
from lintseq_lsp.linters.worker import guards, unseen
from lintseq_lsp.linters.worker.reading import ASKED, MANAGER, READ, SOURCES, source_of

_PATH_CACHES: tuple[Any, ...] = (
    _cache_normalize_path_,
    _has_init,
    cached_os_path_isfile,
    util.is_namespace,
    spec._find_spec,
    spec._is_setuptools_namespace,
)
_NODE_CACHES: tuple[Any, ...] = (
    LookupMixIn.lookup,
    ObjectModel.attributes,
    nodes.ClassDef._metaclass_lookup_attribute,
)


class Modules:
    """Those in astroid's cache: of the workspace, which change under us, and others, which do not."""

    def __init__(self, setup: Setup, standard: Sequence[str]) -> None:
        self.roots: Sequence[str] = setup.source_roots
        """Where the modules of the workspace are that the check sees."""
        # What an import brought in from there stays as it is while we run.
        self._fixed = (*standard, *(folder for folder in setup.site_packages if _holds_packages(folder)))
        self._tracked: dict[str, _Tracked] = {}
        self._settled: set[str] = set()
        self._last_folders: tuple[str, ...] = ()
        self._moved = False
        self.dropped = 0
        """Trees of modules that were let go."""

    def clear(self) -> None:
        """Forgets all that was read."""
        self.dropped += len(MANAGER.astroid_cache)
        MANAGER.clear_cache()
        self._tracked.clear()
        self._settled.clear()

    def move(self) -> None:
        """Files have come into being, or have gone."""
        self._moved = True

    def forget_stale(self, name: str, folders: tuple[str, ...]) -> None:
        """Drops what changed files and texts, or the neighbours of another path, have made untrue."""
        elsewhere = set(folders) ^ set(self._last_folders)
        moved, self._last_folders, self._moved = self._moved, folders, False
        self.roots = folders
        if elsewhere:
            self._forget_names({name.partition(".")[0] for folder in elsewhere for name in _names(folder)})
        if moved or any(tracked.changed() for tracked in self._tracked.values()):
            for known in list(self._tracked):
                self._drop(known)
        self.forget(name)
        MANAGER._mod_file_cache.clear()
        for cache in (*(finder.find_module for finder in spec._SPEC_FINDERS), *_PATH_CACHES):
            cache.cache_clear()

    def forget_packages(self) -> None:
        """Reads what is installed anew, when it is asked for."""
        for known in self._settled - sys.stdlib_module_names:
            self._drop(known)

    def _forget_names(self, names: set[str]) -> None:
        """Drops modules of these names, which are others elsewhere, and what was built while it saw them."""
        gone = {known for known in self._tracked.keys() | self._settled if known.partition(".")[0] in names}
        gone -= sys.stdlib_module_names
        for known, tracked in list(self._tracked.items()):
            if known in gone or not gone.isdisjoint(tracked.imports):
                self._drop(known)
        for known in gone & self._settled:
            self._drop(known)

    def _drop(self, known: str) -> None:
        self.dropped += 1
        MANAGER.astroid_cache.pop(known, None)
        self._tracked.pop(known, None)
        self._settled.discard(known)

    def forget(self, name: str) -> None:
        """Drops the module, those built while they saw it, and every inference that may hold its nodes."""
        MANAGER.astroid_cache.pop(name, None)
        for known in [known for known, tracked in self._tracked.items() if name in tracked.imports]:
            self._drop(known)
        unseen.forget()
        guards.forget()
        _invalidate_cache()
        clear_inference_tip_cache()
        clear_lru_caches()
        for cache in _NODE_CACHES:
            cache.cache_clear()

    def track(self, checked: str) -> None:
        """Notes the workspace's modules that this check brought in; the rest never changes under us."""
        for name, module in MANAGER.astroid_cache.items():
            if name in self._tracked or name in self._settled or name == checked:
                continue
            if self._is_settled(module.file or ""):
                self._settled.add(name)
            else:
                self._tracked[name] = _Tracked.of(module)

    def _is_settled(self, file: str) -> bool:
        path = Path(file)
        return not path.is_absolute() or _depth(path, self.roots) < _depth(path, self._fixed)

    def read_since(
        self, searched: dict[str, Stamp | None], reached: Mapping[str, Stamp | str | None]
    ) -> Dependencies:
        """What the check depends on that has just asked for `ASKED`: the files `reached` as well.

        Of modules that were not found the folders tell, which change with the files in them.
        """
        read = {**reached, **{file: state for file, (state, _) in READ.items()}}
        states = {file: state for file, state in read.items() if not self._is_settled(file)}
        READ.clear()
        todo, done = list(ASKED), set[str]()
        while todo:
            name = todo.pop()
            if name not in done and name in self._tracked:
                todo += self._tracked[name].imports
                states[self._tracked[name].file] = self._tracked[name].state
            done.add(name)
        texts = {given: None for file in states if (given := SOURCES.given(file)) is not None}
        files = {file: state for file, state in states.items() if not isinstance(state, str)}
        folders = {str(Path(file).parent) for file in states} - searched.keys()
        return Dependencies({**files, **searched, **{folder: stamp(folder) for folder in folders}}, texts)


@dataclass(slots=True)
class _Tracked:
    """A module of the workspace that an import brought into astroid's cache."""

    file: str
    state: Stamp | str | None
    text: int
    imports: frozenset[str]

    @classmethod
    def of(cls, module: nodes.Module) -> "_Tracked":
        names: set[str] = set()
        for node in module.nodes_of_class((nodes.Import, nodes.ImportFrom)):
            if isinstance(node, nodes.Import):
                names.update(name for name, _ in node.names)
                continue
            try:
                origin = module.relative_to_absolute_name(node.modname, node.level)
            except AstroidError:
                continue
            names.add(origin)
            names.update(f"{origin}.{name}" for name, _ in node.names)
        state, text = READ.get(module.file) or (SOURCES.state(module.file), 0)
        return cls(module.file, state, text, frozenset(names))

    def changed(self) -> bool:
        """Whether the module is another one by now. Saved, opened or closed as it is, it stays the same."""
        now = SOURCES.state(self.file)
        if now == self.state or now is None:
            return now != self.state
        try:
            stream, _, text = source_of(self.file)
        except (OSError, SyntaxError, ValueError, LookupError):  # an encoding that is none, too
            return True
        stream.close()
        if hash(text) == self.text:
            self.state = now
        return self.state != now


def _depth(file: Path, folders: Sequence[str]) -> int:
    """Length of the longest folder that holds the file: a workspace may hold site-packages, or lie in it."""
    return max((len(folder) for folder in folders if file.is_relative_to(folder)), default=0)


def _names(folder: str) -> Iterable[str]:
    """What is in a folder, for who imports."""
    with contextlib.suppress(OSError, ValueError):
        return {*names_in(folder, MOST_NAMES), *SOURCES.names_in(folder)}
    return SOURCES.names_in(folder)


def _holds_packages(folder: str) -> bool:
    """Whether packages are installed there, other than the sources of an editable one."""
    return Path(folder).name in {"site-packages", "dist-packages"}
