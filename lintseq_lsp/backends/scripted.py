"""A backend that replays recorded answers: tests, bug reports, and a demonstration without weights.

A stream is what a model wrote. A special token stands there as its text, at the beginning of a line, so
code may hold those characters. An answer may begin with what the prompt ends with (` return x`
behind ` retu`): it goes on from there. Deliberately absent: judgement. `Request.begins` is not
enforced, since a recording is replayed as it is.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from lintseq_lsp.backends.base import EVERYTHING, Ending, Piece, Request, Special, Stop, Usage, length
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
        self._streams = deque(streams)

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
        text = text[_overlap(request.prompt[-1], text) :] if isinstance(request.prompt[-1], str) else text
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
        stream = self._streams.popleft()
        found = [(match.start(), match.end(), stop) for match, stop in _first_of_each(request, stream)]
        if not found:
            return stream, Stop.END
        start, end, stop = min(found, key=lambda each: each[:2])
        self._streams.appendleft(stream[end:])
        return stream[:start], stop


def _first_of_each(request: Request, stream: str) -> Iterator[tuple[re.Match[str], Special | str]]:
    for stop in request.stops:
        is_special = isinstance(stop, Special)
        pattern = f"^{re.escape(stop.text)}" if isinstance(stop, Special) else re.escape(stop)
        if match := re.search(pattern, stream, re.MULTILINE if is_special else re.NOFLAG):
            yield match, stop


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
