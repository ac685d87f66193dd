"""Which tokens may come next when an answer has to start with one of some given texts.

It works on bytes: tokens end where they like, also in the middle of a character. Deliberately absent:
logits and sampling, which choose among the tokens that are allowed here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.intp]


class Vocabulary:
    """The bytes that each token writes, ordered; a token that writes none is no text and left out."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        pairs = sorted((piece, token) for token, piece in enumerate(pieces) if piece)
        self.pieces = [piece for piece, _ in pairs]
        self.ids: Ids = np.array([token for _, token in pairs], dtype=np.intp)
        self.size = len(pieces)
        self.longest = max(map(len, self.pieces), default=0)


class Begins:
    """The texts, one of which an answer has to start with; behind it the answer is free.

    `allowed(written)` costs about eight look-ups for each begin, or one for each token that starts
    as begins do, whichever are fewer; results are kept, since answers of one place
    begin alike.
    """

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._begins = _without_extensions(sorted(text.encode("utf-8", "replace") for text in texts))
        self._known: dict[bytes, Ids] = {}

    def met(self, written: bytes) -> bool:
        """Whether `written` starts with one of the texts, so that anything may follow."""
        if not self._begins:
            return True
        at = bisect_left(self._begins, written)
        return self._begins[at : at + 1] == [written] or (at > 0 and written.startswith(self._begins[at - 1]))

    def settled(self, written: bytes) -> bool:
        """Whether no more than one of the texts can still be met."""
        low, high = _with_prefix(self._begins, written)
        return high - low <= 1

    def allowed(self, written: bytes) -> Ids:
        """The tokens, ascending, after which a text can still be met; empty when there are none.

        To be asked only while `written` does not meet one.
        """
        ids = self._known.get(written)
        if ids is None:
            vocabulary, (low, high) = self._vocabulary, _with_prefix(self._begins, written)
            candidates = list(self._buckets(written, low, high))
            if 8 * (high - low) < sum(last - first for first, last in candidates):
                found = self._by_begins(written, low, high)
            else:
                found = self._by_tokens(written, candidates)
            possible = np.zeros(vocabulary.size, dtype=np.bool_)
            possible[vocabulary.ids[found]] = True
            ids = self._known[written] = np.flatnonzero(possible)
        return ids

    def _buckets(self, written: bytes, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Ranges of the vocabulary that hold all that can be possible: for each byte that may be next,
        the tokens inside of what the begins with it have in common, and those that go on behind it."""
        pieces, done = self._vocabulary.pieces, len(written)
        while low < high:
            first, low = self._begins[low], _with_prefix(self._begins, self._begins[low][: done + 1])[1]
            both = zip(first, self._begins[low - 1], strict=False)
            common = first[done : sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))]
            for size in range(1, len(common)):
                yield bisect_left(pieces, common[:size]), bisect_right(pieces, common[:size])
            yield _with_prefix(pieces, common)

    def _by_begins(self, written: bytes, low: int, high: int) -> Ids:
        pieces, found = self._vocabulary.pieces, list[Ids]()
        for begin in self._begins[low:high]:
            rest = begin[len(written) :]
            found.append(np.arange(*_with_prefix(pieces, rest)))
            for size in range(1, min(len(rest), self._vocabulary.longest + 1)):
                part = rest[:size]
                found.append(np.arange(bisect_left(pieces, part), bisect_right(pieces, part)))
        return np.concatenate(found, dtype=np.intp) if found else np.empty(0, np.intp)

    def _by_tokens(self, written: bytes, buckets: Sequence[tuple[int, int]]) -> Ids:
        begins, pieces = self._begins, self._vocabulary.pieces
        found = list[int]()
        for first, last in buckets:
            for index in range(first, last):
                text = written + pieces[index]
                at = bisect_left(begins, text)
                # No begin extends another, so the only one that `text` can go beyond is its neighbour.
                if (at < len(begins) and begins[at].startswith(text)) or (
                    at > 0 and text.startswith(begins[at - 1])
                ):
                    found.append(index)
        return np.array(found, dtype=np.intp)


def _without_extensions(texts: Sequence[bytes]) -> list[bytes]:
    """`texts` (sorted) without those that start with another: the shorter one asks for less."""
    kept: list[bytes] = []
    for text in texts:
        if not kept or not text.startswith(kept[-1]):
            kept.append(text)
    return kept


def _with_prefix(texts: Sequence[bytes], prefix: bytes) -> tuple[int, int]:
    """The range of the sorted `texts` that start with `prefix`."""
    beyond = prefix.rstrip(b"\xff")
    low = bisect_left(texts, prefix)
    if not beyond:
        return low, len(texts)
    return low, bisect_left(texts, beyond[:-1] + bytes([beyond[-1] + 1]), low)
