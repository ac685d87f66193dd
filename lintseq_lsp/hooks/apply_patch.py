"""The patches of the tool `apply_patch`: files between `*** Begin Patch` and `*** End Patch`.

    *** Add File: PATH      all lines with `+`
    *** Delete File: PATH
    *** Update File: PATH   perhaps followed by `*** Move to: PATH`; then chunks of lines with ` `, `-`
                            and `+`, perhaps below `@@` or `@@ a line above`, or above `*** End of File`

Deliberately absent: where in the file a chunk belongs, since the tool has applied it by now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lintseq_lsp.hooks.events import Change

BEGIN, _END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE = "*** Add File: ", "*** Delete File: ", "*** Update File: "
_MOVE, _END_OF_FILE = "*** Move to: ", "*** End of File"


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """One file of a patch. `added` has the whole text of a new one."""

    path: str
    added: str | None = None
    deleted: bool = False
    moved_to: str = ""
    changes: Sequence[Change] = ()


def read_patch(text: str) -> list[PatchedFile]:
    """The files of the first patch in `text`, which may be a shell's here-document around it.

    What is no line of a patch is passed over: the tool has judged the patch already.
    """
    files: list[PatchedFile] = []
    body: list[str] = []
    for line in _inside(text):
        header = line.strip()
        if header.startswith((_ADD, _DELETE, _UPDATE)):
            _finish(files, body)
            path = header.partition(": ")[2].strip()
            files.append(
                PatchedFile(
                    path, added="" if header.startswith(_ADD) else None, deleted=header.startswith(_DELETE)
                )
            )
        elif line.startswith(_MOVE) and files and not body:
            files[-1] = replace(files[-1], moved_to=line.removeprefix(_MOVE).strip())
        else:
            body.append(line)
    _finish(files, body)
    return files


def _inside(text: str) -> Iterator[str]:
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        if line.strip() == BEGIN:
            break
    for line in lines:
        if line.strip() == _END:
            return
        yield line


def _finish(files: list[PatchedFile], body: list[str]) -> None:
    """Gives the last file the lines below its header."""
    if files and body:
        if files[-1].added is not None:
            added = "".join(line[1:] + "\n" for line in body if line.startswith("+"))
            files[-1] = replace(files[-1], added=added)
        else:
            while body and not body[-1]:  # between this file and the next
                body.pop()
            files[-1] = replace(files[-1], changes=tuple(_changes(body)))
    body.clear()


def _changes(body: Sequence[str]) -> Iterator[Change]:
    old: list[str] = []
    new: list[str] = []
    for line in [*body, "@@"]:
        if line.startswith("@@") or line.strip() == _END_OF_FILE:
            if old != new:
                yield Change(_block(old), _block(new), lines=True)
            old, new = [], []
        elif line.startswith("+"):
            new.append(line[1:])
        elif line.startswith("-"):
            old.append(line[1:])
        elif line.startswith(" ") or not line:  # an empty line of context may have lost its space
            old.append(line[1:])
            new.append(line[1:])


def _block(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
