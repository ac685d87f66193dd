"""What the linter's process does while nothing is asked: it collects its garbage, and reads ahead.

What was read of modules is most of the memory, and stays. To look through it takes up to 0.2 s, as long as
a check of a thousand lines; so it is left out (frozen) as soon as there is a pause. The tree of the text that
was checked last is frozen with it, and is garbage soon: all is looked through again when that is much.
"""

import gc
import time
from collections.abc import Callable, Sequence

PRELOADED = (
    *("abc", "enum", "typing", "dataclasses", "os", "sys", "re", "json", "pathlib"),
    *("collections", "collections.abc", "functools", "itertools", "time", "math", "random", "logging"),
    *("datetime", "contextlib", "argparse", "subprocess", "threading", "io", "string", "copy", "shutil"),
    *("tempfile", "inspect", "warnings", "unittest", "asyncio"),
)
"""Read ahead, so that the first check of a file that imports them is not the slow one."""

_PAUSE = 0.1  # seconds without a check
_QUIET = 1.0  # the same: after a start the model reads its first prompt, and is three times as slow beside us
_LONGEST = 3.0  # seconds without a check from which on nothing more is read: the next pause goes on
_MOST = 100_000  # containers more than there were: 5 checks of 2,000 lines, 40 MB
_IN_A_CHECK = 300_000  # of which a check by itself may make that many before it is looked at
_MOST_FROZEN = 100_000  # containers that are left out since all was looked through: 20 MB


class Pauses:
    """Made once, by the process: it changes when Python itself collects.

    `ahead` are modules that `preload` reads, one by one.
    """

    def __init__(self, ahead: Sequence[str], preload: Callable[[str], object]) -> None:
        gc.set_threshold(_IN_A_CHECK, 5, 5)
        self._preload = preload
        self._ahead = list(reversed(ahead))
        self._since = time.monotonic()
        self._some = False
        self._stays = 0

    def keep(self) -> None:
        """Has what is there stay: what the start and modules leave has next to no garbage in it."""
        gc.freeze()
        self._stays = gc.get_freeze_count()

    @property
    def patience(self) -> float | None:
        """Seconds without a check after which to `use` the pause; None when there is nothing to do."""
        if self._some:
            return _PAUSE
        quiet = time.monotonic() - self._since
        if self._ahead and quiet < _LONGEST:
            return max(0.0, _QUIET - quiet)
        return None

    def end(self) -> None:
        """A check was made. Where they come without a pause, this one has to collect."""
        self._some, self._since = True, time.monotonic()
        if gc.get_count()[0] > _MOST:
            gc.collect()

    def use(self) -> None:
        """Does one of the things that there are to do."""
        if self._some:
            self._collect()
        elif self._ahead:
            self._preload(self._ahead.pop())
            self.keep()

    def _collect(self) -> None:
        """Has what is left stay from now on."""
        if gc.get_freeze_count() > self._stays + _MOST_FROZEN:
            gc.unfreeze()
            gc.collect()
            self.keep()
        else:
            gc.collect()
            gc.freeze()
        self._some = False
