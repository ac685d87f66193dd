"""What a context of llama.cpp has read at other places, kept beside it and brought back in milliseconds.

A copy of the cells, not a sequence of the context: attention looks at all cells that are in use, and with
another excerpt in them the model was measured to read a third slower, and to write a fifth.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import llama_cpp

_PLACES = 3  # of 11 MB each for a prompt of 500 tokens, by the model that ships
_BYTES = 48 << 20  # of all together, whatever the model


@dataclass(frozen=True, slots=True)
class Place:
    """The tokens of a sequence, and what llama.cpp made of them."""

    ids: tuple[int, ...]
    state: "ctypes.Array[ctypes.c_uint8]"


class Places:
    """The sequences that were left last."""

    def __init__(self, context: llama_cpp.llama_context_p) -> None:
        self._context = context
        self._places: list[Place] = []  # oldest first

    def keep(self, sequence: int, ids: Sequence[int]) -> None:
        """Copies a sequence of the context, which holds `ids`."""
        self._places = [place for place in self._places if shared(place.ids, ids) < len(place.ids)]
        size = llama_cpp.llama_state_seq_get_size(self._context, sequence)
        while self._places and size + sum(len(place.state) for place in self._places) > _BYTES:
            del self._places[0]
        if size > _BYTES:
            return
        state = (ctypes.c_uint8 * size)()
        if size and llama_cpp.llama_state_seq_get_data(self._context, state, size, sequence) == size:
            self._places = [*self._places, Place(tuple(ids), state)][-_PLACES:]

    def nearest(self, ids: Sequence[int]) -> tuple[int, Place | None]:
        """The place that shares the longest prefix with `ids`, and how long that is."""
        sizes = [shared(place.ids, ids) for place in self._places]
        best = max(range(len(sizes)), key=sizes.__getitem__, default=None)
        return (0, None) if best is None else (sizes[best], self._places[best])

    def bring_back(self, place: Place, sequence: int) -> bool:
        """Makes an empty sequence hold what was copied, which is kept no more; False where that failed."""
        self._places = [other for other in self._places if other is not place]
        size = len(place.state)
        return bool(llama_cpp.llama_state_seq_set_data(self._context, place.state, size, sequence))


def shared(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    size = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        size += 1
    return size
