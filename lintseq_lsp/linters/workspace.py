"""Workspaces in which files do not count as they are: in an editor, and on both sides of a patch."""

from collections.abc import Callable, Mapping

from lintseq_lsp.linters.base import Dependencies, OnDisk, Texts
from lintseq_lsp.linters.protocol import stamp
from lintseq_lsp.linters.syntax import parse


class GivenWorkspace(OnDisk):
    """One in which `texts` count, and nothing changes."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def modules(self, path: str) -> Texts:
        return {name: text for name, text in self._texts.items() if name != path}


class EditorWorkspace:
    """What an editor has of a module counts, not the file. Implements `linters.base.Workspace`.

    `opened` has the texts of the modules that are open, by path, and may be asked in any thread. Somebody
    types in them: of a text that does not parse, the last one that did counts, or else the file.
    """

    def __init__(self, opened: Callable[[], Mapping[str, str]]) -> None:
        self._opened = opened
        self._last: dict[str, tuple[str, str | None]] = {}  # by path: the text, and the last that parsed

    def modules(self, path: str) -> Texts:
        """Takes milliseconds for each text that is new. `path` may be "" for all of them."""
        opened = self._opened()
        for name in self._last.keys() - opened.keys():
            del self._last[name]
        for name, text in opened.items():
            before, sound = self._last.get(name, ("", None))
            if name != path and (name not in self._last or text != before):
                self._last[name] = text, sound if parse(text)[1] else text
        return self._known(opened, path) or {}

    def unchanged(self, path: str, dependencies: Dependencies) -> bool:
        now = self._known(self._opened(), path)
        return (
            now is not None
            and now.keys() == dependencies.names
            and all(now[name] == text for name, text in dependencies.texts.items())
            and all(stamp(file) == before for file, before in dependencies.files.items())
        )

    def _known(self, opened: Mapping[str, str], path: str) -> Texts | None:
        """What counts of each module; None when that is not known of one."""
        found: dict[str, str] = {}
        for name, text in opened.items():
            if name == path:
                continue
            before, sound = self._last.get(name, (None, None))
            if text != before:
                return None
            if sound is not None:
                found[name] = sound
        return found
