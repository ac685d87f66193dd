"""Reading of files that anybody may have put there: regular ones alone, of limited size, without waiting.

What has a file's name in a workspace may be a pipe, a device, a link to one, or gigabytes.
"""

import errno
import io
import itertools
import os
import stat
from pathlib import Path
from typing import IO, Any

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: str | Path, limit: int) -> bytes:
    """All of a regular file. Raises OSError for anything else, and for more than `limit` bytes."""
    _require_regular(path, Path(path).stat())  # before it is opened, for a device may act on that
    with os.fdopen(os.open(path, _FLAGS), "rb") as stream:
        _require_regular(path, os.fstat(stream.fileno()))  # it may be another one by now
        data = stream.read(limit + 1)
    if data is None:
        raise OSError(errno.EAGAIN, "it cannot be read without waiting", str(path))
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


def mode_of(path: str | Path) -> int:
    """What is there, as the module `stat` tells it; 0 for nothing, and where that cannot be known."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - most are asked for by name, and a Path takes longer
    except (OSError, ValueError):
        return 0


def names_in(folder: str | Path, limit: int) -> list[str]:
    """The sorted names in a folder. Raises OSError, also for more than `limit` of them."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, limit + 1)]
    if len(names) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} entries", str(folder))
    return sorted(names)


class Opener:
    """`open` for whoever only reads, through `read_file`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._refused: dict[str, None] = {}

    def __call__(self, path: str | Path, mode: str = "r", **options: Any) -> IO[Any]:
        try:
            data = io.BytesIO(read_file(path, self._limit))
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            self._refused[refusal(path, error)] = None
            raise
        return data if "b" in mode else io.TextIOWrapper(data, **options)

    def take_refused(self) -> list[str]:
        """A line for each file that was not read since this was asked."""
        lines = list(self._refused)
        self._refused.clear()
        return lines


def refusal(path: str | Path, error: OSError | ValueError) -> str:
    """One line for people, whatever is in the name."""
    return f"{str(Path(path).absolute())!a}: not read: {getattr(error, 'strerror', None) or error}"


def _require_regular(path: str | Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
