"""Source files as commands read and write them: in the encoding that they declare, and never by halves."""

import codecs
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.encoding import decode, encode
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.text import Document


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when it was read: its bytes, and its text, line ends and all."""

    path: Path
    data: bytes
    document: Document

    def encoded(self, text: str) -> bytes:
        """What the file would hold with that text, a byte-order mark included. Raises `LintSeqError`."""
        try:
            mark = codecs.BOM_UTF8 if self.data.startswith(codecs.BOM_UTF8) else b""
            return mark + encode(text)
        except SyntaxError as error:
            raise LintSeqError(f"{self.path} cannot be written: {error.msg}") from error

    def write(self, text: str) -> None:
        """Replaces the file at once, through a link to where it leads; its owner and its rights stay.

        Raises `LintSeqError`, for one when it is not as it was read.
        """
        try:
            _replace(self.path.resolve(), self.data, self.encoded(text))
        except FileNotFoundError:
            raise LintSeqError(f"{self.path} was deleted: nothing is written") from None
        except OSError as error:
            raise LintSeqError(f"{self.path} cannot be written: {error.strerror}") from error


def read_source(path: Path) -> SourceFile:
    """Raises `LintSeqError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LintSeqError(f"{path} cannot be read: {error.strerror}") from error
    return SourceFile(path, data, Document(_text(path, data), None, str(path.resolve())))


def read_standard_input(name: Path | None) -> Document:
    """What is there counts as the file `name`. Raises `LintSeqError`."""
    text = _text(name or Path("standard input"), sys.stdin.buffer.read())
    return Document(text, None, str(name.resolve()) if name else "")


def _text(path: Path, data: bytes) -> str:
    try:
        text = decode(data)
    except SyntaxError as error:
        raise LintSeqError(f"{path} cannot be read as text: {error.msg}") from error
    if "\0" in text:
        raise LintSeqError(f"{path} is a binary file")
    return text


def read_document(path: Path) -> Document:
    return read_source(path).document


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths`, and the Python files below the folders, each once and in order of names.

    Hidden folders and virtual environments are left out.
    """
    seen = set()
    for path in paths:
        for file in _below(path) if path.is_dir() else (path,):
            if file not in seen:
                seen.add(file)
                yield file


def _below(top: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not _is_left_out(Path(folder, name)))
        found = (Path(folder, name) for name in sorted(files) if name.endswith((".py", ".pyw")))
        yield from filter(Path.is_file, found)  # no pipes, and no editor's locks


def _is_left_out(folder: Path) -> bool:
    return folder.name.startswith(".") or (folder / "pyvenv.cfg").exists()


def _replace(target: Path, before: bytes, after: bytes) -> None:
    """Puts `after` in the place of `before`.

    A file that has other names, or whose owner this process may not give to another file, is written over.
    Should that fail, the new text lies beside it.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(after)
        with target.open("r+b") as file:  # whoever may not write to it may not replace it
            if file.read() != before:
                raise LintSeqError(f"{target} has changed since it was read: nothing is written")
        is_new_file = target.stat().st_nlink == 1 and _dress_up(temporary, target)
        if is_new_file:
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if not is_new_file:
        target.write_bytes(after)
        temporary.unlink()


def _dress_up(file: Path, model: Path) -> bool:
    """Gives a new file the owner and the rights of another one. False when that cannot be."""
    wanted, has = model.stat(), file.stat()
    try:
        if sys.platform != "win32" and (wanted.st_uid, wanted.st_gid) != (has.st_uid, has.st_gid):
            os.chown(file, wanted.st_uid, wanted.st_gid)
        shutil.copystat(model, file)  # access-control lists, too
        os.utime(file)
    except OSError:
        return False
    return True
