"""What a small model writes when it has nothing more to say: the same again, without end.

The gate sees nothing wrong with it, so it is looked for here. Pure functions and state over one answer.
"""

from collections.abc import Sequence

_LONGEST = 48  # pieces in one round
_FEWEST = 20  # pieces behind the first round; shorter runs are rules, matrices and the like


class Circles:
    """Sees an answer piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._same = [0] * (_LONGEST + 1)  # by period: how many pieces are those of one round before

    def closed_by(self, piece: str) -> bool:
        """Whether the answer, now with `piece`, has ended in three rounds or more of the same pieces."""
        self._pieces.append(piece)
        closed = False
        for period in range(1, min(len(self._pieces), _LONGEST + 1)):
            if self._pieces[-1 - period] != piece:
                self._same[period] = 0
                continue
            self._same[period] += 1
            closed = closed or self._same[period] >= max(2 * period, _FEWEST)
        return closed


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
    said: list[tuple[str, int]] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        said.append((line.strip(), number))
        texts = [text for text, _ in said]
        for size in range(1, len(texts) // 2 + 1):
            if texts[-size:] == texts[-2 * size : -size]:
                return said[-size][1]
    return len(lines)
