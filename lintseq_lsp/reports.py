"""What the linter says of texts: known, begun for somebody who waits no longer, or failed not long ago.

Deliberately absent: what follows from a report (gate.py).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar, overload

from lintseq_lsp.errors import Cancelled
from lintseq_lsp.linters.base import Dependencies, Report, Tier

_K = TypeVar("_K")
_T = TypeVar("_T")

Key = tuple[str, str, Tier, str]
"""What a report is about: path, text, tier, unit of indentation."""

_MOST = 64


@overload
def wait(future: Future[_T], cancelled: Callable[[], bool]) -> _T: ...
@overload
def wait(future: Future[_T], cancelled: Callable[[], bool], seconds: float) -> _T | None: ...
def wait(future: Future[_T], cancelled: Callable[[], bool], seconds: float = math.inf) -> _T | None:
    """What the linter's process computes, as soon as it is there. Raises `Cancelled` within 20 ms.

    None when it is not there though it has been worked on for so many `seconds` while this waited.
    """
    end = math.inf
    while True:
        try:
            return future.result(timeout=0.02)
        except TimeoutError:
            if cancelled():
                raise Cancelled from None
        if future.running():
            end = min(end, time.monotonic() + seconds)
        if time.monotonic() > end:
            return None


@dataclass(frozen=True, slots=True)
class _Failed:
    report: Report
    until: float
    """When it may be tried again."""


@dataclass
class Reports:
    """The last ones, by what they are about."""

    _known: OrderedDict[Key, Report] = field(default_factory=OrderedDict)
    _begun: OrderedDict[Key, Future[Report]] = field(default_factory=OrderedDict)
    _failed: OrderedDict[str, _Failed] = field(default_factory=OrderedDict)

    def of(
        self,
        key: Key,
        check: Callable[[], Future[Report]],
        holds: Callable[[Dependencies], bool],
        cancelled: Callable[[], bool],
        seconds: float,
    ) -> Report:
        """The report on `key`, which `check` asks for where none is known that still `holds`.

        A failure after so many `seconds`; the linter goes on then, and so it does when `cancelled`, and who
        asks next finds what has come of it. A file that failed twice is left alone for ten times as long as
        it took: whatever is wrong with it, it costs a tenth of a processor. Raises `Cancelled`.
        """
        known = self._known.get(key)
        if known is not None and holds(known.dependencies):
            return known
        failed = self._failed.get(key[0])
        if failed is not None and time.monotonic() < failed.until:
            return failed.report
        future = self._begun.pop(key, None)
        if future is None or (future.done() and not holds(future.result().dependencies)):
            future = check()
        try:
            report = wait(future, cancelled, seconds)
        except Cancelled:
            if not future.cancel():
                _remember(self._begun, key, future)
            raise
        if report is None:
            _remember(self._begun, key, future)
            return Report(failure=f"the linter is still busy with the file after {seconds:.1f} s")
        if report.failure is None:
            self._failed.pop(key[0], None)
            _remember(self._known, key, report)
        else:
            pause = 10 * report.milliseconds / 1000 if failed else 0.0
            _remember(self._failed, key[0], _Failed(report, time.monotonic() + pause))
        return report


def _remember(memory: "OrderedDict[_K, _T]", key: _K, value: _T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _MOST:
        memory.popitem(last=False)
