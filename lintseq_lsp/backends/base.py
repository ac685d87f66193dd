"""What is asked of a language model, whatever it was trained for. Deliberately absent: formats, libraries.

A prompt is a sequence of parts: text, or a special token. Special tokens are ids, never text, so a document
that contains the characters of one is only text. A text is tokenised by itself. The last one is open:
the model continues it, from inside of a token if need be.

A backend is stateless to its caller. One on this machine keeps the key-value caches of what it read last,
reads of a new prompt only what differs, and so a rewind is a shorter prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Protocol

CANDIDATES = 8
"""Most that one request can ask for."""


@dataclass(frozen=True, slots=True)
class Special:
    """A token of the model's vocabulary, by the text that stands for it there.

    Where there is none of that text, by the name under which the model's file keeps its id: `fim_pre` for
    `tokenizer.ggml.fim_pre_token_id`.
    """

    text: str


BOS = Special("bos")
"""What a prompt begins with, where the model's file asks for it (`tokenizer.ggml.add_bos_token`)."""


Part = str | Special
Prompt = Sequence[Part]


class Stop(Enum):
    """Why a candidate ended that came to none of the request's `stops`."""

    END = "end"  # the model wrote its end-of-sequence token
    LENGTH = "length"  # `max_tokens`, `max_lines` or the context was used up


Ending = Stop | Part
"""What ended a candidate: one of the request's `stops`, or another reason."""


class Ability(Flag):
    """What not every backend can do: `proposals.propose` makes up for it, or the format (`Room.words`)."""

    BEGINS = auto()  # answers begin as `Request.begins` wants it
    LOGPROBS = auto()  # pieces have log-probabilities; else they are 0, which every bar lets pass
    SEVERAL = auto()  # more than one candidate a request
    VOCABULARY = auto()  # `has` is known; else every token is said to be there, and the name tells the format
    WORDS = auto()  # a word that the prompt ends inside of is finished, whatever its tokens are
    AHEAD = auto()  # a request for no tokens has its prompt read, for the requests that begin alike


EVERYTHING = Ability.BEGINS | Ability.LOGPROBS | Ability.SEVERAL | Ability.VOCABULARY | Ability.WORDS


@dataclass(frozen=True, slots=True)
class Sampling:
    """Temperature 0 is greedy decoding; `seed` makes the rest repeatable."""

    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One continuation of `prompt` up to the first of `stops`, in `candidates` variants.

    The prompt may end in the middle of a token, which the continuation then finishes. With `begins`, it must
    start with one of the texts of these groups and is free behind it. Greedily that is the most probable
    text of the most probable group, each taken as a whole. `max_lines` ends a candidate before it begins
    another line: that many `\\n` were written. Candidate i > 0 is sampled with `seed + i`.
    """

    prompt: Prompt
    stops: frozenset[Part] = frozenset()
    begins: Sequence[Sequence[str]] = ()
    sampling: Sampling = Sampling()
    max_tokens: int = 256
    max_lines: int | None = None
    candidates: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that `candidate` goes on with (whole characters only), and at its end what ended it.

    `logprob` is the sum of the log-probabilities (nats, without masks, at temperature 1) of the `tokens`
    tokens in the piece. Of a token that the prompt has the beginning of, it is the one given that beginning.
    No piece has the text of a stop.
    """

    candidate: int
    text: str
    tokens: int
    logprob: float
    stop: Ending | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the last `write` cost: prompt tokens taken from the cache, and read anew."""

    cached: int = 0
    read: int = 0
    written: int = 0


class Backend(Protocol):
    """A model that continues prompts. Not thread-safe: one `write` at a time."""

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

    @property
    def abilities(self) -> Ability: ...

    def has(self, special: Special) -> bool:
        """Whether the vocabulary has it as one token. From then on, no text becomes that token."""
        ...

    def count(self, text: str) -> int:
        """Tokens of `text`, or an estimate where only asking another process would tell."""
        ...

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        """Continues the prompt. Every candidate ends with one piece whose `stop` is set.

        Asks `cancelled()` at least every 50 ms, also while it waits for somebody else, and once that is true
        raises `Cancelled` without waiting for what was begun. Raises `ModelError` when the prompt does not
        fit the context, or the model fails. Closing the iterator early is always safe.
        """
        ...

    def close(self) -> None: ...


def length(prompt: Prompt, count: Callable[[str], int]) -> int:
    """Tokens of a prompt."""
    return sum(1 if isinstance(part, Special) else count(part) for part in prompt)
