"""A folder in which a text stands for a file, for programs that read files alone.

A folder of modules that holds such a text has a folder of links in its place. Nothing of the workspace is
read for it, but for the names in these folders; what is no module is left out.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath

from lintseq_lsp.linters.base import Check, Surroundings
from lintseq_lsp.linters.files import names_in

MOST_NAMES = 20_000
"""In one folder that is stood in for."""

_MODULES = (".py", ".pyi")


class Overlay:
    """A temporary folder of the user's alone, with the text of a check and the modules that come with it.

    `file` is where the text is, and `roots` are the folders from which modules are named, in order. To be
    used in a `with` statement, which takes all of it away.
    """

    def __init__(self, check: Check, around: Surroundings) -> None:
        """Raises OSError."""
        self._folder = tempfile.TemporaryDirectory(prefix="lintseq-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        try:
            self.file, self.roots = self._fill(check, around)
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> "Overlay":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _fill(self, check: Check, around: Surroundings) -> tuple[Path, list[Path]]:
        path = Path(os.path.normpath(check.path or "untitled.py"))
        if path.suffix not in _MODULES:
            path = path.with_suffix(".py")  # a notebook
        texts = {PurePath(other): text for other, text in check.modules.items()} | {path: check.text}
        file, roots = None, []
        for number, name in enumerate((*around.beside, *around.roots)):
            root = PurePath(name)
            inside = {
                other.relative_to(root): text for other, text in texts.items() if other.is_relative_to(root)
            }
            if inside:
                place = self.path / str(number)
                _stand_in(Path(root), place, inside)
                if file is None and path.is_relative_to(root):
                    file = place / path.relative_to(root)
            roots.append(place if inside else Path(root))
        if file is None:
            place = self.path / "text"
            place.mkdir()
            file = place / path.name
            file.write_text(check.text, "utf-8", "replace", newline="")
        return file, roots


def _stand_in(folder: Path, place: Path, texts: Mapping[PurePath, str | None]) -> None:
    """Makes `place`, which is as `folder`, but for `texts`, by their paths in it."""
    place.mkdir()
    inner: dict[str, dict[PurePath, str | None]] = {}
    for path, text in texts.items():
        first, *rest = path.parts
        if rest:
            inner.setdefault(first, {})[PurePath(*rest)] = text
        elif text is not None:
            (place / first).write_text(text, "utf-8", "replace", newline="")
    try:
        names = names_in(folder, MOST_NAMES)
    except (FileNotFoundError, NotADirectoryError):
        names = []
    for name in names:
        if name not in inner and PurePath(name) not in texts and _is_module(folder / name):
            _link(place / name, folder / name)
    for name, within in inner.items():
        _stand_in(folder / name, place / name, within)


def _link(place: Path, target: Path) -> None:
    """What is made at `place` leads to `target`. Not everybody may make links on Windows."""
    try:
        place.symlink_to(target)
    except OSError:
        if sys.platform != "win32":
            raise
        import _winapi

        if target.is_dir():
            _winapi.CreateJunction(str(target), str(place))
        else:
            shutil.copyfile(target, place)


def _is_module(path: Path) -> bool:
    """By its name; a pipe, say, is none, and would be waited for."""
    if path.suffix in _MODULES or path.name == "py.typed":
        return path.is_file()
    return path.name.isidentifier() and path.is_dir()
