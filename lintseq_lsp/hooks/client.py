"""The process of a hook: it hands what the agent says to the daemon, which it starts if need be.

It starts for every edit, so it imports next to nothing: no `json`, `re`, `pathlib` or `socket`. Without Unix
sockets, or without the daemon, it does the work itself, in a second or three.
"""

import os
import sys
import time

from lintseq_lsp.hooks.channel import (
    HAS_SOCKETS,
    NO_SOCKETS,
    Reply,
    Socket,
    connect,
    place,
    read_reply,
    send_request,
)

PATIENCE = 25.0
"""Seconds until an agent goes on without an answer. Some agents end a hook after 30."""

_STARTING = 15.0
_DAEMON = "from lintseq_lsp.hooks.daemon import main; main()"
_POLL = 0.02
_TRIES = 3


def run(data: bytes, python: str = "", linters: tuple[str, ...] = (), *, daemon: bool = True) -> Reply:
    """The answer to what an agent has written, by the daemon where there can be one.

    Never raises: the agent goes on whatever happens here. `python` and `linters` are as the settings of
    these names.
    """
    try:
        folder = os.getcwd()
        if not daemon or not HAS_SOCKETS:
            return _alone(data, folder, python, linters)
        try:
            return _asked(os.fsencode(folder) + b"\0" + data, place(python, linters), (python, *linters))
        except TimeoutError:
            return 0, "", "lintseq-lsp hook: no answer in time\n"
        except OSError as error:
            status, out, err = _alone(data, folder, python, linters)
            return status, out, f"lintseq-lsp hook: without the daemon: {error}\n{err}"
    except Exception as error:  # noqa: BLE001
        return 0, "", f"lintseq-lsp hook: {error!r}\n"


def _alone(data: bytes, folder: str, python: str, linters: tuple[str, ...]) -> Reply:
    from lintseq_lsp.hooks.handler import open_handler

    handler = open_handler(python, linters, stays=False)
    try:
        answer = handler.answer(data, folder)
    finally:
        handler.close()
    return answer.status, answer.stdout, answer.stderr


def _asked(request: bytes, address: str, options: tuple[str, ...]) -> Reply:
    """Raises TimeoutError, or another OSError when there is no daemon and none can be started."""
    deadline = time.monotonic() + PATIENCE
    for _ in range(_TRIES):  # it may end, or be killed, in the middle
        connection = connect(address) or _started(address, options)
        try:
            connection.settimeout(max(deadline - time.monotonic(), 0.1))
            send_request(connection, request)
            return read_reply(connection)
        except ConnectionError:
            continue
        finally:
            connection.close()
    raise ConnectionError("the daemon ended before it answered")


def _started(address: str, options: tuple[str, ...]) -> Socket:
    """A connection with a daemon that this process, or another one, starts. Raises OSError."""
    import fcntl
    import subprocess

    if sys.platform == "win32":
        raise OSError(NO_SOCKETS)
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
                        [sys.executable, "-P", "-c", _DAEMON, address, *options],
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
