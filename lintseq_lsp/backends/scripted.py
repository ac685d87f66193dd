"""A backend that replays recorded answers: tests, bug reports, and a demonstration without weights.

A stream is what a model wrote, with `<|diff|>` at the beginning of a line where it wrote that token. What a
stream has may begin with what the prompt ends with (` return x` behind ` retu`): it goes on from there.
An `Answer` is exactly what was written behind the prompt. Deliberately absent: judgement.
`Request.begins` is not enforced, since a recording is replayed as it is.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

from lintseq_lsp.backends.base import Piece, Request, Stop, Usage
from lintseq_lsp.diffs import split_stream
from lintseq_lsp.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Answer:
    """What one candidate wrote, and how it stopped; None when it was not read to its end.

    `logprobs` are those of its lines (nats), of which there may be fewer than lines: the others are certain.
    """

    text: str
    stop: Stop | None
    tokens: int = 0
    logprobs: tuple[float, ...] = ()


class ScriptedBackend:
    """Each candidate of a `write` takes the next answer of `script`; when none is left, it ends.

    A stream of `script` is an answer for each diff.

    A stream whose last diff is not followed by `<|diff|>` ends there with `Stop.END`. Pieces have
    `piece` characters and count as one token each, of log-probability `logprob`. `requests` has what was
    asked, oldest first. `tokens` says for some lines how many they have.
    """

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
        self._answers: deque[tuple[str, Stop] | Answer] = deque()
        for entry in script:
            if isinstance(entry, Answer):
                self._answers.append(entry)
                continue
            *diffs, last = split_stream(entry)
            self._answers.extend((diff, Stop.BOUNDARY) for diff in diffs)
            self._answers.append((last, Stop.END))

    def count(self, text: str) -> int:
        """A token for every four bytes that were begun, in lines of which nothing else is known."""
        if not self._tokens:
            return _by_bytes(text)
        lines = text.removesuffix("\n").split("\n")
        return sum(self._tokens.get(line.removeprefix("+"), _by_bytes(line)) for line in lines)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        self.requests.append(request)
        read, written = sum(map(self.count, request.prompt)) + len(request.prompt) - 1, 0
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
        answer = self._answers.popleft() if self._answers else ("", Stop.END)
        if isinstance(answer, Answer):
            yield from _exactly(candidate, answer)
            return
        text, stop = answer
        text = text[_overlap(request.prompt[-1], text) :]
        limit = request.max_tokens * self._piece
        if request.max_lines is not None:
            limit = min(limit, _length_of_lines(text, request.max_lines))
        if limit < len(text) or (request.max_lines is not None and limit == len(text)):
            text, stop = text[:limit], Stop.LENGTH
        for start in range(0, len(text), self._piece):
            yield Piece(candidate, text[start : start + self._piece], 1, self._logprob)
        yield Piece(candidate, "", 0, 0.0, stop)


def _exactly(candidate: int, answer: Answer) -> Iterator[Piece]:
    """A piece for each line, and one for how it stopped."""
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
