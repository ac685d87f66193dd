"""The linter of all files: each check goes to the processes of its file's environment."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from lintseq_lsp.linters.base import Check, Report
from lintseq_lsp.linters.environment import Search
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.linters.project import project_of

MOST = 3
"""Environments that have a process at a time."""

KEPT = 600.0
"""Seconds that an environment keeps its process while only others are used."""


@dataclass(slots=True)
class _Used:
    pool: PylintPool
    at: float


class Router:
    """Implements `linters.base.Linter`. Of too many environments those that were used last stay warm.

    `folders` are the workspace's, asked for each check, in any thread. `setting` is an interpreter or an
    environment for all files. In a `trusted` workspace pylint's configuration in the folder that holds a
    file counts for it.
    """

    def __init__(
        self,
        folders: Callable[[], Sequence[Path]] = tuple,
        setting: str = "",
        *,
        memory_limit: int,
        trusted: bool = False,
        most: int = MOST,
    ) -> None:
        self._folders = folders
        self._setting = setting
        self._memory_limit = memory_limit
        self._trusted = trusted
        self._most = most
        self._pools: OrderedDict[tuple[Search, Path | None], _Used] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, check: Check) -> Future[Report]:
        """Looks at what is around the file, which takes less than a millisecond, and reads nothing."""
        folders = self._folders()
        project = project_of(
            check.path, check.text, folders=folders, setting=self._setting, texts=check.modules
        )
        configuration = self._configuration(check.path, folders) if self._trusted else None
        with self._lock:
            pool, left = self._pool(project.search, configuration)
            future = pool.submit(replace(check, around=project.around))
        for unused in left:
            unused.close()
        return future

    def warm(self, path: str = "") -> Future[Report]:
        """Starts the process of a file's environment in advance."""
        return self.submit(Check("", path, timeout=30.0))

    def process_ids(self) -> list[int]:
        with self._lock:
            ids = [used.pool.process_id() for used in self._pools.values()]
        return [number for number in ids if number is not None]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pools = [used.pool for used in self._pools.values()]
        for pool in pools:
            pool.close()

    def _pool(self, search: Search, configuration: Path | None) -> tuple[PylintPool, list[PylintPool]]:
        """The one for it, and those that are not kept any more."""
        key, now = (search, configuration), time.monotonic()
        if key not in self._pools:
            pool = PylintPool(
                search,
                memory_limit=self._memory_limit,
                trusted=self._trusted,
                configuration_folder=configuration,
            )
            if self._closed:
                pool.close()
            self._pools[key] = _Used(pool, now)
        self._pools[key].at = now
        self._pools.move_to_end(key)
        return self._pools[key].pool, [self._pools.pop(old).pool for old in self._unused(now)]

    def _unused(self, now: float) -> list[tuple[Search, Path | None]]:
        """Of those before the last one, which was just asked for."""
        old = [key for key, used in list(self._pools.items())[:-1] if now - used.at > KEPT]
        for key, used in list(self._pools.items())[:-1]:
            if len(self._pools) - len(old) > self._most and key not in old and used.pool.is_idle:
                old.append(key)
        return old

    @staticmethod
    def _configuration(path: str, folders: Sequence[Path]) -> Path | None:
        """The innermost folder of the workspace that holds the file. A text of no place is in the first."""
        if not Path(path).is_absolute():
            return folders[0] if folders else None
        holding = [folder for folder in folders if Path(path).is_relative_to(folder)]
        return max(holding, key=lambda folder: len(folder.parts), default=None)
