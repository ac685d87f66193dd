"""The warm gate behind the hooks: it listens on a Unix socket, and ends when nobody has asked for a while."""

import contextlib
import fcntl
import os
import socket
import sys
import threading
import time
from pathlib import Path

from lintseq_lsp.hooks.channel import NO_SOCKETS, connect, read_request, require_own, send_reply
from lintseq_lsp.hooks.handler import Handler, open_handler

IDLE = 600.0
"""Seconds."""

_WAITING = 128  # connections that nobody has accepted yet
_ENDING = 5.0


def main() -> None:
    """What a hook starts: `sys.argv` has the socket, the interpreter, and the linters beside pylint."""
    address, python, *linters = sys.argv[1:]
    serve(address, open_handler(python, tuple(linters)))


def serve(address: str, handler: Handler, idle: float = IDLE) -> None:
    """Answers at the socket `address`, unless another process does, until it was idle for so many seconds.

    Closes the handler. Whoever holds the lock beside the socket is the daemon: another socket is left over.
    """
    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
    with Path(f"{address}.lock").open("w") as lock:
        if not _locked(lock.fileno(), address):
            return
        Path(address).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            os.chmod(address, 0o600)  # noqa: PTH101
            listener.listen(_WAITING)
            listener.settimeout(idle)
            try:
                _accept(listener, handler)
            finally:
                Path(address).unlink(missing_ok=True)
    handler.close()


def _locked(lock: int, address: str) -> bool:
    """Waits for a daemon that is about to end."""
    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
    deadline = time.monotonic() + _ENDING
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if (connection := connect(address)) is not None:
            connection.close()
            return False
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def _accept(listener: socket.socket, handler: Handler) -> None:
    working: list[threading.Thread] = []
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if not any(thread.is_alive() for thread in working):
                return
            continue
        working = [thread for thread in working if thread.is_alive()]
        working.append(threading.Thread(target=_answer, args=(connection, handler), daemon=True))
        working[-1].start()


def _answer(connection: socket.socket, handler: Handler) -> None:
    with connection, contextlib.suppress(OSError):  # whoever asked may be gone
        connection.settimeout(IDLE)
        require_own(connection)
        folder, _, data = read_request(connection).partition(b"\0")
        answer = handler.answer(data, os.fsdecode(folder))
        send_reply(connection, (answer.status, answer.stdout, answer.stderr))
