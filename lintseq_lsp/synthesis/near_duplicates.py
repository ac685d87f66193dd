"""Near-duplicates by MinHash. To be imported where they are wanted only: `lintseq-lsp[quality]`.

As for The Stack (Kocetkov et al., 2022), a program is the set of its sequences of five tokens, and two are as
alike as the Jaccard similarity of these sets. Rensa and datasketch estimate it equally well; Rensa took less
than half of the time and of the memory, and needs no other library.
"""

import re
from importlib.metadata import version

from rensa import RMinHash, RMinHashDeduplicator

SHINGLE = 5  # tokens
HASHES = 128  # the estimate's standard deviation is at most 0.045
LIBRARY = f"rensa {version('rensa')}"
_BANDS = (1, 2, 4, 8, 16, 32, 64, 128)
_MISSED = 0.01  # probability that no band of two that are alike is the same, so that they are never compared
_SEED = 1
_TOKEN = re.compile(r"\w+|[^\w\s]")


class NearDuplicates:
    """Programs as they come. The first of those that are alike stays.

    The same order gives the same answers.
    """

    def __init__(self, similarity: float) -> None:
        """`similarity` is above 0 and at most 1. Of pairs just as alike as that, about half are found."""
        bands = next(each for each in _BANDS if (1 - similarity ** (HASHES / each)) ** each <= _MISSED)
        self._alike = RMinHashDeduplicator(similarity, HASHES, use_lsh=True, num_bands=bands, seed=_SEED)
        self._kept = 0

    def of(self, code: str) -> int | None:
        """The number of an earlier program, among those that stayed, that is like `code`; None when it stays
        itself, as one without a token does."""
        sketch = RMinHash(HASHES, _SEED)
        found = shingles(code)
        sketch.update(found)
        if found and not self._alike.add(str(self._kept), sketch):
            return min(map(int, self._alike.get_duplicates(sketch)))
        self._kept += 1
        return None


def shingles(code: str) -> list[str]:
    """A short program is one. What is between the tokens does not count."""
    tokens = _TOKEN.findall(code)
    ends = range(min(SHINGLE, len(tokens)), len(tokens) + 1) if tokens else ()
    return [" ".join(tokens[max(end - SHINGLE, 0) : end]) for end in ends]
