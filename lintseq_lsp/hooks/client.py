"""The process of a hook: it hands what the agent says to the daemon, which it starts if need be.

It starts for every edit, so it imports next to nothing: no `json`, `re` or `pathlib`. The daemon listens on
a Unix socket in a folder of the user's alone; each side asks the system who the other one is. Without such
sockets, or without the daemon, this process does the work itself, in a second or three.
"""

import binascii
import os
import socket
import struct
import sys
import time

from lintseq_lsp import __version__

PATIENCE = 25.0
"""Seconds until an agent goes on without an answer. Some agents end a hook after 30."""

_STARTING = 15.0
_DAEMON = "from lintseq_lsp.hooks.daemon import main; main()"
_POLL = 0.02
_TRIES = 3
_REQUEST = struct.Struct(">I")
_REPLY = struct.Struct(">III")

Reply = tuple[int, str, str]
"""Exit status, standard output, standard error."""


def run(data: bytes, python: str = "", *, daemon: bool = True) -> Reply:
    """The answer to what an agent has written, by the daemon where there can be one.

    Never raises: the agent goes on whatever happens here. `python` is as the setting of that name.
    """
    try:
        folder = os.getcwd()
        if not daemon or not hasattr(socket, "AF_UNIX"):
            return _alone(data, folder, python)
        try:
            return _asked(os.fsencode(folder) + b"\0" + data, place(python), python)
        except TimeoutError:
            return 0, "", "lintseq-lsp hook: no answer in time\n"
        except OSError as error:
            status, out, err = _alone(data, folder, python)
            return status, out, f"lintseq-lsp hook: without the daemon: {error}\n{err}"
    except Exception as error:  # noqa: BLE001
        return 0, "", f"lintseq-lsp hook: {error!r}\n"


def _alone(data: bytes, folder: str, python: str) -> Reply:
    from lintseq_lsp.hooks.handler import open_handler

    handler = open_handler(python)
    try:
        answer = handler.answer(data, folder)
    finally:
        handler.close()
    return answer.status, answer.stdout, answer.stderr


def place(python: str = "") -> str:
    """Where the daemon's socket is: one for each installation and environment. Raises OSError."""
    base = os.environ.get("XDG_RUNTIME_DIR") or ""
    if not os.path.isabs(base):
        base = os.environ.get("TMPDIR") or "/tmp"
    folder = os.path.join(base, f"lintseq-lsp-{os.getuid()}")
    require_private(folder)
    whose = "\0".join((__version__, sys.prefix, os.environ.get("VIRTUAL_ENV", ""), python))
    return os.path.join(folder, f"{binascii.crc32(os.fsencode(whose)):08x}")


def require_private(folder: str) -> None:
    """Makes the folder, for its owner alone. Raises OSError when it cannot be, or is anybody else's."""
    os.makedirs(folder, 0o700, exist_ok=True)
    status = os.lstat(folder)
    mine = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)
    if os.path.islink(folder) or not mine:
        raise OSError(f"{folder} is not a folder for its owner alone")


def connect(address: str) -> socket.socket | None:
    """None when nobody listens there. Raises OSError when it is another user."""
    connection = socket.socket(socket.AF_UNIX)
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


def require_own(connection: socket.socket) -> None:
    """Raises PermissionError when another user is on the other side."""
    if hasattr(socket, "SO_PEERCRED"):
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, user, _ = struct.unpack("3i", found)
    elif sys.platform == "darwin":
        _, user = struct.unpack("II", connection.getsockopt(0, 1, 76)[:8])  # LOCAL_PEERCRED: struct xucred
    else:
        return  # the folder's mode is all there is
    if user != os.getuid():
        raise PermissionError(f"the daemon's socket belongs to the user {user}")


def send_request(connection: socket.socket, request: bytes) -> None:
    connection.sendall(_REQUEST.pack(len(request)) + request)


def read_request(connection: socket.socket) -> bytes:
    """Raises ConnectionError when the other side has closed."""
    return _read(connection, *_REQUEST.unpack(_read(connection, _REQUEST.size)))


def send_reply(connection: socket.socket, reply: Reply) -> None:
    status, out, err = reply[0], reply[1].encode(), reply[2].encode(errors="backslashreplace")
    connection.sendall(_REPLY.pack(status, len(out), len(err)) + out + err)


def read_reply(connection: socket.socket) -> Reply:
    """Raises ConnectionError when the other side has closed."""
    status, out, err = _REPLY.unpack(_read(connection, _REPLY.size))
    return status, _read(connection, out).decode(), _read(connection, err).decode()


def _read(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError("the other side has closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _asked(request: bytes, address: str, python: str) -> Reply:
    """Raises TimeoutError, or another OSError when there is no daemon and none can be started."""
    deadline = time.monotonic() + PATIENCE
    for _ in range(_TRIES):  # it may end, or be killed, in the middle
        connection = connect(address) or _started(address, python)
        with connection:
            connection.settimeout(max(deadline - time.monotonic(), 0.1))
            try:
                send_request(connection, request)
                return read_reply(connection)
            except ConnectionError:
                continue
    raise ConnectionError("the daemon ends before it answers")


def _started(address: str, python: str) -> socket.socket:
    """A connection with a daemon that this process, or another one, starts. Raises OSError."""
    import fcntl
    import subprocess

    deadline = time.monotonic() + _STARTING
    process = None
    with open(f"{address}.start", "w") as lock:
        while time.monotonic() < deadline:
            if process is None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of many hooks, one starts it
                except BlockingIOError:
                    pass
                else:
                    process = subprocess.Popen(
                        [sys.executable, "-P", "-c", _DAEMON, address, python],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        cwd="/",
                        start_new_session=True,
                    )
            if (connection := connect(address)) is not None:
                return connection
            if process is not None and process.poll():
                raise ChildProcessError(f"the daemon ended with the status {process.returncode}")
            time.sleep(_POLL)
    raise ConnectionError(f"the daemon did not start within {_STARTING:.0f} s")
