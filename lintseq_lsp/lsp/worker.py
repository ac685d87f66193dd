"""The one thread in which the engine is loaded and runs, and the queue in front of it."""

import asyncio
import contextlib
import itertools
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Any, Generic, TypeVar

from lintseq_lsp.errors import Cancelled, LintSeqError, Pending
from lintseq_lsp.lsp.engine import Engine, IsCancelled
from lintseq_lsp.text import Document

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
Work = Callable[[Engine, IsCancelled], _T]

PATIENCE = 0.05
"""Seconds that the thread waits for the linter, which has most reports ready by then."""


class Priority(IntEnum):
    """What goes first when several jobs wait. A job that runs is not interrupted by another one, but makes
    room for it while the linter is busy.
    """

    STOP = 0
    LOAD = 1
    INLINE = 2
    NEXT_EDIT = 3
    DEMAND = 4
    IDLE = 5


class Superseded(Exception):  # noqa: N818 - not an error
    """A newer job took the slot."""


class NoModel(LintSeqError):  # noqa: N818 - a state of the server
    """There is no engine, since its model could not be loaded or nothing is to be suggested."""


@dataclass(order=True, slots=True)
class _Job:
    priority: Priority
    number: int
    work: Callable[[IsCancelled], Any] = field(compare=False)
    done: asyncio.Future[Any] = field(compare=False)
    cancelled: threading.Event = field(compare=False, default_factory=threading.Event)
    awaited: Future[Any] | None = field(compare=False, default=None)
    """What it cannot go on without."""

    def give_up(self) -> None:
        self.cancelled.set()
        if self.awaited is not None:
            self.awaited.cancel()


class Worker:
    """Runs jobs one by one, from the first `load` on. All methods belong to the event loop's thread.

    `on_busy` hears in that thread when a job other than idle work begins, and when the last has ended.
    """

    def __init__(self, on_busy: Callable[[bool], None]) -> None:
        self.engine: Engine | None = None
        self._loop = asyncio.get_running_loop()
        self._queue: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._slots: dict[Hashable, _Job] = {}
        self._pending: set[int] = set()
        self._early: list[_Job] | None = []
        self._on_busy = on_busy
        self._thread = threading.Thread(target=self._serve, name="inference", daemon=True)
        self._thread.start()

    async def load(self, open_engine: Callable[[Engine | None], Engine]) -> None:
        """Replaces the engine. `open_engine` gets the one before, to close it or to take it over.

        Raises what `open_engine` raises; then there is none.
        """
        try:
            await self._run(Priority.LOAD, lambda _: self._load(open_engine))
        finally:
            early, self._early = self._early, None
            for job in early or ():
                self._queue.put(job)

    async def run(
        self,
        priority: Priority,
        work: Work[_T],
        *,
        linted: tuple[Document, int | None] | None = None,
        meanwhile: Work[None] | None = None,
        slot: Hashable = None,
        delay: float = 0.0,
    ) -> _T:
        """The result of `work`. It supersedes an unfinished job with the same `slot`.

        `linted` is a document, and the line that is typed in it, which is linted first. `meanwhile` is done
        until the report is there or another job waits; when that takes long, other jobs run. `delay`
        (seconds) passes before the job is queued. Raises `Superseded` or `NoModel`. When the caller is
        cancelled, so is the job.
        """

        def begin(cancelled: IsCancelled) -> _T:
            engine = self._ready()
            if linted is not None:
                if meanwhile is not None:
                    self._lint(engine, linted, meanwhile, cancelled)
                engine.lint(*linted, patience=PATIENCE)
            return work(engine, cancelled)

        result: _T = await self._run(priority, begin, slot, delay)
        return result

    @property
    def is_wanted(self) -> bool:
        """Whether a job other than idle work waits. May be asked in any thread."""
        with self._queue.mutex:
            return bool(self._queue.queue) and self._queue.queue[0].priority is not Priority.IDLE

    def supersede(self, slot: Hashable) -> None:
        """Ends the unfinished job of `slot`, if there is one."""
        if (job := self._slots.pop(slot, None)) is not None:
            job.give_up()
            if not job.done.done():
                job.done.set_exception(Superseded())

    def cancel_all(self) -> None:
        for slot in list(self._slots):
            self.supersede(slot)

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Ends the engine and the thread, as far as that is possible within `timeout` seconds."""
        self.cancel_all()
        self._queue.put(_Job(Priority.STOP, next(self._numbers), _nothing, self._loop.create_future()))
        await asyncio.to_thread(self._thread.join, timeout)

    async def _run(
        self,
        priority: Priority,
        work: Callable[[IsCancelled], Any],
        slot: Hashable = None,
        delay: float = 0.0,
    ) -> Any:
        job = _Job(priority, next(self._numbers), work, self._loop.create_future())
        if slot is not None:
            self.supersede(slot)
            self._slots[slot] = job
        if priority is not Priority.IDLE:
            self._begun(job)
        timer = self._loop.call_later(delay, self._put, job)
        if delay <= 0:
            timer.cancel()
            self._put(job)
        try:
            return await job.done
        finally:
            job.give_up()
            timer.cancel()
            if self._slots.get(slot) is job:
                del self._slots[slot]
            self._ended(job)

    def _put(self, job: _Job) -> None:
        if self._early is not None and job.priority is not Priority.LOAD:
            self._early.append(job)
        else:
            self._queue.put(job)

    def _begun(self, job: _Job) -> None:
        self._pending.add(job.number)
        if len(self._pending) == 1:
            self._on_busy(True)

    def _ended(self, job: _Job) -> None:
        if job.number in self._pending:
            self._pending.remove(job.number)
            if not self._pending:
                self._on_busy(False)

    # In the thread

    def _serve(self) -> None:
        while (job := self._queue.get()).priority is not Priority.STOP:
            if job.cancelled.is_set():
                continue
            try:
                self._post(job.done, job.work(job.cancelled.is_set), None)
            except Pending as pending:
                job.awaited = pending.future
                pending.future.add_done_callback(partial(self._resume, job))
            except Exception as error:  # noqa: BLE001 - the thread outlives its jobs; the caller gets it
                self._post(job.done, None, error)
        self._unload()

    def _lint(
        self,
        engine: Engine,
        linted: tuple[Document, int | None],
        meanwhile: Work[None],
        cancelled: IsCancelled,
    ) -> None:
        """Does `meanwhile` until the report is there. Raises `Pending` when the thread is wanted before."""
        try:
            engine.lint(*linted, patience=0.0)
        except Pending as pending:
            report = pending.future

            def stop() -> bool:
                return cancelled() or report.done() or self.is_wanted

            with contextlib.suppress(Cancelled):
                meanwhile(engine, stop)
            if stop() and not report.done():
                raise

    def _resume(self, job: _Job, _: Future[Any]) -> None:
        self._queue.put(job)

    def _post(self, done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, done, result, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            _log.debug("a job ended after the server")

    def _ready(self) -> Engine:
        if self.engine is None:
            raise NoModel
        return self.engine

    def _load(self, open_engine: Callable[[Engine | None], Engine]) -> None:
        before, self.engine = self.engine, None
        self.engine = open_engine(before)

    def _unload(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()


class Stream(Generic[_T]):
    """What a job yields, while it runs. `stop()` ends it from outside, quietly."""

    _END = object()

    def __init__(
        self, worker: Worker, work: Work[Iterator[_T]], *, linted: Document, slot: Hashable = None
    ) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def pump(engine: Engine, cancelled: IsCancelled) -> None:
            for item in work(engine, cancelled):
                loop.call_soon_threadsafe(self._items.put_nowait, item)

        self._job = asyncio.ensure_future(worker.run(Priority.DEMAND, pump, linted=(linted, None), slot=slot))
        self._job.add_done_callback(self._ended)
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self._job.cancel()

    async def __aiter__(self) -> AsyncIterator[_T]:
        """Raises what the job raised, unless it was stopped."""
        try:
            while (item := await self._items.get()) is not self._END:
                if not self.stopped:
                    yield item
            if not self.stopped:
                self._job.result()
        finally:
            self._job.cancel()

    def _ended(self, job: asyncio.Future[None]) -> None:
        if not job.cancelled():
            job.exception()  # seen: who iterates raises it, and who stopped does not want it
        self._items.put_nowait(self._END)


def _settle(done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)


def _nothing(_cancelled: IsCancelled) -> None:
    """The work of the job that ends the thread: it is never called."""
