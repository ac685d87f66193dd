"""A linter's process as the pool sees it: started, asked, listened to, ended."""

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import psutil

from lintseq_lsp.linters.base import Check, Dependencies, Doubted, Finding, Report, Tier
from lintseq_lsp.linters.environment import server_site_packages
from lintseq_lsp.linters.protocol import Setup, read_message, write_message

_SURGE = 1.5  # of the limit: where a check is stopped in its middle
_POLL = 0.2  # seconds between looks at the worker's memory while it works

# -I: no PYTHON* variables, no user site, nothing of the working directory. -S: no .pth, no sitecustomize.
# Our own package is imported from its folder, which then leaves the path: it may be a checkout.
# site's `exit` and the like are wanted all the same: they are names that the code may use.
_BOOT = """\
import json, site, sys
site.setquit(); site.setcopyright(); site.sethelper()
own, package = json.loads(sys.argv[1])
standard = list(sys.path)
sys.path += [*own, package]
import lintseq_lsp.linters
sys.path[:] = [*standard, *own]
from lintseq_lsp.linters.worker.main import main
main(standard, own)
"""


class Unfinished(Enum):
    """Why there is no report, though nothing is wrong."""

    LATE = "the check goes on"
    OUTDATED = "the environment is another one by now: another process is to be asked"


class WorkerProcess:
    """A process and two threads on its pipes, which cannot be waited for with a time-out everywhere."""

    def __init__(self, executable: str, setup: Setup, warn: Callable[[str], None]) -> None:
        """Raises OSError when there is no such executable."""
        own = [str(path) for path in server_site_packages()]
        package = str(Path(__file__).resolve().parents[2])
        self._warn = warn
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._modules: dict[str, str | None] = {}  # what the process has been told of
        self._dependencies = Dependencies()
        with tempfile.TemporaryFile() as complaints:
            self.process = subprocess.Popen(
                [executable, "-I", "-S", "-c", _BOOT, json.dumps([own, package])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=Path(executable).anchor or None,
                env=_clean_environment(),
                start_new_session=True,  # an interrupt at the server's terminal is the server's
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            self.process_id = self.process.pid
            self._complaints = os.fdopen(os.dup(complaints.fileno()), "rb")
        self._threads = [
            threading.Thread(target=target, name="lintseq-linter-pipe", daemon=True)
            for target in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        self._questions.put(dataclasses.asdict(setup))

    def await_start(self, timeout: float) -> str | None:
        """None when the worker is ready, else why it is not."""
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            return f"the linter worker did not start within {timeout:.0f} s"
        if answer is None:
            return f"the linter worker could not start: {self._last_complaint()}"
        self.process_id = answer["process"]  # another one than we started where that is a launcher (Windows)
        self._tell(answer)
        failure: str | None = answer["failure"]
        return failure

    def ask(self, check: Check) -> None:
        """Begins a check. The one before must have ended."""
        self._questions.put(
            {
                "text": check.text,
                "path": check.path,
                "tier": int(check.tier),
                "indent": check.indent,
                "partial": check.partial,
                "reach": check.reach,
                "around": check.around and dataclasses.astuple(check.around),
                **self._news(check),
            }
        )

    def answer(self, check: Check, seconds: float, memory_limit: int) -> Report | Unfinished | str:
        """The report on what was asked, as soon as it is there, or what it is instead after `seconds`.

        A text says why there is none; then the worker is not to be used again.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return Unfinished.LATE
            try:
                answer = self._answers.get(timeout=min(left, _POLL))
            except queue.Empty:
                if self.resident() > memory_limit * _SURGE:
                    return f"the check used more than {int(memory_limit * _SURGE) >> 20} MB"
                continue
            if answer is None:
                return "linter worker died"
            if answer.get("outdated"):
                return Unfinished.OUTDATED
            self._tell(answer)
            return Report(
                findings=tuple(Finding(**finding) for finding in answer["findings"]),
                tier=Tier(answer["tier"]),
                parsed=answer["parsed"],
                failure=answer["failure"],
                unknown=tuple(
                    Doubted(Finding(**each["finding"]), each["reason"], each["causes"])
                    for each in answer["unknown"]
                ),
                newer=answer["newer"],
                partial=answer["partial"],
                dependencies=self._read_of(check, answer["files"], answer["read"]),
            )

    def _news(self, check: Check) -> dict[str, Any]:
        """What the process does not know yet of modules other than the one that is checked."""
        told = {path: text for path, text in check.modules.items() if self._is_news(path, text)}
        dropped = [path for path in self._modules if path not in check.modules and path != check.path]
        self._modules.update(told)
        for path in dropped:
            del self._modules[path]
        return {"modules": told, "dropped": dropped}

    def _is_news(self, path: str, text: str | None) -> bool:
        return path not in self._modules or self._modules[path] != text

    def _read_of(self, check: Check, files: dict[str, list[int] | None], read: list[str]) -> Dependencies:
        """One value for many reports: they are kept, and most depend on the same files."""
        stamps = {path: (known[0], known[1]) if known else None for path, known in files.items()}
        texts = {path: check.modules[path] for path in read if path in check.modules}
        found = Dependencies(stamps, texts, frozenset(check.modules))
        if found != self._dependencies:
            self._dependencies = found
        return self._dependencies

    def _tell(self, answer: Mapping[str, Any]) -> None:
        for line in answer["warnings"]:
            self._warn(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._questions.put(None)
        for thread in self._threads:
            thread.join()
        self._complaints.close()

    def _write(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError), self.process.stdin as stream:
            while (message := self._questions.get()) is not None:
                write_message(stream, message)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            while (message := read_message(stream)) is not None:
                self._answers.put(message)
        self._answers.put(None)

    def resident(self) -> int:
        """Memory in bytes."""
        try:
            return int(psutil.Process(self.process_id).memory_info().rss)
        except psutil.Error:
            return 0

    def _last_complaint(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")


def _clean_environment() -> dict[str, str]:
    """The environment without what steers Python, pylint or pyflakes."""
    foreign = ("PYTHON", "PYLINT", "PYFLAKES", "__PYVENV")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
