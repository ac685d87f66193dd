"""A backend that replays recorded answers: tests, bug reports, and a demonstration without weights.

A stream is what a model wrote, with `<|diff|>` at the beginning of a line where it wrote that token. An
answer may begin with what the prompt ends with (` return x` behind ` retu`): it goes on from there.
Deliberately absent: judgement. `Request.begins` is not enforced, since a recording is replayed as it is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from lintseq_lsp.backends.base import Piece, Request, Stop, Usage
from lintseq_lsp.diffs import split_stream
from lintseq_lsp.errors import Cancelled


class ScriptedBackend:
    """Each candidate of a `write` takes the next diff of `streams`; when none is left, it ends.

    A stream whose last diff is not followed by `<|diff|>` ends there with `Stop.END`. Pieces have
    `piece` characters and count as one token each, of log-probability `logprob`. `requests` has what was
    asked, oldest first.
    """

    def __init__(
        self,
        streams: Iterable[str],
        *,
        name: str = "recorded",
        piece: int = 4,
        logprob: float = -1.0,
        context: int = 1024,
    ) -> None:
        self.name = name
        self.context = context
        self.usage = Usage()
        self.requests: list[Request] = []
        self._piece = piece
        self._logprob = logprob
        self._answers: deque[tuple[str, Stop]] = deque()
        for stream in streams:
            *diffs, last = split_stream(stream)
            self._answers.extend((diff, Stop.BOUNDARY) for diff in diffs)
            self._answers.append((last, Stop.END))

    def count(self, text: str) -> int:
        """A token for every four bytes that were begun."""
        return (len(text.encode("utf-8", "replace")) + 3) // 4

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
        text, stop = self._answers.popleft() if self._answers else ("", Stop.END)
        text = text[_overlap(request.prompt[-1], text) :]
        limit = request.max_tokens * self._piece
        if request.max_lines is not None:
            limit = min(limit, _length_of_lines(text, request.max_lines))
        if limit < len(text) or (request.max_lines is not None and limit == len(text)):
            text, stop = text[:limit], Stop.LENGTH
        for start in range(0, len(text), self._piece):
            yield Piece(candidate, text[start : start + self._piece], 1, self._logprob)
        yield Piece(candidate, "", 0, 0.0, stop)


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
