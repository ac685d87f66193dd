"""The standard library of the project's Python, where the server's own is another one.

Which modules that version has is known from a table (`stdlib_list`). What is in them is read where that
Python lies; compiled ones, and all of them where it cannot be read, are the server's, and not known.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from astroid import nodes

from lintseq_lsp.linters.grammar import BUILTINS
from lintseq_lsp.linters.worker.guards import Version

_MEMBERS = frozenset(
    {
        *(
            "removeprefix",
            "removesuffix",
            "bit_count",
            "is_integer",
            "from_number",
            "resize",
            "count",
            "index",
        ),
        *("add_note", "name", "obj", "name_from", "strict"),
    }
)
"""Members that came to classes of `builtins` since 3.8."""

_LEFT_OUT = ("nt", "pyexpat")
"""What the table does not say of all versions that have it."""

_COMPILED = "lib-dynload"
"""The folder of what is compiled. It is never loaded but for the server's, which stands for the project's."""

_HACK = "distutils-precedence.pth"
"""By which setuptools brings `distutils` back."""


class Library:
    """What is known of the standard library of `python`, (major, minor), None for the server's own.

    `standard` are the server's folders of it, `folder` where that of `python` is read, if it can be.
    """

    def __init__(
        self,
        python: Version | None,
        folder: str | None,
        standard: Sequence[str],
        site_packages: Sequence[str] = (),
    ) -> None:
        ours = sys.version_info[:2]
        self.wanted = python
        self.python = python or ours
        self._is_ours = self.python == ours
        self.folder = folder if folder is not None and not self._is_ours else None
        self._standard = tuple(standard)
        self._site_packages = tuple(site_packages)
        self._names = frozenset() if self._is_ours else _names(self.python)
        version = ".".join(map(str, self.python))
        self.unread = f"the standard library of Python {version} was not read"

    @property
    def path(self) -> tuple[str, ...]:
        """Folders of modules."""
        if self.folder is None:
            return self._standard
        compiled = [folder for folder in self._standard if Path(folder).name == _COMPILED]
        return (self.folder, str(Path(self.folder, _COMPILED)), *compiled)

    def lacks(self, name: str) -> bool:
        """Whether a module is known not to be in this version, where other versions have it."""
        top = name.partition(".")[0]
        if not self._names or top in self._names or top in _LEFT_OUT:
            return False
        if top == "distutils" and any(Path(folder, _HACK).exists() for folder in self._site_packages):
            return False
        return top in sys.stdlib_module_names and not top.startswith("_")  # of which the table has not all

    def is_unknown(self, name: str) -> bool:
        """Whether it is a module of this version that the server's Python has not got."""
        return name in self._names

    def is_unread(self, module: nodes.NodeNG) -> bool:
        """Whether what stands for a module is that of another Python."""
        if self._is_ours or module.name.partition(".")[0] not in sys.stdlib_module_names:
            return False
        file = str(module.file or "")
        return not Path(file).is_absolute() or Path(file).is_relative_to(self._standard_of(file))

    def is_unread_member(self, classes: Sequence[nodes.ClassDef], name: str) -> bool:
        """Whether one of the classes (one and its ancestors) may have such a member in this version."""
        if self._is_ours:
            return False
        for cls in classes:
            root = cls.root()
            if root.name == "builtins":
                if name in _MEMBERS:
                    return True
            elif self.is_unread(root):
                return True
        return name.startswith("__")

    def is_newer_builtin(self, name: str) -> bool:
        """Whether this version has it, and the server's Python has not."""
        return sys.version_info[:2] < BUILTINS.get(name, (0,)) <= self.python

    @property
    def missing_builtins(self) -> list[str]:
        """Those that the server's Python has, and this version has not."""
        return [name for name, since in BUILTINS.items() if self.python < since <= sys.version_info[:2]]

    def _standard_of(self, file: str) -> str:
        return next((folder for folder in self._standard if Path(file).is_relative_to(folder)), "/nowhere")


def _names(python: Version) -> frozenset[str]:
    """The modules of that version, dotted; none when the table has not got it."""
    import stdlib_list

    version = ".".join(map(str, python))
    if version not in stdlib_list.long_versions and version not in stdlib_list.short_versions:
        return frozenset()
    return frozenset(stdlib_list.stdlib_list(version))
