"""When the linter's process collects its garbage: while nothing is asked.

What was read of modules is most of the memory, and stays. To look through it takes up to 0.2 s, as long as
a check of a thousand lines; so it is left out (frozen) as soon as there is a pause.
"""

import gc

_PAUSE = 0.1  # seconds without a check
_MOST = 100_000  # containers more than there were: 5 checks of 2,000 lines, 40 MB
_IN_A_CHECK = 300_000  # of which a check by itself may make that many before it is looked at
_MOST_DROPPED = 10  # modules that may stay in memory though nothing needs them


class Garbage:
    """Made once, by the process: it changes when Python itself collects."""

    def __init__(self) -> None:
        gc.set_threshold(_IN_A_CHECK, 5, 5)
        self._some = False
        self._dropped = 0

    @property
    def patience(self) -> float | None:
        """Seconds of quiet after which to collect; None when there is nothing to be collected."""
        return _PAUSE if self._some else None

    def add(self) -> None:
        """A check was made. Where they come without a pause, this one has to collect."""
        self._some = True
        if gc.get_count()[0] > _MOST:
            gc.collect()

    def collect(self, dropped: int) -> None:
        """Has what is left stay from now on. `dropped` counts the modules that were let go, ever."""
        if dropped > self._dropped + _MOST_DROPPED:
            self._dropped = dropped
            gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._some = False
