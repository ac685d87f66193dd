"""Near-duplicates by MinHash, by datasketch. To be imported where they are wanted only: `lintseq-lsp[quality]`.

As for The Stack's data (Kocetkov et al., 2022; Allal et al., 2023), a program is the set of its sequences
of five tokens, and two are as alike as the Jaccard similarity of these sets.
"""

import hashlib
import re
from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH

SHINGLE = 5  # tokens
HASHES = 128  # the estimate's standard deviation is at most 0.045
_TOKEN = re.compile(r"\w+|[^\w\s]")


class NearDuplicates:
    """Programs as they come. The first of those that are alike stays; the same order gives the same answers."""

    def __init__(self, similarity: float) -> None:
        """`similarity` is between 0 and 1. Of two programs just as alike as that, one in two is found."""
        self._similarity = similarity
        self._index = MinHashLSH(similarity, HASHES)
        self._none = MinHash(HASHES, hashfunc=_hash)
        self._kept: list[MinHash] = []

    def of(self, code: str) -> int | None:
        """The number of an earlier program, among those that stayed, that `code` is as good as; None when it
        stays itself."""
        found = shingles(code)
        sketch = self._none.copy()
        sketch.update_batch(found)
        for number in sorted(self._index.query(sketch)):
            if sketch.jaccard(self._kept[number]) >= self._similarity:
                return int(number)
        if found:  # programs without a token are not alike
            self._index.insert(len(self._kept), sketch, check_duplication=False)
        self._kept.append(sketch)
        return None


def shingles(code: str) -> Sequence[bytes]:
    """A short program is one. What is between the tokens does not count."""
    tokens = _TOKEN.findall(code)
    ends = range(min(SHINGLE, len(tokens)), len(tokens) + 1) if tokens else ()
    return list({" ".join(tokens[max(end - SHINGLE, 0) : end]).encode() for end in ends})


def _hash(shingle: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(shingle, digest_size=4).digest(), "little")
