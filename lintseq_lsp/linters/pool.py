"""The linter of one environment: a queue of checks, and one or two processes with pylint that serve it.

Whatever goes wrong there is a `failure` report.
"""

import dataclasses
import logging
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.environment import Environment, Search
from lintseq_lsp.linters.process import Unfinished, WorkerProcess
from lintseq_lsp.linters.protocol import Setup

_log = logging.getLogger(__name__)

MEMORY_LIMIT = 300 * 1024 * 1024
START_TIMEOUT = 30.0
LONGEST_PAUSE = 30.0
LATE_FOR = 20.0
"""Seconds that a check may go on after its time was up: what it reads is there for the next one."""

_SLOW = 0.5  # seconds that a check runs until those of other files are done by the reserve
_RESERVE_KEPT = 60.0  # seconds that the reserve's process stays without work
_MOST_WARNINGS = 100
_POLL = 0.2  # seconds between looks at what waits behind a check


@dataclass(slots=True)
class _Waiting:
    check: Check
    future: Future[Report]
    since: float


class PylintPool:
    """Checks with pylint in worker processes; implements `linters.base.Linter`.

    The first worker starts with the first check (or `warm`), and again after it died, hung or passed
    `memory_limit` (bytes, resident). A check that is not done in time goes on for `late_for` seconds. While
    a check is slow, those of other files are done by a reserve.

    With `trusted`, the pylint configuration that pylint finds from `configuration_folder` counts;
    otherwise none does. An environment that is still to be found is searched for in the worker, each time
    that it starts: reading a workspace may take long, and more. It is read again when it has changed.
    """

    def __init__(
        self,
        environment: Environment | Search,
        *,
        memory_limit: int = MEMORY_LIMIT,
        start_timeout: float = START_TIMEOUT,
        late_for: float = LATE_FOR,
        trusted: bool = False,
        configuration_folder: Path | None = None,
        executable: str = sys.executable,
    ) -> None:
        configuration = str(configuration_folder) if trusted and configuration_folder else None
        if isinstance(environment, Search):
            self.setup = Setup(search=dataclasses.asdict(environment), configuration_folder=configuration)
        else:
            self.setup = Setup(
                source_roots=[str(path) for path in environment.source_roots],
                site_packages=[str(path) for path in environment.site_packages],
                python_version=environment.python_version,
                standard_library=str(environment.standard_library) if environment.standard_library else None,
                origin=environment.origin,
                configuration_folder=configuration,
            )
        self.memory_limit = memory_limit
        self.start_timeout = start_timeout
        self.late_for = late_for
        self.executable = executable
        self.closed = False
        self._waiting: deque[_Waiting] = deque()
        self.lock = threading.Lock()
        self._warned: set[str] = set()
        self._first = _Attendant(self, self.setup)
        self._reserve = _Attendant(self, dataclasses.replace(self.setup, reads_ahead=False))
        for attendant in (self._first, self._reserve):
            attendant.thread.start()

    def submit(self, check: Check) -> Future[Report]:
        """A report for each check, those of one file in order. Until it begins, a check can be cancelled."""
        future: Future[Report] = Future()
        with self.lock:
            if not self.closed:
                self._waiting.append(_Waiting(check, future, time.monotonic()))
                self._first.news.notify()
                if self._first.check is not None:
                    self._reserve.news.notify()
                return future
        future.set_result(failed(check, "the linter is closed"))
        return future

    def warm(self) -> Future[Report]:
        """Starts the worker in advance; the report says whether that went well."""
        return self.submit(Check("", timeout=self.start_timeout))

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        with self.lock:
            return not self._waiting and not (self._first.is_asked or self._reserve.is_asked)

    def process_id(self) -> int | None:
        """The first worker's, None while there is none."""
        worker = self._first.worker
        return worker.process_id if worker else None

    def close(self) -> None:
        """Ends the workers. Checks that wait or run get a `failure` report."""
        with self.lock:
            self.closed = True
            self._first.news.notify()
            self._reserve.news.notify()
            workers = [self._first.worker, self._reserve.worker]
            waiting, self._waiting = self._waiting, deque()
        for worker in filter(None, workers):
            worker.process.kill()
        for entry in waiting:
            if entry.future.set_running_or_notify_cancel():
                entry.future.set_result(failed(entry.check, "the linter is closed"))
        for attendant in (self._first, self._reserve):
            if threading.current_thread() is not attendant.thread:  # a callback of a report runs in it
                attendant.thread.join()

    # For the attendants

    def take(self, attendant: "_Attendant") -> _Waiting | None:
        """The next check. None when the pool is closed, or when the reserve was not wanted for long."""
        with self.lock:
            while not self.closed:
                entry, seconds = self._next(attendant)
                if entry is not None:
                    self._waiting.remove(entry)
                    return entry
                is_kept = attendant is self._reserve and attendant.worker is not None
                longest = _RESERVE_KEPT if seconds is None and is_kept else seconds
                if not attendant.news.wait(longest) and seconds is None:
                    break
        return None

    def begins(self, attendant: "_Attendant", check: Check | None) -> None:
        """Tells what is asked from now on, None for nothing."""
        with self.lock:
            attendant.check, attendant.began = check, time.monotonic()
            if check is not None and self._waiting:
                self._reserve.news.notify()

    def adopts(self, attendant: "_Attendant", worker: WorkerProcess) -> bool:
        """Whether the pool is open: `close` ends what it knows of."""
        with self.lock:
            if not self.closed:
                attendant.worker = worker
            return not self.closed

    def give_up(self, attendant: "_Attendant") -> None:
        """Answers those who have waited for too long behind a check that runs."""
        now = time.monotonic()
        with self.lock:
            late = [
                entry
                for entry in self._waiting
                if now - max(entry.since, attendant.began) > entry.check.longest_wait
            ]
            for entry in late:
                self._waiting.remove(entry)
        for entry in late:
            if entry.future.set_running_or_notify_cancel():
                seconds = entry.check.longest_wait
                why = f"the linter was busy with another check for {seconds:.1f} s"
                entry.future.set_result(failed(entry.check, why))

    def warn(self, line: str) -> None:
        """Logs what the worker could not read, once."""
        if line not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(line)
            _log.warning("%s", line)

    def _next(self, attendant: "_Attendant") -> tuple[_Waiting | None, float | None]:
        """What is to be done now, or after how many seconds to ask again: None when something changes."""
        if attendant is self._first:
            return (self._waiting[0] if self._waiting else None), None
        running = self._first.check
        others = [] if running is None else [e for e in self._waiting if e.check.path != running.path]
        if not others:
            return None, None
        left = self._first.began + _SLOW - time.monotonic()
        return (None, left) if left > 0 else (others[0], None)


class _Attendant:
    """A thread with a worker process, which is there while it is wanted."""

    def __init__(self, pool: PylintPool, setup: Setup) -> None:
        self.thread = threading.Thread(target=self._serve, name="lintseq-linter", daemon=True)
        self.news = threading.Condition(pool.lock)
        self.worker: WorkerProcess | None = None
        self.check: Check | None = None
        """What the process works on, also when nobody waits for it any more."""
        self.began = 0.0
        self.is_asked = False
        self._pool = pool
        self._setup = setup
        self._pause = 0.0
        self._not_before = 0.0
        self._last_failure = ""

    def _serve(self) -> None:
        pool = self._pool
        while True:
            entry = pool.take(self)
            if entry is None:
                self._stop()
                if pool.closed:
                    return
                continue
            self.is_asked = True
            report = self._report_safely(entry)
            self.is_asked = False
            if report is not None:
                entry.future.set_result(report)
            if self.check is not None:
                self._finish(self.check)
                pool.begins(self, None)
            if self.worker and self.worker.resident() > pool.memory_limit:
                _log.info("the linter worker has passed %d MB: restarted", pool.memory_limit >> 20)
                self._stop()
                self._start()

    def _report_safely(self, entry: _Waiting) -> Report | None:
        try:
            return self._report(entry)
        except Exception as error:  # noqa: BLE001 - no check may wait for ever, whatever the reason
            self._stop()
            return failed(entry.check, f"the linter could not be asked: {error}")

    def _report(self, entry: _Waiting) -> Report | None:
        """None when the check was cancelled."""
        start, check = time.perf_counter(), entry.check
        failure = self._start()
        if not entry.future.set_running_or_notify_cancel():
            return None
        if failure is not None:
            return failed(check, failure)
        outcome = self._asked(check)
        if outcome is Unfinished.OUTDATED:
            self._stop()
            failure = self._start()
            outcome = self._asked(check) if failure is None else failure
        milliseconds = (time.perf_counter() - start) * 1000
        if isinstance(outcome, Report):
            return dataclasses.replace(outcome, milliseconds=milliseconds)
        if outcome is Unfinished.LATE:
            return failed(check, f"timed out after {check.timeout:.1f} s", milliseconds)
        self._stop()
        if self._pool.closed:
            return failed(check, "the linter is closed", milliseconds)
        why = outcome.value if isinstance(outcome, Unfinished) else outcome
        _log.warning("%s", why)
        return failed(check, why, milliseconds)

    def _asked(self, check: Check) -> Report | Unfinished | str:
        """What comes of it within the check's time. If it is late, `check` stays what is worked on."""
        assert self.worker is not None
        self._pool.begins(self, check)
        self.worker.ask(check)
        outcome = self._awaited(check, self.began + check.timeout)
        if outcome is not Unfinished.LATE:
            self._pool.begins(self, None)
        return outcome

    def _awaited(self, check: Check, deadline: float) -> Report | Unfinished | str:
        assert self.worker is not None
        while True:
            left = deadline - time.monotonic()
            outcome = self.worker.answer(check, min(left, _POLL), self._pool.memory_limit)
            if outcome is not Unfinished.LATE or left <= _POLL:
                return outcome
            self._pool.give_up(self)

    def _finish(self, check: Check) -> None:
        """Lets a check that is late go on, for what the process reads meanwhile."""
        deadline = self.began + check.timeout + self._pool.late_for
        if self.worker is not None and not isinstance(self._awaited(check, deadline), Report):
            if not self._pool.closed:
                _log.warning("a check was given up after %.0f s", time.monotonic() - self.began)
            self._stop()

    def _start(self) -> str | None:
        """Has a worker running, or tells why not; pauses, longer and longer, between vain tries."""
        if self.worker is not None:
            return None
        if time.monotonic() < self._not_before:
            return self._last_failure
        pool = self._pool
        try:
            worker = WorkerProcess(pool.executable, self._setup, pool.warn)
        except OSError as error:
            return self._back_off(f"the linter worker could not start: {error}")
        if not pool.adopts(self, worker):
            worker.stop()
            return "the linter is closed"
        failure = worker.await_start(pool.start_timeout)
        if failure is None:
            self._pause = 0.0
            return None
        self._stop()
        return "the linter is closed" if pool.closed else self._back_off(failure)

    def _back_off(self, failure: str) -> str:
        self._pause = min(max(0.5, self._pause * 2), LONGEST_PAUSE)
        self._not_before = time.monotonic() + self._pause
        self._last_failure = failure
        _log.warning("%s", failure)
        return failure

    def _stop(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.stop()


def failed(check: Check, failure: str, milliseconds: float = 0.0) -> Report:
    return Report(tier=check.tier, failure=failure, milliseconds=milliseconds)
