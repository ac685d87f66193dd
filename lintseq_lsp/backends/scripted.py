"""A backend that replays recorded answers: tests, bug reports, and a demonstration without weights.

A stream is what a model wrote. A special token stands there as its text, at the beginning of a line, so
code may hold those characters. What a stream has may begin with what the prompt ends with (` return x`
behind ` retu`): it goes on from there. An `Answer` is exactly what was written behind the prompt.
Deliberately absent: judgement. `Request.begins` is not enforced, since a recording is replayed as it is.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

from lintseq_lsp.backends.base import EVERYTHING, Ending, Part, Piece, Request, Special, Stop, Usage, length
from lintseq_lsp.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Answer:
    """What one candidate wrote, and what ended it; None when it was not read to its end.

    `logprobs` are those of its lines (nats), of which there may be fewer than lines: the others are certain.
    """

    text: str
    stop: Ending | None
    tokens: int = 0
    logprobs: tuple[float, ...] = ()


class ScriptedBackend:
    """Each candidate of a `write` takes the next answer of `script`, or goes on in a stream of it.

    That is up to the next of the request's stops. A stream ends with `Stop.END`, and so does the script.
    A stream's pieces have `piece` characters and count as one token each, of log-probability `logprob`.
    `requests` has what was asked, oldest first. Any special token is there. `tokens` says for some lines
    how many they have.
    """

    abilities = EVERYTHING

    def __init__(
        self,
        script: Iterable[str | Answer],
        *,
        name: str = "recorded",
        piece: int = 4,
        logprob: float = -1.0,
        context: int = 1024,
        tokens: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.context = context
        self.usage = Usage()
        self.requests: list[Request] = []
        self._piece = piece
        self._logprob = logprob
        self._tokens = tokens or {}
        self._script = deque((entry, 0) for entry in script)  # with the place where a stream goes on

    def has(self, special: Special) -> bool:
        return bool(special.text)

    def count(self, text: str) -> int:
        """A token for every four bytes that were begun, in lines of which nothing else is known."""
        if not self._tokens:
            return _by_bytes(text)
        lines = text.removesuffix("\n").split("\n")
        return sum(self._tokens.get(line.removeprefix("+"), _by_bytes(line)) for line in lines)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self.requests.append(request)
        read, written = length(request.prompt, self.count), 0
        self.usage = Usage(read=read)
        alive = [self._pieces(index, request) for index in range(request.candidates)]
        while alive:
            for pieces in list(alive):
                if cancelled():
                    raise Cancelled
                piece = next(pieces)
                if piece.stop:
                    alive.remove(pieces)
                written += piece.tokens
                self.usage = Usage(read=read, written=written)
                yield piece

    def close(self) -> None:
        """Nothing is held."""

    def _pieces(self, candidate: int, request: Request) -> Iterator[Piece]:
        entry, start = self._script.popleft() if self._script else ("", 0)
        if isinstance(entry, Answer):
            yield from _exactly(candidate, entry)
            return
        text, stop = self._from_stream(entry, start, request)
        last = request.prompt[-1]
        text = text[_overlap(last, text) if isinstance(last, str) else 0 :]
        limit = request.max_tokens * self._piece
        if request.max_lines is not None:
            limit = min(limit, _length_of_lines(text, request.max_lines))
        if limit < len(text) or (request.max_lines is not None and limit == len(text)):
            text, stop = text[:limit], Stop.LENGTH
        for start in range(0, len(text), self._piece):
            yield Piece(candidate, text[start : start + self._piece], 1, self._logprob)
        yield Piece(candidate, "", 0, 0.0, stop)

    def _from_stream(self, stream: str, start: int, request: Request) -> tuple[str, Ending]:
        """The text from `start` up to the next stop, and that."""
        found = [(at, stop) for stop in request.stops if (at := _find(stop, stream, start)) >= 0]
        if not found:
            return stream[start:], Stop.END
        end, stop = min(found, key=lambda each: each[0])
        size = len(stop.text if isinstance(stop, Special) else stop)
        self._script.appendleft((stream, end + size))
        return stream[start:end], stop


def _find(stop: Part, stream: str, start: int) -> int:
    """Where `stop` stands first: a special token at the beginning of a line, or right at `start`."""
    if isinstance(stop, str):
        return stream.find(stop, start)
    if stream.startswith(stop.text, start):
        return start
    at = stream.find(f"\n{stop.text}", start)
    return at if at < 0 else at + 1


def _exactly(candidate: int, answer: Answer) -> Iterator[Piece]:
    """A piece for each line, and one for what ended it."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", answer.text)
    logprobs = chain(answer.logprobs, repeat(0.0))
    tokens = answer.tokens
    for line in lines:
        yield Piece(candidate, line, tokens, next(logprobs))
        tokens = 0
    yield Piece(candidate, "", tokens, sum(answer.logprobs[len(lines) :]), answer.stop or Stop.LENGTH)


def _by_bytes(text: str) -> int:
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def _overlap(before: str, text: str) -> int:
    """Length of the longest beginning of `text` with which `before` ends."""
    sizes = range(min(len(before), len(text)), 0, -1)
    return next((size for size in sizes if before.endswith(text[:size])), 0)


def _length_of_lines(text: str, lines: int) -> int:
    """Length of the first `lines` lines of `text`, and more than `text` has when it has fewer."""
    end = 0
    for _ in range(lines):
        end = text.find("\n", end) + 1
        if not end:
            return len(text) + 1
    return end
