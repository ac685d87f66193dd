"""What the linter's process does while nothing is asked."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from lintseq_lsp.linters.worker import pauses as pauses_module
from lintseq_lsp.linters.worker.pauses import Pauses

MODULES = ("os", "re", "json")


@pytest.fixture(autouse=True)
def _own_garbage() -> Iterator[None]:
    """The process's collector is as it was, whatever a test makes of it."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(pauses_module.time, "monotonic", lambda: clock[0])
    return clock


def test_modules_are_read_once_it_has_been_quiet_for_longer_than_garbage_waits(now: list[float]) -> None:
    read: list[str] = []
    pauses = Pauses(MODULES, read.append)
    quiet = pauses.patience
    assert quiet is not None
    pauses.end()
    waits = pauses.patience
    assert waits is not None
    assert 0 < waits < quiet
    now[0] += waits
    pauses.use()
    assert (read, pauses.patience) == ([], pytest.approx(quiet - waits))
    now[0] += quiet
    pauses.use()
    assert (read, pauses.patience) == (["os"], 0.0)
    pauses.end()
    pauses.use()
    assert (read, pauses.patience) == (["os"], quiet)
    now[0] += quiet
    while pauses.patience is not None:
        pauses.use()
    assert read == list(MODULES)


def test_what_is_not_read_within_seconds_waits_for_another_pause(now: list[float]) -> None:
    read: list[str] = []
    pauses = Pauses(MODULES, read.append)
    now[0] += 1
    pauses.use()
    now[0] += 4
    assert pauses.patience is None
    pauses.end()
    pauses.use()
    now[0] += 1
    assert pauses.patience == 0.0


def test_who_reads_nothing_ahead_waits_for_checks_alone() -> None:
    pauses = Pauses((), lambda _: pytest.fail("nothing is read"))
    assert pauses.patience is None
    pauses.end()
    pauses.use()
    assert pauses.patience is None


class Ring:
    """Garbage that only the collector finds, once nobody holds it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_check_leaves_is_collected() -> None:
    pauses = Pauses(MODULES, lambda _: None)
    ring = Ring()
    left = weakref.ref(ring)
    del ring
    pauses.end()
    pauses.use()
    assert left() is None


def test_what_was_to_stay_is_collected_once_much_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses_module, "_MOST_FROZEN", 1000)
    pauses = Pauses((), lambda _: None)
    pauses.keep()
    ring = Ring()
    left = weakref.ref(ring)
    pauses.end()
    pauses.use()  # has it stay, since somebody holds it
    del ring
    pauses.end()
    pauses.use()
    assert left() is not None
    more = [[Ring()] for _ in range(1000)]
    for _ in range(2):
        pauses.end()
        pauses.use()
    assert left() is None
    assert len(more) == 1000
