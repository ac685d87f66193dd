"""Which files of the workspace a text leads to by its imports, whether pylint has looked at them or not."""

import ast
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lintseq_lsp.linters.base import Stamp
from lintseq_lsp.linters.worker.reading import SOURCES, source_of

_FORMS = (".py", ".pyi", f"{os.sep}__init__.py", f"{os.sep}__init__.pyi")
_UNREADABLE = (OSError, SyntaxError, ValueError, LookupError, RecursionError, MemoryError)

State = Stamp | str | None


class Reach:
    """Reads each module once, while it stays as it is."""

    def __init__(self) -> None:
        self._imports: dict[tuple[str, Sequence[str]], tuple[State, frozenset[str]]] = {}

    def files(
        self, tree: ast.Module, path: str, root: str | None, folders: Sequence[str]
    ) -> dict[str, State]:
        """The state of each file that `tree` leads to, the module at `path`, which is named from `root`.

        `folders` are those that others are named from. A name may lead to several files: not everybody
        takes the same one.
        """
        states: dict[str, State] = {}
        todo, done = list(_imported(tree, _package(path, root))), set[str]()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            for folder in folders:
                place = str(Path(folder, *name.split(".")))
                for file in filter(SOURCES.is_file, (place + form for form in _FORMS)):
                    if file != path and file not in states:
                        states[file], names = self._read(file, _package(file, folder))
                        todo += names
        return states

    def _read(self, file: str, package: Sequence[str]) -> tuple[State, frozenset[str]]:
        """What is there now, and what it imports."""
        key, now = (file, package), SOURCES.state(file)
        if key not in self._imports or self._imports[key][0] != now:
            names = frozenset[str]()
            try:
                stream, _, text = source_of(file)
                stream.close()
                names = frozenset(_imported(ast.parse(text), package))
            except _UNREADABLE:
                pass
            self._imports[key] = now, names
        return self._imports[key]


def _package(file: str, root: str | None) -> Sequence[str]:
    """Where relative imports of a module begin."""
    return Path(file).parent.relative_to(root).parts if root else ()


def _imported(tree: ast.Module, package: Sequence[str]) -> Iterator[str]:
    """The names of modules, and of the packages around them. Some may be of what is in a module."""
    for node in ast.walk(tree):
        names: list[tuple[str | None, ...]] = []
        if isinstance(node, ast.Import):
            names = [(name.name,) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level <= len(package) + 1:
            above = package[: len(package) + 1 - node.level] if node.level else ()
            names = [(*above, node.module, name.name) for name in node.names]
        for name in names:
            parts = ".".join(filter(None, name)).split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
