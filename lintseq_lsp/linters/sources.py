"""Files as the linter is to see them: the text that somebody gave counts, whatever is on disk."""

import os
from collections.abc import Iterable
from functools import lru_cache

from lintseq_lsp.linters.base import Stamp, Texts
from lintseq_lsp.linters.protocol import stamp


class Sources:
    """The disk, with the texts that count instead of files there."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, str | None]] = {}  # by key: the path as it was given, the text

    def update(self, texts: Texts, dropped: Iterable[str]) -> bool:
        """Takes more texts, and lets the disk count again for others.

        Whether a file has come into being or has gone: imports may lead elsewhere then.
        """
        _real_folder.cache_clear()
        moved = False
        for path in dropped:
            before = self.is_file(path)
            self._given.pop(_key(path), None)
            moved |= before is not self.is_file(path)
        for path, text in texts.items():
            before = self.is_file(path)
            self._given[_key(path)] = path, text and text.replace("\r\n", "\n").replace("\r", "\n")
            moved |= before is not self.is_file(path)
        return moved

    def given(self, path: str) -> str | None:
        """The path by which the text there was given; None when the disk counts."""
        entry = self._entry(path)
        return entry and entry[0]

    def state(self, path: str) -> Stamp | str | None:
        """What is different when the file may be: its stamp, or the text that was given."""
        entry = self._entry(path)
        return entry[1] if entry else stamp(path)

    def is_file(self, path: str) -> bool:
        entry = self._entry(path)
        return entry[1] is not None if entry else os.path.isfile(path)

    def exists(self, path: str) -> bool:
        entry = self._entry(path)
        return entry[1] is not None if entry else os.path.exists(path)

    def is_new_folder(self, path: str) -> bool:
        """Whether the folder will only be there when a text that was given is saved."""
        if not self._given or os.path.isdir(path):
            return False
        beginning = _key(os.path.join(path, ""))
        return any(key.startswith(beginning) for key, (_, text) in self._given.items() if text is not None)

    def names_in(self, folder: str) -> set[str]:
        """What will be in the folder when all texts that were given are saved, beside what is there."""
        beginning = _key(os.path.join(folder, ""))
        return {
            key[len(beginning) :].partition(os.sep)[0] for key in self._given if key.startswith(beginning)
        }

    def _entry(self, path: str) -> tuple[str, str | None] | None:
        return self._given.get(_key(path)) if self._given else None


def _key(path: str) -> str:
    """One for all ways to the folder: editors and search paths may go through different links."""
    folder, name = os.path.split(path)
    return os.path.join(_real_folder(folder), os.path.normcase(name))


@lru_cache(maxsize=1024)
def _real_folder(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
