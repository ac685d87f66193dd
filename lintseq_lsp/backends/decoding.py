"""From a model's logits to an answer: which token comes next, and what text a candidate has by then.

Pure over numbers and bytes. Deliberately absent: where logits come from (llama.py).
"""

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lintseq_lsp.backends.base import Ending, Piece, Request, Sampling, Stop
from lintseq_lsp.backends.begins import Begins
from lintseq_lsp.errors import Cancelled, ModelError

Logits = NDArray[np.float32]

_BEAMS = 4  # beginnings of an answer that are looked into at a time


class Tokens:
    """What a request can be answered with: the bytes that each token writes, and the tokens that end it.

    Padding and control tokens write nothing and end nothing: they are never chosen.
    """

    def __init__(self, texts: Sequence[bytes], silent: NDArray[np.bool_], ends: Mapping[int, Ending]) -> None:
        self.texts = texts
        self.ends = ends
        self._forbidden = silent.copy()
        self._forbidden[list(ends)] = False
        self._scratch = np.empty(len(texts), np.float32)

    def choose(self, logits: Logits, writer: "Writer") -> tuple[int, float]:
        """The next token, and its log-probability among all tokens that what is given allows."""
        top = logits.max()
        np.subtract(logits, top, out=self._scratch)  # an array a token would be mapped and unmapped anew
        total = np.exp(self._scratch, out=self._scratch).sum()
        if not np.isfinite(total):
            raise ModelError("it computes values that are not finite: its weights are damaged")
        if writer.planned:
            token, *planned = writer.planned
            writer.planned = tuple(planned)
        elif writer.free or writer.begins.met(writer.written):
            writer.free = True
            token = writer.pick(logits)
            if self._forbidden[token]:
                token = writer.pick(np.where(self._forbidden, -np.inf, logits).astype(np.float32))
        else:
            allowed = writer.begins.allowed(writer.written)
            if not len(allowed):
                raise ModelError("none of its tokens can continue the text that the answer must start with")
            token = int(allowed[writer.pick(logits[allowed])])
            if writer.in_given:  # what is given is certain: the token counts among those that may write it
                total = np.exp(logits[allowed] - top).sum()
        return token, float(logits[token] - top - np.log(total))


class Writer:
    """One candidate while it is written; its `index` is its sequence too.

    It begins with `given`, which the caller knows and no piece has, then with the tokens of `planned`.
    """

    def __init__(
        self,
        index: int,
        request: Request,
        room: int,
        begins: Begins,
        *,
        given: str = "",
        planned: tuple[int, ...] = (),
    ) -> None:
        self.index = index
        self.token = -1  # chosen last, not yet decoded
        self._given = len(given.encode("utf-8", "replace"))  # bytes that are still to be written
        self.begins = begins
        self.written = b""  # until `begins` are met
        self.free = False
        self.planned = planned
        self.ended = False
        self._sampling = request.sampling
        self._random = np.random.Generator(np.random.PCG64((request.sampling.seed + index) % 2**64))
        self._tokens_left = min(request.max_tokens, room)
        self._lines_left = request.max_lines
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = TextStops([stop for stop in request.stops if isinstance(stop, str)])
        self._tokens, self._logprob = 0, 0.0  # of what no piece had yet

    @property
    def in_given(self) -> bool:
        return self._given > 0

    def pick(self, logits: Logits) -> int:
        if self._sampling.temperature <= 0:
            return int(logits.argmax())
        return draw(logits, self._sampling, self._random.random())

    def take(self, token: int, text: bytes, logprob: float, stop: Ending | None) -> Piece | None:
        """The piece that `token` completes: none while it ends in the middle of a character, or of a stop."""
        self.token = token
        self._tokens += 1
        self._logprob += logprob
        self._tokens_left -= 1
        if not self.free:
            self.written += text
        known = min(self._given, len(text))
        self._given -= known
        text = text[known:]
        if self._lines_left is not None:
            *lines, _ = text.split(b"\n")
            if len(lines) >= self._lines_left:
                text, stop = b"\n".join([*lines[: self._lines_left], b""]), Stop.LENGTH
            self._lines_left -= len(lines)
        if stop is None and self._tokens_left <= 0:
            stop = Stop.LENGTH
        whole, stop = self._stops.take(self._decoder.decode(text, final=stop is not None), stop)
        self.ended = stop is not None
        if not whole and not self.ended:
            return None
        piece = Piece(self.index, whole, self._tokens, self._logprob, stop)
        self._tokens, self._logprob = 0, 0.0
        return piece


class TextStops:
    """Looks for texts that end an answer, and holds back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._pattern = re.compile("|".join(map(re.escape, sorted(stops, key=len, reverse=True))))
        self._stops = stops
        self._held = ""

    def take(self, text: str, stop: Ending | None) -> tuple[str, Ending | None]:
        """What can be passed on by now, and what ended the answer."""
        if not self._stops:
            return text, stop
        text = self._held + text
        if match := self._pattern.search(text):
            return text[: match.start()], match[0]
        if stop is not None:
            return text, stop
        sizes = range(min(len(text), max(map(len, self._stops)) - 1), 0, -1)
        size = next((n for n in sizes if any(s.startswith(text[-n:]) for s in self._stops)), 0)
        self._held = text[len(text) - size :]
        return text[: len(text) - size], None


def draw(logits: Logits, sampling: Sampling, chance: float) -> int:
    """The index that `chance` (0 to 1) falls on, after temperature, top-p and min-p, in that order."""
    weights = np.exp((logits - logits.max()) / np.float32(sampling.temperature), dtype=np.float32)
    # The nucleus lies among the few that are not far below the best: sort no more than those.
    low = sampling.min_p if sampling.top_p >= 1 else max(sampling.min_p, 1 / 16)
    kept = np.flatnonzero(weights >= low)
    if sampling.top_p < 1:
        enough = sampling.top_p * float(weights.sum())
        while low > sampling.min_p and weights[kept].sum() < enough:
            low = max(sampling.min_p, low / 16)
            kept = np.flatnonzero(weights >= low)
        kept = kept[np.argsort(-weights[kept], kind="stable")]
        kept = kept[: 1 + int(np.searchsorted(np.cumsum(weights[kept]), enough))]
    sums = np.cumsum(weights[kept], dtype=np.float64)
    at = int(np.searchsorted(sums, chance * sums[-1], side="right"))
    return int(kept[min(at, len(kept) - 1)])


# How an answer begins when there are several possibilities


def likeliest_group(logits: Logits, groups: Sequence[Begins]) -> Begins:
    """The texts that the next token most probably begins one of, all of a group together."""
    if len(groups) == 1:
        return groups[0]
    weights = np.exp(logits - logits.max())
    return max(groups, key=lambda begins: float(weights[begins.allowed(b"")].sum()))


@dataclass(frozen=True, slots=True)
class Beam:
    """The beginning of an answer: `tokens` write `written`; `sequence` holds all of them but the last."""

    logprob: float = 0.0
    written: bytes = b""
    tokens: tuple[int, ...] = ()
    sequence: int = 0

    def with_token(self, token: int, text: bytes, logprob: float) -> "Beam":
        return Beam(self.logprob + logprob, self.written + text, (*self.tokens, token), self.sequence)


Decode = Callable[[Sequence[Beam]], tuple[list[Beam], list[Logits]]]
"""Decodes the last token of each: the beams, each in a sequence of its own now, and their next logits."""


def likeliest_begin(
    logits: Logits,
    begins: Begins,
    texts: Sequence[bytes],
    decode: Decode,
    cancelled: Callable[[], bool],
) -> tuple[int, ...]:
    """The tokens that settle on the most probable of the texts to begin with, found by a beam search.

    Token by token, the many texts that share their next token would win over one that is more
    probable than each of them. `logits` are those behind the prompt.
    """
    best: Beam | None = None
    beams, rows = [Beam()], [logits]
    while beams:
        if cancelled():
            raise Cancelled
        longer = []
        for beam, row in zip(beams, rows, strict=True):
            logprobs = row - (row.max() + np.log(np.exp(row - row.max()).sum()))
            allowed = begins.allowed(beam.written)
            for token in allowed[np.argsort(-logprobs[allowed], kind="stable")[:_BEAMS]].tolist():
                longer.append(beam.with_token(token, texts[token], float(logprobs[token])))
        beams = []
        for beam in sorted(longer, key=lambda beam: -beam.logprob)[:_BEAMS]:
            if best is not None and beam.logprob <= best.logprob:
                break
            if begins.settled(beam.written):
                best = beam
                break
            beams.append(beam)
        if beams:
            beams, rows = decode(beams)
    return best.tokens if best else ()
