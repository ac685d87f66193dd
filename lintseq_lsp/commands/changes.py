"""The changes of files that are to be judged, out of a patch, or out of what git knows."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.commands.reports import Unread
from lintseq_lsp.encoding import decode
from lintseq_lsp.globs import matches_any
from lintseq_lsp.review import Change


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not for us to judge."""

    name: str
    why: str


def of_patch(data: bytes, root: Path) -> Iterator[Change | Skipped]:
    """What the patch makes of the files below `root`, be it applied or not. Raises `PatchError`."""
    from lintseq_lsp.patches.applying import changes
    from lintseq_lsp.patches.reading import decode_patch

    for change in changes(decode_patch(data), root):
        if change.skipped:
            yield Skipped(change.path, change.skipped)
        else:
            old, new = root / (change.moved_from or change.path), root / change.path
            yield Change(change.path, str(old), str(new), change.before, change.after)


def of_git(
    revision: str | None, root: Path, files: Sequence[Path], ignored: Sequence[str]
) -> Iterator[Change | Skipped | Unread]:
    """What has changed since a revision, or (None) what is staged.

    Of that, what is in `files` counts, if there are any. Raises `GitError`.
    """
    from lintseq_lsp.git import changed_files

    wanted = [file.resolve() for file in files]
    for change in changed_files(root, revision):
        name = os.path.relpath(change.path, root)
        counts = not wanted or any(change.path.is_relative_to(file) for file in wanted)
        if matches_any(change.path.as_posix(), ignored):
            if counts:
                yield Skipped(name, "ignored")
            continue
        try:
            error, after = change.error, None if change.after is None else decode(change.after)
        except SyntaxError as problem:
            error, after = f"{name} cannot be read as text: {problem.msg}", None
        if not error:
            old, before = str(change.moved_from or change.path), _decoded(change.before)
            is_new = change.moved_from is not None or before != after
            yield Change(name, old, str(change.path), before, after, counts and is_new)
        elif counts:
            yield Unread(name, error)


def _decoded(data: bytes | None) -> str | None:
    """Of a text that cannot be decoded no finding is known, so none is forgiven."""
    try:
        return None if data is None else decode(data)
    except SyntaxError:
        return ""
