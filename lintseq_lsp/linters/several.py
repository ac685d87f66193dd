"""Pylint, and other linters beside it: what any of them finds counts.

Deliberately absent: what makes a finding new (verdicts.py), and how each is asked (ruff.py, ty.py).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from lintseq_lsp.linters.base import Check, Finding, Linter, Report, Tier
from lintseq_lsp.linters.program import ProgramError, Runner, find_program
from lintseq_lsp.linters.project import Project, project_of
from lintseq_lsp.linters.ruff import Ruff
from lintseq_lsp.linters.ty import Ty

_log = logging.getLogger(__name__)


class Adapter(Protocol):
    """How one linter is asked. `name` is also its program's."""

    name: str
    reads_modules: bool
    """Whether what it finds depends on those that the text leads to."""

    def is_rule(self, rule: str) -> bool:
        """Whether a text may be one of its rules."""
        ...

    def findings(
        self, program: str, rules: tuple[str, ...], check: Check, project: Project, runner: Runner
    ) -> list[Finding]:
        """What of `rules` (without any, of the errors) it finds. Raises `ProgramError` or OSError."""
        ...


ADAPTERS: tuple[Adapter, ...] = (Ruff(), Ty())


@dataclass(frozen=True, slots=True)
class Chosen:
    """A linter that is wanted, and which of its rules count: none for those that mean an error."""

    adapter: Adapter
    rules: tuple[str, ...] = ()


def choose(values: Sequence[str]) -> tuple[list[Chosen], list[str]]:
    """Those that are named, as `ruff` or `ruff=F,B006`, and what is no linter's name. A later one counts."""
    known = {adapter.name: adapter for adapter in ADAPTERS}
    chosen: dict[str, Chosen] = {}
    unknown = []
    for value in values:
        name, equals, rules = value.partition("=")
        wanted = tuple(rule.strip() for rule in rules.split(",")) if equals else ()
        adapter = known.get(name.strip())
        if adapter is not None and all(map(adapter.is_rule, wanted)):
            chosen[adapter.name] = Chosen(adapter, wanted)
        else:
            unknown.append(value)
    return list(chosen.values()), unknown


def missing(values: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """A sentence for each linter that is named and not installed outside of the workspace's folders."""
    names = [chosen.adapter.name for chosen in choose(values)[0]]
    return [_missing(name) for name in names if find_program(name, folders) is None]


def _missing(name: str) -> str:
    where = "beside lintseq-lsp, nor on PATH outside of the workspace"
    return f"{name} is not installed {where}: it judges nothing"


class Several:
    """Implements `linters.base.Linter`: `first` is pylint's, and says what parses; the others come on top.

    `folders` and `setting` are as for the router. Of a linter that is not installed it is told once, also
    in `absent`, and it judges nothing; one that fails is a `failure`. Each program may use `memory` bytes.
    What pylint itself does not look at is not shown to the others.
    """

    def __init__(
        self,
        first: Linter,
        others: Sequence[Chosen],
        folders: Callable[[], Sequence[Path]] = tuple,
        setting: str = "",
        *,
        memory: int,
    ) -> None:
        self.absent: list[str] = []
        self._lock = threading.Lock()
        self._first = first
        self._others = others
        self._folders = folders
        self._setting = setting
        self._runner = Runner(memory)
        self._threads = ThreadPoolExecutor(max(2, len(others)), "lintseq-other-linter")

    def submit(self, check: Check) -> Future[Report]:
        reach = any(chosen.adapter.reads_modules for chosen in self._others)
        report = self._first.submit(replace(check, reach=reach))
        if check.tier < Tier.NAMES or not check.text.strip():
            return report
        try:
            others = [self._threads.submit(self._ask, chosen, check) for chosen in self._others]
        except RuntimeError:  # it is closed, and so is the first
            return report
        return _Joined(report, others).future

    def close(self) -> None:
        self._runner.close()
        self._threads.shutdown(wait=False, cancel_futures=True)  # a callback of a report may run in one
        self._first.close()

    def _ask(self, chosen: Chosen, check: Check) -> Report:
        """What one of them has to say. Never raises; `also` is empty when it is not installed."""
        start, name = time.perf_counter(), chosen.adapter.name
        try:
            folders = self._folders()
            project = project_of(
                check.path, check.text, folders=folders, setting=self._setting, texts=check.modules
            )
            program = find_program(name, [*folders, *project.around.projects])
            if program is None:
                self._miss(name)
                return Report()
            found = chosen.adapter.findings(program, chosen.rules, check, project, self._runner)
        except (ProgramError, OSError) as error:
            return Report(failure=f"{name}: {error}", milliseconds=_since(start))
        except Exception as error:  # noqa: BLE001 - no check may wait for ever, whatever the reason
            return Report(failure=f"{name}: {error!r}", milliseconds=_since(start))
        return Report(found, also=(name,), milliseconds=_since(start))

    def _miss(self, name: str) -> None:
        said = _missing(name)
        with self._lock:  # the threads of two checks may miss it at once
            if said in self.absent:
                return
            self.absent.append(said)
        _log.warning("%s", said)


@dataclass
class _Joined:
    """One future for the reports of all, done when they are. Cancelled, it cancels what has not begun."""

    first: Future[Report]
    others: Sequence[Future[Report]]
    future: Future[Report] = field(default_factory=Future)

    def __post_init__(self) -> None:
        self._left = 1 + len(self.others)
        self._is_settled = False
        self._lock = threading.Lock()
        for each in (self.first, *self.others):
            each.add_done_callback(self._one_is_done)
        self.future.add_done_callback(self._cancel)

    def _one_is_done(self, done: Future[Report]) -> None:
        with self._lock:
            self._left -= 1
            if self._is_settled or (self._left and not (done is self.first and _decides(done))):
                return
            self._is_settled = True
        if self.first.cancelled():
            self.future.cancel()
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self._report())
            except BaseException as error:  # noqa: BLE001 - against the protocol; nobody may wait for ever
                self.future.set_exception(error)

    def _report(self) -> Report:
        if _decides(self.first):
            return self.first.result()
        closed = Report(failure="the linter is closed")
        return joined(
            self.first.result(), [closed if other.cancelled() else other.result() for other in self.others]
        )

    def _cancel(self, future: Future[Report]) -> None:
        if future.cancelled():
            for each in (self.first, *self.others):
                each.cancel()


def _decides(first: Future[Report]) -> bool:
    """Whether it does not matter what the others have to say."""
    if first.cancelled() or first.exception() is not None:
        return True
    return bool(first.result().failure) or not first.result().parsed


def joined(first: Report, others: Sequence[Report]) -> Report:
    """What `first` found, and what the others did."""
    return replace(
        first,
        findings=(*first.findings, *(finding for other in others for finding in other.findings)),
        failure=next((other.failure for other in others if other.failure), None),
        milliseconds=max(each.milliseconds for each in (first, *others)),
        also=tuple(name for other in others for name in other.also),
    )


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
