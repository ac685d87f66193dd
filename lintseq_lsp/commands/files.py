"""Source files as commands read and write them: in the encoding that they declare, and never by halves."""

import codecs
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.encoding import decode, encode
from lintseq_lsp.errors import LintSeqError
from lintseq_lsp.text import Document

STANDARD_INPUT = "-"


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
            raise LintSeqError(f"{self.path} is gone: nothing is written") from None
        except OSError as error:
            raise LintSeqError(f"{self.path} cannot be written: {error.strerror}") from error


def read_source(path: Path, name: Path | None = None) -> SourceFile:
    """The file, or standard input for `-`, which counts as the file `name`. Raises `LintSeqError`."""
    try:
        data = sys.stdin.buffer.read() if str(path) == STANDARD_INPUT else path.read_bytes()
        text = decode(data)
    except OSError as error:
        raise LintSeqError(f"{path} cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise LintSeqError(f"{path} cannot be read as text: {error.msg}") from error
    if "\0" in text:
        raise LintSeqError(f"{path} is a binary file")
    place = "" if str(path) == STANDARD_INPUT and name is None else str((name or path).resolve())
    return SourceFile(path, data, Document(text, None, place))


def read_document(path: Path) -> Document:
    return read_source(path).document


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
        if (wanted.st_uid, wanted.st_gid) != (has.st_uid, has.st_gid):
            os.chown(file, wanted.st_uid, wanted.st_gid)
        shutil.copystat(model, file)  # access-control lists, too
        os.utime(file)
    except OSError:
        return False
    return True
