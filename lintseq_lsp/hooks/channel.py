"""The Unix socket between the hooks and their daemon, in a folder of the user's alone.

Each side asks the system who the other one is. Imports next to nothing: see client.py.
"""

import _socket  # `socket` takes as long as Python itself, for what is not needed here
import binascii
import os
import struct
import sys

import lintseq_lsp

_REQUEST = struct.Struct(">I")
_REPLY = struct.Struct(">III")

Socket = _socket.socket
"""What the system has; the one of the module `socket` is one, too."""

HAS_SOCKETS = sys.platform != "win32"
"""That tell who is on the other side: those of Windows do not, and it has no user ids."""

NO_SOCKETS = "this system has no sockets that tell who is on the other side"

Reply = tuple[int, str, str]
"""Exit status, standard output, standard error."""


def place(python: str = "", linters: tuple[str, ...] = ()) -> str:
    """Where the daemon's socket is: one for each installation, environment and choice of linters.

    Raises OSError.
    """
    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
    base = os.environ.get("XDG_RUNTIME_DIR") or ""
    if not os.path.isabs(base):
        base = os.environ.get("TMPDIR") or "/tmp"
    folder = os.path.join(base, f"lintseq-lsp-{os.getuid()}")
    require_private(folder)
    installed = str(os.stat(lintseq_lsp.__file__).st_mtime_ns)  # again, perhaps, while a daemon ran
    whose = "\0".join((installed, sys.prefix, os.environ.get("VIRTUAL_ENV", ""), python, *linters))
    return os.path.join(folder, f"{binascii.crc32(os.fsencode(whose)):08x}")


def require_private(folder: str) -> None:
    """Makes the folder, for its owner alone. Raises OSError when it cannot be, or is anybody else's."""
    os.makedirs(folder, 0o700, exist_ok=True)
    status = os.lstat(folder)
    mine = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)
    if os.path.islink(folder) or not mine:
        raise OSError(f"{folder} is a folder that other users can enter")


def connect(address: str) -> Socket | None:
    """None when nobody listens there. Raises OSError when it is another user."""
    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
    connection = Socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(address)
        require_own(connection)
    except (FileNotFoundError, ConnectionError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


def require_own(connection: Socket) -> None:
    """Raises PermissionError when another user is on the other side."""
    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
    if hasattr(_socket, "SO_PEERCRED"):
        found = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        _, user, _ = struct.unpack("3i", found)
    elif sys.platform == "darwin":
        _, user = struct.unpack("II", connection.getsockopt(0, 1, 76)[:8])  # LOCAL_PEERCRED: struct xucred
    else:
        return  # the folder's mode is all there is
    if user != os.getuid():
        raise PermissionError(f"the daemon's socket belongs to the user {user}")


def send_request(connection: Socket, request: bytes) -> None:
    connection.sendall(_REQUEST.pack(len(request)) + request)


def read_request(connection: Socket) -> bytes:
    """Raises ConnectionError when the other side closed the connection."""
    return _read(connection, *_REQUEST.unpack(_read(connection, _REQUEST.size)))


def send_reply(connection: Socket, reply: Reply) -> None:
    status, out, err = reply[0], reply[1].encode(), reply[2].encode(errors="backslashreplace")
    connection.sendall(_REPLY.pack(status, len(out), len(err)) + out + err)


def read_reply(connection: Socket) -> Reply:
    """Raises ConnectionError when the other side closed the connection."""
    status, out, err = _REPLY.unpack(_read(connection, _REPLY.size))
    return status, _read(connection, out).decode(), _read(connection, err).decode()


def _read(connection: Socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError("the other side closed the connection")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
