"""What the pool and its worker process say to each other: length-prefixed JSON over two pipes.

Deliberately absent: pickle, since a trusted workspace's plugins run on the other side.
"""

import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from lintseq_lsp.linters.base import Stamp

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to the worker; folders in the order of lookup.

    `source_roots` are for checks that say nothing of where the file lies. `origin` is the environment's.
    """

    source_roots: Sequence[str] = ()
    site_packages: Sequence[str] = ()
    python_version: Sequence[int] | None = None
    standard_library: str | None = None
    origin: str = ""
    configuration_folder: str | None = None
    """Set in a trusted workspace only: where pylint's own configuration is looked for."""

    reads_ahead: bool = True
    """Whether modules that many files import are read in a pause."""

    search: Mapping[str, Any] | None = None
    """An `environment.Search`: the worker reads packages and version itself."""


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None when the other side has closed, also in the middle of one."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(header)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def write_message(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    body = json.dumps(message).encode()  # ASCII: lone surrogates travel as escapes
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def stamp(path: str) -> Stamp | None:
    """Of a file or folder as it is now; None when there is none. Both sides compare them."""
    try:
        status = os.stat(path)  # noqa: PTH116 - many are asked for, and a Path takes as long as the system
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size
