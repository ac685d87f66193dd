"""Patches over a working tree in which they are applied already or not yet.

What cannot be placed exactly is refused, never guessed. Deliberately absent: writing files, running git.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from lintseq_lsp.encoding import decode
from lintseq_lsp.errors import PatchError
from lintseq_lsp.patches.reading import LINK, Entry, Hunk, entries, lines_of

_OtherSide = Callable[[str], str | None]

_PYTHON = (".py", ".pyw")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file before and after the patch; None where it does not exist (in the case of a copy: before).

    `path` is the new one (of a deleted file the old one), relative to the root, with `/`; `moved_from`
    is the old one, where it is another. A file that is not judged has both texts None, and `skipped`
    says why. A byte-order mark is no part of the texts.
    """

    path: str
    before: str | None
    after: str | None
    skipped: str = ""
    moved_from: str = ""


def changes(patch_text: str, root: Path) -> list[FileChange]:
    """What the patch changes under `root`, in its order; an empty patch changes nothing.

    Bytes that are not UTF-8 are expected as surrogate escapes. Raises `PatchError`, naming file and
    hunk, when the patch cannot be read, fits neither side of a file, or leaves `root`.
    """
    found: dict[str, Entry] = {}
    for entry in entries(patch_text):
        known = found.setdefault(entry.path, entry)
        if known is not entry and not entry.may_follow(known):
            raise PatchError(
                f"{entry.path} is in the patch twice: check patches of several commits one by one"
            )
        found[entry.path] = entry
    if not found and patch_text.strip():
        raise PatchError("there is no patch in this text")
    return [_Placed(entry, root).change() for entry in found.values()]


@dataclass(frozen=True, slots=True)
class _Placed:
    """What a patch says of a file, over the tree at `root`."""

    entry: Entry
    root: Path

    def change(self) -> FileChange:
        entry, root, path = self.entry, self.root, self.entry.path
        names = [_relative(name) for name in (entry.old, entry.new) if name is not None]
        if entry.skipped or not path.endswith(_PYTHON):
            return FileChange(path, None, None, entry.skipped or "not Python")
        if len(set(names)) == 2 and not entry.hunks and any(_is_link(root, name) for name in names):
            return FileChange(path, None, None, LINK)  # git tells no mode of what only moves
        if entry.old is None:
            before, after = "", self._whole(path, self._created(), self._applied, self._reverted)
        elif entry.new is None:
            held = self._held(_inside(root, path))
            before, after = self._whole(path, held, self._reverted, self._applied), ""
        elif entry.old == entry.new:
            before, after = self._changed(path, self._held(_inside(root, path)))
        else:
            old, new = (self._held(_inside(root, name)) for name in (entry.old, entry.new))
            before, after = self._renamed(old, new)
        # A copy has nothing before it, nor has what became Python by its new name.
        origin = "" if entry.copied else entry.old or ""
        was_python = origin.endswith(_PYTHON)
        source = "" if entry.new is None else _source(after)
        if source is None:
            raise PatchError(f"{path} would not be text in the encoding that it declares")
        # Of a text that cannot be decoded no finding is known, so none is forgiven.
        return FileChange(
            path,
            (_source(before) or "") if was_python else None,
            None if entry.new is None else source,
            moved_from=origin if was_python and origin != path else "",
        )

    def _created(self) -> str | None:
        """What the tree holds of a file that comes: nothing yet, where a link or a submodule stands."""
        if _is_link(self.root, self.entry.path):
            return None
        place = _inside(self.root, self.entry.path)
        return None if place.is_dir() else self._held(place)

    def _held(self, place: Path) -> str | None:
        """What the tree holds. A file checked out with CRLF throughout has its patches in LF all the same."""
        text = _read(place)
        lines = [line for hunk in self.entry.hunks for line in (*hunk.old, *hunk.new)]
        if text is None or not lines or any(line.endswith("\r\n") for line in lines):
            return text
        return text.replace("\r\n", "\n") if text.count("\r\n") == text.count("\n") else text

    def _whole(self, path: str, text: str | None, make: _OtherSide, unmake: _OtherSide) -> str:
        """The text of a file that the patch creates or deletes, which must be all that the file holds."""
        made = make("") if text is None else text
        if made is None or unmake(made) != "":
            raise self._misfit(path, text or "")
        return made

    def _changed(self, path: str, text: str | None) -> tuple[str, str]:
        if text is None:
            raise _missing(path)
        for exact in (True, False):
            before, after = self._reverted(text, exact=exact), self._applied(text, exact=exact)
            if before is not None and (after is None or self._looks_applied(text)):
                return before, text
            if after is not None:
                return text, after
        raise self._misfit(path, text)

    def _renamed(self, old: str | None, new: str | None) -> tuple[str, str]:
        for exact in (True, False):
            if new is not None and (before := self._reverted(new, exact=exact)) is not None:
                return before, new
            if old is not None and (after := self._applied(old, exact=exact)) is not None:
                return old, after
        text = old if new is None else new
        if text is None:
            raise _missing(self.entry.old or "")
        raise self._misfit(self.entry.new or "", text)

    def _applied(self, text: str, *, exact: bool = True) -> str | None:
        replaced = _replaced(text, self.entry.hunks, exact=exact)
        return replaced if isinstance(replaced, str) else None

    def _reverted(self, text: str, *, exact: bool = True) -> str | None:
        replaced = _replaced(text, [hunk.reversed() for hunk in self.entry.hunks], exact=exact)
        return replaced if isinstance(replaced, str) else None

    def _looks_applied(self, text: str) -> bool:
        """For a text that fits both sides: what git's hashes say, else the side that says more."""
        data = text.encode("utf-8", "surrogateescape")
        digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        old, new = (bool(known) and digest.startswith(known) for known in self.entry.hashes)
        if old != new:
            return new
        hunks = self.entry.hunks
        return sum(len(hunk.new) for hunk in hunks) >= sum(len(hunk.old) for hunk in hunks)

    def _misfit(self, path: str, text: str) -> PatchError:
        hunk = _replaced(text, self.entry.hunks, exact=True)
        where = f" at hunk {hunk.header}" if isinstance(hunk, Hunk) else ""
        return PatchError(f"{path}: the patch is not applied, and cannot be applied{where}")


def _missing(path: str) -> PatchError:
    return PatchError(
        f"{path} does not exist: the patch's paths must start at the folder that is checked "
        "(in a subfolder, `git diff --relative` makes them)"
    )


def _replaced(text: str, hunks: Sequence[Hunk], *, exact: bool) -> str | Hunk:
    """The text with the new side of each hunk for its old one, or the first hunk that misfits.

    Where a hunk says, or (not `exact`) at the only place behind the hunk before where it fits.
    """
    lines = lines_of(text)
    shape = _Shapes()
    whole = "" if exact else shape.of(lines)
    result: list[str] = []
    end = 0
    for hunk in hunks:
        length, start = len(hunk.old), hunk.old_start
        if not exact:
            old = shape.of(hunk.old)
            start = whole.find(old, end)
            if not old or start < 0 or whole.find(old, start + 1) >= 0:
                return hunk
        if not end <= start <= len(lines) or lines[start : start + length] != hunk.old:
            return hunk
        result += lines[end:start] + hunk.new
        end = start + length
        if result and not result[-1].endswith("\n") and end < len(lines):
            return hunk  # says that the file ends here
    return "".join(result + lines[end:])


class _Shapes:
    """Writes lines as characters, equal ones as the same one, so that `str.find` finds lines."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, lines: Sequence[str]) -> str:
        """Where there are more lines than characters, the last ones look alike."""
        numbers = (self._known.setdefault(line, len(self._known)) for line in lines)
        return "".join(chr(min(number, sys.maxunicode)) for number in numbers)


def _relative(name: str) -> str:
    """The name. Raises `PatchError` when it is absolute, or leads upwards."""
    windows = PureWindowsPath(name)
    if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
        raise PatchError(f"the patch names a file outside of the folder that is checked: {name!r}")
    if "\r" in name:
        raise PatchError(
            "the patch itself has CRLF line ends, also in its headers: make it again, "
            "with `git diff --output=FILE`"
        )
    return name


def _inside(root: Path, name: str) -> Path:
    """The file of that name, links followed. Raises `PatchError` when it is not under `root`."""
    place = (root / PurePosixPath(name)).resolve()
    if not place.is_relative_to(root.resolve()):
        raise PatchError(f"the patch names a file outside of the folder that is checked: {name!r}")
    return place


def _is_link(root: Path, name: str) -> bool:
    path = PurePosixPath(name)
    return (_inside(root, str(path.parent)) / path.name).is_symlink()


def _read(place: Path) -> str | None:
    try:
        return place.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PatchError(f"{place} cannot be read: {error.strerror}") from None


def _source(text: str) -> str | None:
    """The text in the encoding that it declares, as Python reads it; None when it is not."""
    try:
        return decode(text.encode("utf-8", "surrogateescape"))
    except SyntaxError:
        return None
