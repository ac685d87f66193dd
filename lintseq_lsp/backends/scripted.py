"""A backend that replays recorded answers: tests, bug reports, and a demonstration without weights.

A stream is what a model wrote. A special token stands there as its text, at the beginning of a line, so
code may hold those characters. An answer may begin with what the prompt ends with (` return x`
behind ` retu`): it goes on from there. Deliberately absent: judgement. `Request.begins` is not
enforced, since a recording is replayed as it is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from lintseq_lsp.backends.base import EVERYTHING, Ending, Part, Piece, Request, Special, Stop, Usage, length
from lintseq_lsp.errors import Cancelled


class ScriptedBackend:
    """Each candidate of a `write` goes on in `streams` up to the next of its stops; then, it ends.

    A stream ends with `Stop.END`. Pieces have `piece` characters and count as one token each, of
    log-probability `logprob`. `requests` has what was asked, oldest first. Any special token is there.
    """

    abilities = EVERYTHING

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
        self._streams = deque((stream, 0) for stream in streams)  # with the place where each goes on

    def has(self, special: Special) -> bool:
        return bool(special.text)

    def count(self, text: str) -> int:
        """A token for every four bytes that were begun."""
        return (len(text.encode("utf-8", "replace")) + 3) // 4

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
        text, stop = self._answer(request)
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

    def _answer(self, request: Request) -> tuple[str, Ending]:
        """The text up to the next stop, and that."""
        if not self._streams:
            return "", Stop.END
        stream, start = self._streams.popleft()
        found = [(at, stop) for stop in request.stops if (at := _find(stop, stream, start)) >= 0]
        if not found:
            return stream[start:], Stop.END
        end, stop = min(found, key=lambda each: each[0])
        size = len(stop.text if isinstance(stop, Special) else stop)
        self._streams.appendleft((stream, end + size))
        return stream[start:end], stop


def _find(stop: Part, stream: str, start: int) -> int:
    """Where `stop` stands first: a special token at the beginning of a line, or right at `start`."""
    if isinstance(stop, str):
        return stream.find(stop, start)
    if stream.startswith(stop.text, start):
        return start
    at = stream.find(f"\n{stop.text}", start)
    return at if at < 0 else at + 1


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
