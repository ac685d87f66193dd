"""What a small model writes when it has nothing more to say: the same again, without end.

The gate sees nothing wrong with it, so it is looked for here. Pure functions and state over one answer.
"""

from collections.abc import Sequence

_LONGEST = 48  # pieces, or lines, in one round
_FEWEST = 20  # pieces behind the first round; shorter runs are rules, matrices and the like


class _Rounds:
    """Sees pieces one by one, and counts by period how many in a row are those of one round before."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._same = [0] * (_LONGEST + 1)

    def take(self, piece: str) -> list[tuple[int, int]]:
        """(period, count) for each period that there may be, the shortest first, now with `piece`."""
        periods = range(1, min(len(self._pieces), _LONGEST) + 1)
        for period in periods:
            self._same[period] = self._same[period] + 1 if self._pieces[-period] == piece else 0
        self._pieces.append(piece)
        return [(period, self._same[period]) for period in periods]


class LoopDetector:
    """Sees an answer piece by piece."""

    def __init__(self) -> None:
        self._rounds = _Rounds()

    def ends_in_loop(self, piece: str) -> bool:
        """Whether the answer, now with `piece`, has ended in three rounds or more of the same pieces."""
        return any(same >= max(2 * period, _FEWEST) for period, same in self._rounds.take(piece))


def repeats_neighbours(added: Sequence[str], above: Sequence[str], below: Sequence[str]) -> bool:
    """Whether `added` says only what stands right above it, or right below, already.

    Blank lines and indentation say nothing.
    """
    said = _texts(added)
    return bool(said) and (_texts(above)[-len(said) :] == said or _texts(below)[: len(said)] == said)


def _texts(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def repeated_from(lines: Sequence[str]) -> int:
    """Index of the first line of a block that says again what stands right above it, else their number.

    Blank lines and indentation say nothing.
    """
    rounds = _Rounds()
    said: list[int] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        said.append(number)
        for period, same in rounds.take(line.strip()):
            if same >= period:
                return said[-period]
    return len(lines)
