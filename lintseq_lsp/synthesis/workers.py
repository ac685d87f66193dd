"""Many programs at once: a thread for each worker, which waits for it.

Outcomes come as they are ready, each with the number of its program. A known difference from the reference:
the gate's linter reports every error of `compile()` as E0001, a little more than pylint itself does (a late
`from __future__` import, `f(a=1, a=2)`, …). Deliberately absent: any care for linters that hang, which
linters/pool.py has.
"""

import queue
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from lintseq_lsp.errors import LinterError, LintSeqError
from lintseq_lsp.linters.base import Check, Linter, Report
from lintseq_lsp.lintseq import Lint
from lintseq_lsp.synthesis.programs import Cost, Program, ProgramOutcome, Recipe, failed, synthesize
from lintseq_lsp.text import Document

# Some messages, such as E1111, are for modules of a .py file only. No folder: nothing to import beside it.
_MODULE = str(Path("/no-such-folder/lintseq_program.py"))
MEMORY = 1 << 30
"""Bytes of a linter's process: a corpus imports more than one editor's workspace does."""

START = 120.0
"""Seconds in which a linter's process must start: nobody waits at a screen, and the machine may be busy."""

_AHEAD = 2  # batches that are handed out for each worker: one to work on, one to be found at once
_MOST_DEATHS = 3
_PAUSES = (0.0, 1.0)  # seconds before a check that failed is tried again: a linter's process may have died


@dataclass(frozen=True, slots=True)
class Job:
    """A program with its place in the order of all, and which of its samples are wanted."""

    place: int
    program: Program
    samples: Sequence[int]


class WorkerLost(LintSeqError):  # noqa: N818 - it may come back
    """The worker died. What it was at is to be given to another one."""


class Worker(Protocol):
    """Makes sequences, one call at a time, in the thread that calls or elsewhere."""

    def await_ready(self) -> None:
        """Returns when jobs can be given. Raises `LinterError` where that will never be."""
        ...

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        """An outcome for each job. Raises `WorkerLost`."""
        ...

    def close(self) -> None:
        """In any thread: what is being made ends early."""
        ...


class LinterWorker:
    """Works in the thread that calls, with one linter, whose process does nearly all of the work."""

    def __init__(self, linter: Linter, recipe: Recipe) -> None:
        self._linter = linter
        self._recipe = recipe
        self._stopped = threading.Event()

    def await_ready(self) -> None:
        if self._recipe.linter:
            failure = self._linter.submit(Check("", timeout=START)).result().failure
            if failure is not None:
                raise LinterError(failure)

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        return [self._made(job) for job in jobs]

    def _made(self, job: Job) -> ProgramOutcome:
        start = time.monotonic()
        checks, linting = 0, 0.0

        def lint(text: str) -> Report:
            nonlocal checks, linting
            begin = time.monotonic()
            report = plain(text)
            checks, linting = checks + 1, linting + time.monotonic() - begin
            return report

        indent = Document(job.program.code[: self._recipe.max_characters]).indent
        plain = lint_with(self._linter, self._recipe.timeout, self._stopped, indent)
        outcome = synthesize(job.program, self._recipe, lint, job.samples)
        return replace(outcome, cost=Cost(checks, linting, time.monotonic() - start))

    def close(self) -> None:
        self._stopped.set()
        self._linter.close()


def lint_with(linter: Linter, seconds: float, stopped: threading.Event, indent: str = "    ") -> Lint:
    """Checks by `linter` until the time is up; from then on each is a failure.

    A check that fails is tried again: a process that was killed says nothing about the program. `indent` is
    what one level of the program's blocks is indented by.
    """
    end = time.monotonic() + seconds

    def lint(text: str) -> Report:
        late = report = Report(failure=f"not done within {seconds:g} s")
        for pause in (0.0, *_PAUSES):
            if stopped.wait(pause):
                return Report(failure="stopped")
            left = end - time.monotonic()
            if left <= 0:
                return late
            # pylint parses files with one more line end, which counts in where a syntax error at the end is.
            report = linter.submit(Check(text + "\n", _MODULE, timeout=left, indent=indent)).result()
            if report.failure is None:
                return report
        return report if time.monotonic() < end else late

    return lint


@dataclass(frozen=True, slots=True)
class _Batch:
    """`deaths` is how many workers died when they had nothing but these jobs."""

    jobs: Sequence[Job]
    deaths: int = 0


_News = tuple[_Batch, list[ProgramOutcome] | None] | Exception


def outcomes(
    jobs: Iterable[Job], workers: Sequence[Worker], *, batch: int = 1, ahead: int = 1 << 20
) -> Generator[tuple[int, ProgramOutcome]]:
    """What becomes of each job, with its place, in no order. `jobs` are taken as workers are free.

    Workers are given `batch` jobs at a time, and none of more than `ahead` places behind the first that is
    not done. A job whose worker died is given to others; that of several deaths has failed. At the end it
    closes the workers: when it is closed early, no check is waited for.
    """
    todo: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
    news: queue.SimpleQueue[_News] = queue.SimpleQueue()
    stopped = threading.Event()
    threads = [
        threading.Thread(
            target=_serve, args=(worker, todo, news, stopped), name="lintseq-worker", daemon=True
        )
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _given(iter(jobs), todo, news, len(workers), batch, ahead)
    finally:
        stopped.set()
        for worker in workers:
            worker.close()
            todo.put(None)
        for thread in threads:
            thread.join()


def _given(
    jobs: Iterable[Job],
    todo: "queue.SimpleQueue[_Batch | None]",
    news: "queue.SimpleQueue[_News]",
    workers: int,
    size: int,
    ahead: int,
) -> Generator[tuple[int, ProgramOutcome]]:
    jobs = iter(jobs)
    unfinished: dict[int, int] = {}  # places of jobs, in their order, with how many were given before
    given = batches = 0
    while True:
        while batches < _AHEAD * workers and (
            not unfinished or given - next(iter(unfinished.values())) < ahead
        ):
            some = tuple(islice(jobs, size))
            if not some:
                break
            todo.put(_Batch(some))
            batches += 1
            for job in some:
                unfinished[job.place] = given
                given += 1
        if not batches:
            return
        report = news.get()
        if isinstance(report, Exception):
            raise report
        batch, made = report
        batches -= 1
        if made is None:
            if len(batch.jobs) > 1:  # one of them may be the cause
                again = [_Batch((job,)) for job in batch.jobs]
            elif batch.deaths + 1 < _MOST_DEATHS:
                again = [_Batch(batch.jobs, batch.deaths + 1)]
            else:
                again, made = [], [_deadly(job) for job in batch.jobs]
            for part in again:
                todo.put(part)
                batches += 1
        for job, outcome in zip(batch.jobs, made or (), strict=made is not None):
            del unfinished[job.place]
            yield job.place, outcome


def _serve(
    worker: Worker,
    todo: "queue.SimpleQueue[_Batch | None]",
    news: "queue.SimpleQueue[_News]",
    stopped: threading.Event,
) -> None:
    try:
        worker.await_ready()
        while (batch := todo.get()) is not None and not stopped.is_set():
            try:
                news.put((batch, worker.make(batch.jobs)))
            except WorkerLost:
                news.put((batch, None))
                worker.await_ready()
    except Exception as error:  # noqa: BLE001 - it is raised where the outcomes are waited for
        news.put(error)


def _deadly(job: Job) -> ProgramOutcome:
    return failed(job.program, job.samples, f"its worker died {_MOST_DEATHS} times")
