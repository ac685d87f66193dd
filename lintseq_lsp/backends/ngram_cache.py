"""What followed the same tokens before, to be mixed into what the model expects next.

A cache language model over the text that the model is shown: a very small model has hardly learned to copy
names and lines. Sources: Kuhn and De Mori 1990, "A cache-based natural language model for speech
recognition"; Grave, Joulin and Usunier 2017, "Improving neural language models with a continuous cache".
Deliberately absent: the model, and which tokens are text.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST = 16  # tokens of context that are compared
_HALF = 40.0  # square of the number of tokens in common that are worth half of the most


class NgramCache:
    """A text of tokens, and how alike each of its places is to the end of what was written behind it.

    What was written is not copied from: a tiny model that hears itself goes round in circles.
    """

    def __init__(self, text: Sequence[int]) -> None:
        self._text = np.array(text, np.intp)
        self._common = np.zeros(len(text), np.intp)  # tokens in front of each place that are those at the end
        for token in text[-_LONGEST:]:
            self.push(token)

    def push(self, token: int) -> None:
        longer = np.where(self._text == token, np.minimum(self._common + 1, _LONGEST), 0)
        self._common[1:] = longer[:-1]

    def expected(self, size: int) -> tuple[float, NDArray[np.float64]] | None:
        """How far to trust it (0 to 1), and the probability of each of `size` tokens to come next.

        Places count by e to the power of the tokens in common. None when nothing is alike.
        """
        places = np.flatnonzero(self._common)
        if not len(places):
            return None
        common = self._common[places].astype(np.float64)
        longest = float(common.max())
        counts = np.bincount(self._text[places], np.exp(common - longest), minlength=size)
        return longest**2 / (longest**2 + _HALF), counts / counts.sum()
