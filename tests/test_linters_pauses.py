"""What the linter's process does while nothing is asked."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from lintseq_lsp.linters.worker.pauses import PRELOADED, Pauses


@pytest.fixture(autouse=True)
def _own_garbage() -> Iterator[None]:
    """The process's collector is as it was, whatever a test makes of it."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_modules_are_read_once_it_has_been_quiet_for_longer_than_garbage_waits() -> None:
    read: list[str] = []
    pauses = Pauses(read.append, lambda: 0)
    quiet = pauses.patience
    assert quiet is not None
    pauses.end()
    assert 0 < (pauses.patience or 0) < quiet
    pauses.use()
    assert (read, pauses.patience) == ([], quiet)
    pauses.use()
    assert (read, pauses.patience) == ([PRELOADED[0]], 0.0)


def test_a_check_ends_the_quiet_and_at_the_end_there_is_nothing_to_do() -> None:
    read: list[str] = []
    pauses = Pauses(read.append, lambda: 0)
    quiet = pauses.patience
    pauses.use()
    pauses.end()
    pauses.use()
    assert (read, pauses.patience) == ([PRELOADED[0]], quiet)
    while pauses.patience is not None:
        pauses.use()
    assert read == list(PRELOADED)


class Ring:
    """Garbage that only the collector finds, once nobody holds it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_check_leaves_is_collected() -> None:
    pauses = Pauses(lambda _: None, lambda: 0)
    ring = Ring()
    left = weakref.ref(ring)
    del ring
    pauses.end()
    pauses.use()
    assert left() is None


def test_what_was_to_stay_is_collected_once_modules_were_let_go() -> None:
    dropped = 0
    pauses = Pauses(lambda _: None, lambda: dropped)
    ring = Ring()
    left = weakref.ref(ring)
    pauses.use()  # reads a module
    del ring
    pauses.end()
    pauses.use()
    assert left() is not None
    dropped = 1000
    pauses.end()
    pauses.use()
    assert left() is None
