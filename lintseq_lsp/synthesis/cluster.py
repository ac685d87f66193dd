"""Workers on a Ray cluster, here or elsewhere. To be imported where they are wanted only: `lintseq-lsp[ray]`.

Each is an actor: a process of its own, with a linter's process beside it, that Ray starts again when it has
died, on another node if need be. What it was at then is not repeated by Ray: workers.py counts the deaths.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError, RaySystemError, RayTaskError

from lintseq_lsp.errors import LinterError
from lintseq_lsp.linters.environment import find_environment
from lintseq_lsp.linters.pool import PylintPool
from lintseq_lsp.synthesis.programs import ProgramOutcome, Recipe
from lintseq_lsp.synthesis.versions import packages_digest, versions
from lintseq_lsp.synthesis.workers import MEMORY, START, Job, LinterWorker, Worker, WorkerLost

_STORE = 256 << 20  # bytes of a cluster here: outcomes are small, and taken as they come
_PAUSE = 1.0  # seconds between questions whether a worker is there again


def software() -> dict[str, Any]:
    """What must be the same on all nodes."""
    environment = find_environment(None)
    return {**versions(environment), "packages": packages_digest(environment)}


def linter_worker(recipe: Recipe) -> Worker:
    pool = PylintPool(find_environment(None), memory_limit=MEMORY, start_timeout=START)
    return LinterWorker(pool, recipe)


@contextmanager
def actors(address: str | None, jobs: int | None, worker: Callable[[], Worker]) -> Iterator[list[Worker]]:
    """`jobs` workers on the cluster at `address`, or on one that is started here, each around what `worker`
    makes there. By default one a processor.

    Raises `LinterError` when there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            store = {"object_store_memory": _STORE, "include_dashboard": False}
            ray.init(num_cpus=jobs, **store, **quiet)
        else:
            _knock(address)
            ray.init(address, **quiet)
    except Exception as error:  # Ray has bare ones for a start that fails
        raise LinterError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
    try:
        number = jobs or int(ray.cluster_resources().get("CPU", 1))
        options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        actor = ray.remote(**options)(_Actor)
        expected = software()
        yield [_RemoteWorker(actor.remote(worker, expected)) for _ in range(number)]
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray would try for long, and end the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


class _Actor:
    """On a node. Restarts begin with a new object."""

    def __init__(self, worker: Callable[[], Worker], expected: Mapping[str, Any]) -> None:
        self._make_worker, self._expected = worker, expected
        self._worker: Worker | None = None

    def await_ready(self) -> None:
        """Raises `LinterError` where the node has other software, or no linter starts."""
        if self._worker is None:
            found = software()
            for name, value in self._expected.items():
                if found[name] != value:
                    node = ray.util.get_node_ip_address()
                    raise LinterError(f"node {node} has {name} {found[name]!r}, not {value!r}")
            worker = self._make_worker()
            worker.await_ready()
            self._worker = worker

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        self.await_ready()
        assert self._worker is not None
        return self._worker.make(jobs)


class _RemoteWorker:
    """An actor, from the driver. See `workers.Worker`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._closed = threading.Event()

    def await_ready(self) -> None:
        while not self._closed.is_set():
            try:
                self._answer(self._actor.await_ready.remote())
            except WorkerLost:
                self._closed.wait(_PAUSE)
            else:
                return

    def make(self, jobs: Sequence[Job]) -> list[ProgramOutcome]:
        made: list[ProgramOutcome] = self._answer(self._actor.make.remote(jobs))
        return made

    def close(self) -> None:
        self._closed.set()
        ray.kill(self._actor)

    def _answer(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, LinterError):
                raise error.cause from error
            raise
        except RaySystemError:  # the cluster itself
            raise
        except RayError as error:
            raise WorkerLost(str(error)) from error
