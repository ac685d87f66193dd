"""Whole patches of any origin, over a working tree in which they are applied already or not yet.

unidiff reads the hunks. Its silences are errors here: surplus lines of a hunk, damaged hunk headers,
combined diffs. Git's own headers are read here, since unidiff knows no renames without hunks. What
cannot be placed exactly is refused, never guessed. Deliberately absent: writing files, running git.
"""

import codecs
import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from lintseq_lsp.encoding import decode
from lintseq_lsp.errors import PatchError

_OtherSide = Callable[[str], str | None]

_PYTHON = (".py", ".pyw")
_NULL = "/dev/null"
_BODY = ("+", "-", " ", "\\", "@@")  # what a line of a hunk, or a damaged header, begins with
_EPOCH = ("1970-01-01 ", "1969-12-31 ")  # how `diff -N` says that a file does not exist
_MOST_ANDS = 50  # unidiff tries each one in a line `Binary files A and B differ`, again and again
_LINK = "symbolic link"
_SPECIAL_MODES = {"120000": _LINK, "160000": "submodule"}
_SUBMODULE_LINE = re.compile(  # what git writes of one instead of a diff, with diff.submodule=log
    r"Submodule (.+?) (?:[0-9a-f]+\.{2,3}[0-9a-f]+|contains (?:untracked|modified) content)"
)
_NO_NEWLINE = "\\ No newline at end of file\n"


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


def decode_patch(data: bytes) -> str:
    """The text of a patch, as `changes` expects it: UTF-8, or by its byte-order mark UTF-16.

    Raises `PatchError`.
    """
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-8-sig", "surrogateescape")
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise PatchError(f"the patch is UTF-16, and damaged: {error.reason} at byte {error.start}") from None


def changes(patch_text: str, root: Path) -> list[FileChange]:
    """What the patch changes under `root`, in its order; an empty patch changes nothing.

    Bytes that are not UTF-8 are expected as surrogate escapes. Raises `PatchError`, naming file and
    hunk, when the patch cannot be read, fits neither side of a file, or leaves `root`.
    """
    entries: dict[str, _Entry] = {}
    for entry in _entries(patch_text):
        known = entries.setdefault(entry.path, entry)
        if known is not entry and not entry.may_follow(known):
            raise PatchError(
                f"{entry.path} is in the patch twice: check patches of several commits one by one"
            )
        entries[entry.path] = entry
    if not entries and patch_text.strip():
        raise PatchError("there is no patch in this text")
    return [entry.over(root) for entry in entries.values()]


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Both sides as lines with their `\\n`, and the index of the line where each stands."""

    header: str
    old_start: int
    old: list[str]
    new_start: int
    new: list[str]

    def reversed(self) -> "_Hunk":
        return _Hunk(self.header, self.new_start, self.new, self.old_start, self.old)

    def of_new_file(self) -> "_Hunk":
        return replace(self, old_start=0, old=[])


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the patch says of one file. A path of None: the file does not exist on that side."""

    old: str | None
    new: str | None
    hunks: Sequence[_Hunk] = ()
    copied: bool = False
    skipped: str = ""
    hashes: tuple[str, str] = ("", "")  # of git's blobs, abbreviated

    @property
    def path(self) -> str:
        return self.new or self.old or ""

    def may_follow(self, other: "_Entry") -> bool:
        """Of the same path. Git writes a link that becomes a file as two: one that goes, one that comes."""
        replaces = other.new is None and self.old is None and other.skipped != self.skipped
        return replaces or bool(other.skipped and self.skipped)

    def over(self, root: Path) -> FileChange:
        path = self.path
        names = [_relative(name) for name in (self.old, self.new) if name is not None]
        if self.skipped or not path.endswith(_PYTHON):
            return FileChange(path, None, None, self.skipped or "not Python")
        if len(set(names)) == 2 and not self.hunks and any(_is_link(root, name) for name in names):
            return FileChange(path, None, None, _LINK)  # git tells no mode of what only moves
        if self.old is None:
            before, after = "", self._whole(path, self._created(root), self._applied, self._reverted)
        elif self.new is None:
            held = self._held(_inside(root, path))
            before, after = self._whole(path, held, self._reverted, self._applied), ""
        elif self.old == self.new:
            before, after = self._changed(path, self._held(_inside(root, path)))
        else:
            old, new = (self._held(_inside(root, name)) for name in (self.old, self.new))
            before, after = self._renamed(old, new)
        # A copy has nothing before it, nor has what became Python by its new name.
        origin = "" if self.copied else self.old or ""
        was_python = origin.endswith(_PYTHON)
        source = "" if self.new is None else _source(after)
        if source is None:
            raise PatchError(f"{path} would not be text in the encoding that it declares")
        # Of a text that cannot be decoded no finding is known, so none is forgiven.
        return FileChange(
            path,
            (_source(before) or "") if was_python else None,
            None if self.new is None else source,
            moved_from=origin if was_python and origin != path else "",
        )

    def _created(self, root: Path) -> str | None:
        """What the tree holds of a file that comes: nothing yet, where a link or a submodule stands."""
        if _is_link(root, self.path):
            return None
        place = _inside(root, self.path)
        return None if place.is_dir() else self._held(place)

    def _held(self, place: Path) -> str | None:
        """What the tree holds. Checked out with CRLF, a tree has its patches in LF all the same."""
        text = _read(place)
        lines = [line for hunk in self.hunks for line in (*hunk.old, *hunk.new)]
        if text is None or not lines or any(line.endswith("\r\n") for line in lines):
            return text
        return text.replace("\r\n", "\n")

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
            raise _missing(self.old or "")
        raise self._misfit(self.new or "", text)

    def _applied(self, text: str, *, exact: bool = True) -> str | None:
        replaced = _replaced(text, self.hunks, exact=exact)
        return replaced if isinstance(replaced, str) else None

    def _reverted(self, text: str, *, exact: bool = True) -> str | None:
        replaced = _replaced(text, [hunk.reversed() for hunk in self.hunks], exact=exact)
        return replaced if isinstance(replaced, str) else None

    def _looks_applied(self, text: str) -> bool:
        """For a text that fits both sides: what git's hashes say, else the side that says more."""
        data = text.encode("utf-8", "surrogateescape")
        digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        old, new = (bool(known) and digest.startswith(known) for known in self.hashes)
        if old != new:
            return new
        return sum(len(hunk.new) for hunk in self.hunks) >= sum(len(hunk.old) for hunk in self.hunks)

    def _misfit(self, path: str, text: str) -> PatchError:
        hunk = _replaced(text, self.hunks, exact=True)
        where = f" at hunk {hunk.header}" if isinstance(hunk, _Hunk) else ""
        return PatchError(f"{path}: the patch fits neither as applied nor as to be applied{where}")


def _missing(path: str) -> PatchError:
    return PatchError(
        f"{path} is not there: the patch's paths must begin at the folder that is checked "
        "(in a subfolder, `git diff --relative` makes them)"
    )


def _replaced(text: str, hunks: Sequence[_Hunk], *, exact: bool) -> str | _Hunk:
    """The text with the new side of each hunk for its old one, or the first hunk that misfits.

    Where a hunk says, or (not `exact`) at the only place behind the hunk before where it fits.
    """
    lines = _lines(text)
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


def _lines(text: str) -> list[str]:
    """With their ends. For patches, only `\\n` ends a line."""
    return list(io.StringIO(text, newline="\n"))


def _relative(name: str) -> str:
    """The name. Raises `PatchError` when it is absolute, or leads upwards."""
    windows = PureWindowsPath(name)
    if not name or "\0" in name or windows.drive or windows.root or ".." in windows.parts:
        raise PatchError(f"the patch leaves the folder that is checked: {name!r}")
    if "\r" in name:
        raise PatchError(
            "the patch itself has CRLF line ends, also in its headers: make it anew, "
            "with `git diff --output=FILE`"
        )
    return name


def _inside(root: Path, name: str) -> Path:
    """The file of that name, links followed. Raises `PatchError` when it is not under `root`."""
    place = (root / PurePosixPath(name)).resolve()
    if not place.is_relative_to(root.resolve()):
        raise PatchError(f"the patch leaves the folder that is checked: {name!r}")
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


# Reading the patch


def _entries(text: str) -> Iterator[_Entry]:
    """The files of a patch. A line `diff --git` begins one: inside of a hunk it would be indented."""
    section: list[str] = []
    for line in _lines(text if text.endswith("\n") else text + "\n"):
        if line.startswith(("diff --cc ", "diff --combined ")):
            raise PatchError("the patch is the combined diff of a merge: resolve it first")
        if line.startswith("* Unmerged path "):
            raise PatchError(
                f"{line.removeprefix('* Unmerged path ').strip()} is not merged yet: resolve it first"
            )
        if match := _SUBMODULE_LINE.match(line):
            yield _Entry(match[1], match[1], skipped=_SPECIAL_MODES["160000"])
        if line.startswith("diff --git "):
            yield from _section(section)
            section = []
        section.append(line)
    yield from _section(section)


def _section(lines: list[str]) -> Iterator[_Entry]:
    """One file of git's, or any number of files without git's headers."""
    if not lines or not lines[0].startswith("diff --git "):
        yield from map(_plain, _parsed(lines))
        return
    body = next((number for number, line in enumerate(lines) if line.startswith("--- ")), len(lines))
    files = _parsed(lines[body:])
    header = _GitHeader([line.rstrip("\n") for line in lines[:body]])
    names = [_unquoted(name) for name in (files[0].source_file, files[0].target_file)] if files else []
    old, new = header.paths(names)
    before, after = header.kinds()
    hunks = _hunks(files[0]) if files else []
    if before and not after and new is not None:
        # Mercurial writes a link that becomes a file as one: nothing of the file was there before.
        old, hunks = None, [hunk.of_new_file() for hunk in hunks]
    yield _Entry(
        old,
        new,
        hunks,
        copied=header.value("copy from ") is not None,
        skipped="binary" if header.is_binary() else before if new is None else after,
        hashes=header.hashes(),
    )
    yield from map(_plain, files[1:])


def _plain(file: PatchedFile) -> _Entry:
    """A file without git's headers, which therefore has one name, maybe with a suffix on the old side."""
    old, new = _without_prefixes(_unquoted(file.source_file), _unquoted(file.target_file))
    if (file.source_timestamp or "").startswith(_EPOCH):
        old = None
    if (file.target_timestamp or "").startswith(_EPOCH):
        old, new = new, None
    if old is not None and new is not None:
        old = new
    return _Entry(old, new, _hunks(file), skipped="binary" if file.is_binary_file else "")


@dataclass(frozen=True, slots=True)
class _GitHeader:
    lines: list[str]

    def value(self, name: str) -> str | None:
        return next((line.removeprefix(name) for line in self.lines if line.startswith(name)), None)

    def paths(self, names: Sequence[str]) -> tuple[str | None, str | None]:
        """Before and after, None where the file does not exist. `names` are those of the hunks, if any."""
        for kind in ("rename", "copy"):
            old, new = self.value(f"{kind} from "), self.value(f"{kind} to ")
            if old is not None and new is not None:
                old, new = _unquoted(old), _unquoted(new)
                if names and not (names[0].endswith(old) and names[1].endswith(new)):
                    raise PatchError(f"the headers of {new} contradict each other")
                return old, new
        # Both names are one path, so they have the same length: the blank between them is in the middle.
        both = self.lines[0].removeprefix("diff --git ")
        half = len(both) // 2
        pair = [_unquoted(both[:half]), _unquoted(both[half + 1 :])]
        if both[half : half + 1] != " " or None in _without_prefixes(*pair):
            if not names:
                raise PatchError(f"the header cannot be understood: {self.lines[0]}")
            pair = list(names)
        elif any(name not in (side, _NULL) for name, side in zip(names, pair, strict=False)):
            raise PatchError(f"the headers of {pair[1]} contradict each other")
        old, new = _without_prefixes(*pair)
        added = self.value("new file mode ") is not None or names[:1] == [_NULL]
        deleted = self.value("deleted file mode ") is not None or names[1:] == [_NULL]
        return (None if added else old), (None if deleted else new)

    def is_binary(self) -> bool:
        return any(line.startswith(("Binary files ", "GIT binary patch")) for line in self.lines)

    def kinds(self) -> tuple[str, str]:
        """What stands there before and after, if it is no file: a link or a submodule."""
        both = (self.value("index ") or "").partition(" ")[2]
        old = self.value("old mode ") or self.value("deleted file mode ") or both
        new = self.value("new mode ") or self.value("new file mode ") or both
        return _SPECIAL_MODES.get(old, ""), _SPECIAL_MODES.get(new, "")

    def hashes(self) -> tuple[str, str]:
        match = re.match(r"([0-9a-f]{7,})\.\.([0-9a-f]{7,})", self.value("index ") or "")
        return (match[1], match[2]) if match else ("", "")


def _parsed(lines: list[str]) -> list[PatchedFile]:
    """What unidiff reads of the lines. Raises `PatchError` for lines that it would leave out silently."""
    for line in lines:
        if line.startswith("Binary file") and line.count(" and ") > _MOST_ANDS:
            raise PatchError(f"the patch cannot be read: {line[:60]!r}... is no pair of names")
    # Git and diff write this in the user's language; unidiff knows it in English.
    lines = [_NO_NEWLINE if line.startswith("\\ ") else line for line in lines]
    try:
        files = list(PatchSet(lines))
    except (UnidiffParseError, ValueError) as error:  # the latter of a number with thousands of digits
        raise PatchError(f"the patch cannot be read: {str(error).strip()}") from None
    read: set[int] = set()  # numbers of the lines that were not left out
    for file in files:
        if file.is_binary_file:
            continue
        if not file:
            raise PatchError(f"{file.path}: the patch has no hunks for it")
        assert file.diff_line_no is not None
        read |= {file.diff_line_no - 1, file.diff_line_no}
        for hunk in file:
            numbers = [line.diff_line_no for line in hunk if line.diff_line_no is not None]
            read |= {numbers[0] - 1, *numbers} if numbers else set()
    prose = True
    for number, line in enumerate(lines, 1):
        if number in read:
            prose = False
        elif not prose and line.strip() and line != _NO_NEWLINE:
            # Behind a hunk comes the next file, or prose; "-- " begins the signature of a mail.
            prose = line == "-- \n" or not line.startswith(_BODY)
            if not prose:
                raise PatchError(
                    f"a hunk has more lines than its header says, or no header: {line.strip()!r}"
                )
    return files


def _hunks(file: PatchedFile) -> list[_Hunk]:
    return [_hunk(hunk) for hunk in file]


def _hunk(hunk: Hunk) -> _Hunk:
    old: list[str] = []
    new: list[str] = []
    sides: list[list[str]] = []  # that the line before belongs to
    for line in hunk:
        if line.line_type == "\\":
            for side in sides:
                side[-1] = side[-1].removesuffix("\n")
            continue
        sides = (
            [old] if line.is_removed else [new] if line.is_added else [old, new] if line.is_context else []
        )
        for side in sides:
            side.append(line.value)
    return _Hunk(
        f"@@ -{hunk.source_start},{hunk.source_length} +{hunk.target_start},{hunk.target_length} @@",
        # With no lines on a side, the number is that of the line before.
        hunk.source_start - (1 if hunk.source_length else 0),
        old,
        hunk.target_start - (1 if hunk.target_length else 0),
        new,
    )


def _without_prefixes(old: str, new: str) -> tuple[str | None, str | None]:
    """Paths from the names on both sides, which may have a prefix each (`a/`, `b/`) or none."""
    if _NULL in (old, new):
        old, new = (name if name == _NULL else re.sub(r"^[abciow12]/", "", name) for name in (old, new))
        return (None if old == _NULL else old), (None if new == _NULL else new)
    first, _, old_rest = old.partition("/")
    second, _, new_rest = new.partition("/")
    if first != second and old_rest == new_rest and new_rest:
        return old_rest, new_rest
    return old, new


_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))


def _unquoted(name: str) -> str:
    """A name as git writes it: with unusual characters in quotes, and their bytes escaped."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name

    def unescaped(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 0xFF if len(code) == 3 else _ESCAPED[code[0]]])

    data = _ESCAPE.sub(unescaped, name[1:-1].encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")
