"""The linter as the gate sees it: one worker process with pylint in it, watched, restarted, closed.

Whatever goes wrong there is a `failure` report. Deliberately absent: pylint, and the choice of tiers.
"""

import contextlib
import dataclasses
import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil

from lintseq_lsp.linters.base import Check, Dependencies, Finding, Report, Tier
from lintseq_lsp.linters.environment import Environment, Search, server_site_packages
from lintseq_lsp.linters.protocol import Setup, read_message, write_message

_LOG = logging.getLogger(__name__)

MEMORY_LIMIT = 300 * 1024 * 1024
START_TIMEOUT = 30.0
LONGEST_PAUSE = 30.0
_SURGE = 1.5  # of the limit: where a check is stopped in its middle
_MOST_WARNINGS = 100
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


class PylintPool:
    """Checks with pylint in a worker process; implements `linters.base.Linter`.

    The worker starts with the first check (or `warm`), and again after it died, hung or passed
    `memory_limit` (bytes, resident). With `trusted`, the pylint configuration that pylint finds from
    `configuration_folder` counts; otherwise none does. An environment that is still to be found is
    searched for in the worker, each time that it starts: reading a workspace may take long, and more.
    """

    def __init__(
        self,
        environment: Environment | Search,
        *,
        memory_limit: int = MEMORY_LIMIT,
        start_timeout: float = START_TIMEOUT,
        trusted: bool = False,
        configuration_folder: Path | None = None,
        executable: str = sys.executable,
    ) -> None:
        configuration = str(configuration_folder) if trusted and configuration_folder else None
        if isinstance(environment, Search):
            self._setup = Setup(search=dataclasses.asdict(environment), configuration_folder=configuration)
        else:
            self._setup = Setup(
                source_roots=[str(path) for path in environment.source_roots],
                site_packages=[str(path) for path in environment.site_packages],
                python_version=environment.python_version,
                standard_library=_text(environment.standard_library),
                configuration_folder=configuration,
            )
        self._memory_limit = memory_limit
        self._start_timeout = start_timeout
        self._executable = executable
        self._waiting: deque[tuple[Check, Future[Report]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker: _Worker | None = None
        self._pause = 0.0
        self._not_before = 0.0
        self._last_failure = ""
        self._warned: set[str] = set()
        self._thread = threading.Thread(target=self._serve, name="lintseq-linter", daemon=True)
        self._thread.start()

    def submit(self, check: Check) -> Future[Report]:
        """A report for each check, in order. Until it begins, a check can be cancelled."""
        future: Future[Report] = Future()
        with self._changed:
            if not self._closed:
                self._waiting.append((check, future))
                self._changed.notify()
                return future
        future.set_result(_failed(check, "the linter is closed"))
        return future

    def warm(self) -> Future[Report]:
        """Starts the worker in advance; the report says whether that went well."""
        return self.submit(Check("", timeout=self._start_timeout))

    def process_id(self) -> int | None:
        """The worker's, None while there is none."""
        worker = self._worker
        return worker.process_id if worker else None

    def close(self) -> None:
        """Ends the worker. Checks that wait or run get a `failure` report."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            worker = self._worker
        if worker is not None:
            worker.process.kill()
        if threading.current_thread() is not self._thread:  # a callback of a report runs in it
            self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    break
                check, future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_result(self._report_safely(check))
            if self._worker and self._worker.resident() > self._memory_limit:
                _LOG.info("the linter worker has passed %d MB: restarted", self._memory_limit >> 20)
                self._stop()
                self._start()
        for check, future in self._waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(_failed(check, "the linter is closed"))
        self._stop()

    def _report_safely(self, check: Check) -> Report:
        try:
            return self._report(check)
        except Exception as error:  # noqa: BLE001 - no check may wait for ever, whatever the reason
            self._stop()
            return _failed(check, f"the linter could not be asked: {error}")

    def _report(self, check: Check) -> Report:
        start = time.perf_counter()
        failure = self._start()
        if failure is not None:
            return _failed(check, failure)
        assert self._worker is not None
        outcome = self._worker.ask(check, self._memory_limit)
        milliseconds = (time.perf_counter() - start) * 1000
        if isinstance(outcome, str):
            self._stop()
            if self._closed:
                return _failed(check, "the linter is closed", milliseconds)
            _LOG.warning("%s", outcome)
            return _failed(check, outcome, milliseconds)
        return dataclasses.replace(outcome, milliseconds=milliseconds)

    def _start(self) -> str | None:
        """Has a worker running, or tells why not; pauses, longer and longer, between vain tries."""
        if self._worker is not None:
            return None
        if time.monotonic() < self._not_before:
            return self._last_failure
        try:
            worker = _Worker(self._executable, self._setup, self._warn)
        except OSError as error:
            return self._back_off(f"the linter worker could not start: {error}")
        with self._changed:
            if self._closed:
                worker.stop()
                return "the linter is closed"
            self._worker = worker
        failure = worker.await_start(self._start_timeout)
        if failure is None:
            self._pause = 0.0
            return None
        self._stop()
        return "the linter is closed" if self._closed else self._back_off(failure)

    def _back_off(self, failure: str) -> str:
        self._pause = min(max(0.5, self._pause * 2), LONGEST_PAUSE)
        self._not_before = time.monotonic() + self._pause
        self._last_failure = failure
        _LOG.warning("%s", failure)
        return failure

    def _warn(self, line: str) -> None:
        """Logs what the worker could not read, once."""
        if line not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(line)
            _LOG.warning("%s", line)

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()


class _Worker:
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

    def ask(self, check: Check, memory_limit: int) -> Report | str:
        """The report, or why there is none; then the worker is not to be used again."""
        deadline = time.monotonic() + check.timeout
        asked = {
            "text": check.text,
            "path": check.path,
            "tier": int(check.tier),
            "indent": check.indent,
            **self._news(check),
        }
        self._questions.put(asked)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return f"timed out after {check.timeout:.1f} s"
            try:
                answer = self._answers.get(timeout=min(left, _POLL))
            except queue.Empty:
                if self.resident() > memory_limit * _SURGE:
                    return f"the check used more than {int(memory_limit * _SURGE) >> 20} MB"
                continue
            if answer is None:
                return "linter worker died"
            self._tell(answer)
            return Report(
                findings=tuple(Finding(**finding) for finding in answer["findings"]),
                tier=Tier(answer["tier"]),
                parsed=answer["parsed"],
                failure=answer["failure"],
                unknown=tuple(answer["unknown"]),
                newer=answer["newer"],
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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _failed(check: Check, failure: str, milliseconds: float = 0.0) -> Report:
    return Report(tier=check.tier, failure=failure, milliseconds=milliseconds)
