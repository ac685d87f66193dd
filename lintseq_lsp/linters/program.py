"""Programs of other people that judge a text: found outside of every workspace, and run within limits.

Nothing that a workspace names is executed, and a program gets neither its folder nor its configuration.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import psutil

from lintseq_lsp.linters.base import Finding

MOST_OUTPUT = 1 << 24
"""Bytes. 10,000 lines with a finding each are about 5 MB of ruff's JSON."""

_NONE: Mapping[str, str] = MappingProxyType({})
_POLL = 0.05  # seconds between looks at what the process has used
_FOREIGN = ("BASEDPYRIGHT", "CONDA", "NODE", "PYRIGHT", "PYTHON", "RUFF", "TY_", "UV_", "VIRTUAL_ENV")


class ProgramError(Exception):
    """The program has no answer; the text says why."""


class Runner:
    """Runs programs, in any thread, each with at most `memory` bytes (resident)."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(
        self, command: Sequence[str], text: str, timeout: float, variables: Mapping[str, str] = _NONE
    ) -> bytes:
        """Its standard output; `text` is its input, and `timeout` is in seconds.

        `variables` are added to its environment. Raises `ProgramError`, and OSError when it cannot be started
        or there is no room for its output.
        """
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(text.encode("utf-8", "replace"))
            given.seek(0)
            with self._lock:
                if self._closed:
                    raise ProgramError("it is closed")
                process = subprocess.Popen(
                    command,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    cwd=Path(command[0]).anchor,
                    env={**_clean_environment(), **variables},
                    process_group=0,  # an interrupt at a terminal is ours
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
                self._running.add(process)
            try:
                status = self._status(process, timeout, out, err)
            finally:
                process.kill()
                process.wait()
                with self._lock:
                    self._running.discard(process)
            out.seek(0)
            if status not in (0, 1):
                err.seek(0)
                raise ProgramError(f"it ended with the status {status}: {_last_line(err.read())}")
            return out.read()

    def close(self) -> None:
        """Ends what runs, and starts no more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()

    def _status(self, process: subprocess.Popen[bytes], timeout: float, *written: IO[bytes]) -> int:
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProgramError(f"timed out after {timeout:.1f} s")
            try:
                return process.wait(min(left, _POLL))
            except subprocess.TimeoutExpired:
                if sum(os.fstat(stream.fileno()).st_size for stream in written) > MOST_OUTPUT:
                    raise ProgramError(f"its output has more than {MOST_OUTPUT >> 20} MB") from None
                if _resident(process.pid) > self._memory:
                    raise ProgramError(f"it used more than {self._memory >> 20} MB") from None


def read_findings(out: bytes, read: Callable[[Any], Finding | None]) -> list[Finding]:
    """What `read` makes of the entries of a JSON list. Raises `ProgramError` where they have another form."""
    try:
        entries = json.loads(out)
        if not isinstance(entries, list):
            raise TypeError("a list is expected")
        return [finding for entry in entries if (finding := read(entry)) is not None]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProgramError("its output has an unknown form") from error


def find_program(name: str, workspace: Iterable[str | Path]) -> str | None:
    """Its path: beside our own Python, or from PATH and then outside of the workspace's folders."""
    folders = [Path(folder) for folder in workspace]
    own = shutil.which(name, path=str(Path(sys.executable).parent))
    if own is not None:
        return own
    for found in _on_path(name):
        places = (Path(found), Path(os.path.realpath(found)))
        if not any(place.is_relative_to(folder) for place in places for folder in folders):
            return found
    return None


def _on_path(name: str) -> Iterator[str]:
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        # Windows looks into the current folder first, whatever it is asked.
        found = shutil.which(name, path=entry) if Path(entry).is_absolute() else None
        if found is not None and Path(found).parent == Path(entry):
            yield found


def _clean_environment() -> dict[str, str]:
    """Without what steers such programs, or tells them of an environment."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}


def _resident(process: int) -> int:
    """Memory in bytes."""
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _last_line(data: bytes) -> str:
    lines = [line.strip() for line in data[-4096:].decode(errors="replace").split("\n")]
    return next((line for line in reversed(lines) if line), "without a word")
