"""The files that a patch of any origin names, with their hunks.

unidiff reads the hunks. Its silences are errors here: surplus lines of a hunk, damaged hunk headers,
combined diffs. Git's own headers are read here, since unidiff knows no renames without hunks.
"""

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk as UnidiffHunk
from unidiff.patch import PatchedFile, PatchSet

from lintseq_lsp.errors import PatchError

LINK = "symbolic link"
_NULL = "/dev/null"
_BODY = ("+", "-", " ", "\\", "@@")  # what a line of a hunk, or a damaged header, begins with
_EPOCH = ("1970-01-01 ", "1969-12-31 ")  # how `diff -N` says that a file does not exist
_MOST_ANDS = 50  # unidiff tries each one in a line `Binary files A and B differ`, again and again
_SPECIAL_MODES = {"120000": LINK, "160000": "submodule"}
_SUBMODULE_LINE = re.compile(  # what git writes of one instead of a diff, with diff.submodule=log
    r"Submodule (.+?) (?:[0-9a-f]+\.{2,3}[0-9a-f]+|contains (?:untracked|modified) content)"
)
_NO_NEWLINE = "\\ No newline at end of file\n"


def decode_patch(data: bytes) -> str:
    """The text of a patch: UTF-8 (other bytes as surrogate escapes) or UTF-16, with a byte-order mark or not.

    Raises `PatchError`.
    """
    if data.startswith(codecs.BOM_UTF16_BE) or data[:1] == b"\0":
        encoding = "utf-16-be"
    elif data.startswith(codecs.BOM_UTF16_LE) or data[1:2] == b"\0":
        encoding = "utf-16-le"
    else:
        return data.decode("utf-8-sig", "surrogateescape")
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise PatchError(f"the patch is UTF-16, and damaged: {error.reason} at byte {error.start}") from None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Both sides as lines with their `\\n`, and the index of the line where each stands."""

    header: str
    old_start: int
    old: list[str]
    new_start: int
    new: list[str]

    def reversed(self) -> "Hunk":
        return Hunk(self.header, self.new_start, self.new, self.old_start, self.old)

    def of_new_file(self) -> "Hunk":
        return replace(self, old_start=0, old=[])


@dataclass(frozen=True, slots=True)
class Entry:
    """What the patch says of one file. A path of None: the file does not exist on that side."""

    old: str | None
    new: str | None
    hunks: Sequence[Hunk] = ()
    copied: bool = False
    skipped: str = ""
    hashes: tuple[str, str] = ("", "")  # of git's blobs, abbreviated

    @property
    def path(self) -> str:
        return self.new or self.old or ""

    def may_follow(self, other: "Entry") -> bool:
        """Of the same path. Git writes a link that becomes a file as two: one that goes, one that comes."""
        replaces = other.new is None and self.old is None and other.skipped != self.skipped
        return replaces or bool(other.skipped and self.skipped)


def lines_of(text: str) -> list[str]:
    """With their ends. For patches, only `\\n` ends a line."""
    return list(io.StringIO(text, newline="\n"))


def entries(text: str) -> Iterator[Entry]:
    """The files of a patch. A line `diff --git` begins one: inside of a hunk it would be indented."""
    section: list[str] = []
    for line in lines_of(text if text.endswith("\n") else text + "\n"):
        line = line.removeprefix("\ufeff")  # of a patch behind another one
        if line.startswith(("diff --cc ", "diff --combined ")):
            raise PatchError("the patch is the combined diff of a merge: resolve it first")
        if line.startswith("* Unmerged path "):
            raise PatchError(
                f"{line.removeprefix('* Unmerged path ').strip()} is not merged yet: resolve it first"
            )
        if match := _SUBMODULE_LINE.match(line):
            yield Entry(match[1], match[1], skipped=_SPECIAL_MODES["160000"])
        if line.startswith("diff --git "):
            yield from _section(section)
            section = []
        section.append(line)
    yield from _section(section)


def _section(lines: list[str]) -> Iterator[Entry]:
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
    yield Entry(
        old,
        new,
        hunks,
        copied=header.value("copy from ") is not None,
        skipped="binary" if header.is_binary() else before if new is None else after,
        hashes=header.hashes(),
    )
    yield from map(_plain, files[1:])


def _plain(file: PatchedFile) -> Entry:
    """A file without git's headers, which therefore has one name, maybe with a suffix on the old side."""
    old, new = _without_prefixes(_unquoted(file.source_file), _unquoted(file.target_file))
    if (file.source_timestamp or "").startswith(_EPOCH):
        old = None
    if (file.target_timestamp or "").startswith(_EPOCH):
        old, new = new, None
    if old is not None and new is not None:
        old = new
    return Entry(old, new, _hunks(file), skipped="binary" if file.is_binary_file else "")


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
                raise PatchError(f"the header cannot be read: {self.lines[0]}")
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
            raise PatchError(f"the patch cannot be read: {line[:60]!r}... does not name two files")
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


def _hunks(file: PatchedFile) -> list[Hunk]:
    return [_hunk(hunk) for hunk in file]


def _hunk(hunk: UnidiffHunk) -> Hunk:
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
    return Hunk(
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
