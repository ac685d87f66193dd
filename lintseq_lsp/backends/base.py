"""What the generation loop asks of a language model. Deliberately absent: anything of a library.

A prompt is a list of fragments between boundaries: `fragments[0] <|diff|> fragments[1] <|diff|> …`.
Boundaries are token ids, never text, so a document that contains the characters `<|diff|>` is only
text. Fragments are tokenised one by one. The last one is open: the model continues it, from inside of a
token if need be.

A backend is stateless to its caller. It keeps the key-value cache of what it read last, reads of a
new prompt only what differs, and so a rewind is a shorter prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Prompt = Sequence[str]

CANDIDATES = 8
"""Most that one request can ask for."""


class Stop(Enum):
    """Why a candidate ended."""

    BOUNDARY = "boundary"  # the model wrote `<|diff|>`
    END = "end"  # the model wrote its end-of-sequence token
    LENGTH = "length"  # `max_tokens`, `max_lines` or the context was used up


@dataclass(frozen=True, slots=True)
class Sampling:
    """Temperature 0 is greedy decoding; `seed` makes the rest repeatable."""

    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One continuation of `prompt` up to the next boundary, in `candidates` variants.

    The prompt may end in the middle of a token, which the continuation then finishes. With `begins`, it must
    start with one of these texts and is free behind it: the headers that are possible here. `max_lines`
    ends a candidate before it begins another line: that many `\\n` were written. Candidate i > 0 is sampled
    with `seed + i`.
    """

    prompt: Prompt
    begins: Sequence[str] = ()
    sampling: Sampling = Sampling()
    max_tokens: int = 256
    max_lines: int | None = None
    candidates: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that `candidate` goes on with (whole characters only), and at its end the reason why.

    `logprob` is the sum of the log-probabilities (nats, without masks, at temperature 1) of the `tokens`
    tokens in the piece. Of a token that the prompt has the beginning of, it is the one given that beginning.
    """

    candidate: int
    text: str
    tokens: int
    logprob: float
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the last `write` cost: prompt tokens taken from the cache, and read anew."""

    cached: int = 0
    read: int = 0
    written: int = 0


class Backend(Protocol):
    """A model that continues diffs. Not thread-safe: one `write` at a time."""

    @property
    def name(self) -> str:
        """Model file or scenario, for people."""
        ...

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together that the model was made for."""
        ...

    @property
    def usage(self) -> Usage:
        """Of the last `write`, complete when its iterator has ended or was closed."""
        ...

    def count(self, text: str) -> int:
        """Tokens of `text` as a fragment."""
        ...

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        """Continues the prompt. Every candidate ends with one piece whose `stop` is set.

        Raises `Cancelled` within 50 ms of `cancelled()` being true, `ModelError` when the prompt
        does not fit the context or the library fails. Closing the iterator early is always safe.
        """
        ...

    def close(self) -> None: ...
