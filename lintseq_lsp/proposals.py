"""What a model proposes: each candidate's answer to a question, read as it is written.

What a backend cannot do is made up for here. Deliberately absent: the gate (generation.py).
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from lintseq_lsp.backends.base import Ability, Backend, Ending, Piece, Request, Stop
from lintseq_lsp.formats.base import Edit, Malformed, Question
from lintseq_lsp.repetition import LoopDetector


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one candidate wrote: with the text that the prompt ends in, and as an edit.

    `logprob` is the sum over its `tokens`. `line_logprobs` are the sums up to the end of each line of
    the answer's own text.
    """

    written: str
    edit: Edit | Malformed
    stop: Ending
    logprob: float
    tokens: int
    candidate: int = 0
    line_logprobs: tuple[float, ...] = ()

    def logprob_through(self, line: int) -> float:
        """The sum up to the end of a line of the answer (from 0), or of the last one that there is."""
        return self.line_logprobs[min(line, len(self.line_logprobs) - 1)]

    def logprob_of(self, lines: range) -> float:
        """The sum over these lines of the answer."""
        before = self.logprob_through(lines.start - 1) if lines.start > 0 else 0.0
        return self.logprob_through(lines.stop - 1) - before

    def at_cursor(self, count: int) -> range:
        """The first `count` lines of the answer that are new: a region has others above them."""
        first = self.edit.lines[0].start if isinstance(self.edit, Edit) and self.edit.lines else 0
        return range(first, first + count)

    @property
    def confidence(self) -> float:
        """Mean log-probability (nats a token)."""
        return self.logprob / self.tokens if self.tokens else 0.0


class _Writing:
    """One candidate: what it wrote so far, and whether there is a point in reading on."""

    def __init__(self, index: int, question: Question, begins: Sequence[str], floor: float) -> None:
        self.ended = False
        self._floor = floor
        self._index = index
        self._begins = begins  # those that the backend does not see to
        self._reader = question.reader()
        last = question.request.prompt[-1]
        self._fragment = last if isinstance(last, str) else ""
        self._text = ""
        self._logprob, self._tokens = 0.0, 0
        self._loops = LoopDetector()
        self._lines: list[float] = []
        self._ahead = 0.0  # log-probability of the lines in front of the answer's own text
        self._line_is_open = True
        self._has_begun = False

    def take(self, piece: Piece) -> Proposal | None:
        """The proposal, when the candidate ends here: by itself, malformed, in a circle, or improbable."""
        self._text += piece.text
        self._logprob += piece.logprob
        self._tokens += piece.tokens
        own = self._reader.feed(piece.text)
        broken = own if isinstance(own, Malformed) else self._begun_otherwise(piece.stop is not None)
        if isinstance(own, str):
            self._note_lines(piece.text, own)
        pointless = broken or self._loops.ends_in_loop(piece.text) or self._is_improbable
        stop = piece.stop or (Stop.LENGTH if pointless else None)
        if stop is None:
            return None
        self.ended = True
        edit = broken or self._reader.close(stop)
        if self._line_is_open:
            self._lines.append(self._logprob)
        lines = tuple(logprob - self._ahead for logprob in self._lines)
        written = self._fragment + self._text
        return Proposal(written, edit, stop, self._logprob, self._tokens, self._index, lines)

    def _note_lines(self, text: str, own: str) -> None:
        """Whatever lines of `text` are not the answer's `own` and stand in front of it do not count."""
        if not self._has_begun and own.count("\n") < text.count("\n"):
            self._ahead = self._logprob
        if own:
            self._has_begun = True
            self._lines += [self._logprob] * own.count("\n")
            self._line_is_open = not own.endswith("\n")

    @property
    def _is_improbable(self) -> bool:
        """Whether the line that was written last is, and with it all that can follow."""
        return self._has_begun and self._logprob - self._ahead < self._floor

    def _begun_otherwise(self, is_all: bool) -> Malformed | None:
        if not self._begins or self._text.startswith(tuple(self._begins)):
            return None
        if not is_all and any(begin.startswith(self._text) for begin in self._begins):
            return None
        return Malformed("does not have the required beginning")


def propose(
    backend: Backend, question: Question, cancelled: Callable[[], bool], floor: float = -math.inf
) -> list[Proposal]:
    """Every candidate of the question's request, in order.

    One is cut off in the line in which its log-probability falls below `floor`.
    """
    with closing(proposals(backend, question, cancelled, floor)) as writing:
        found = [proposal for proposal in writing if proposal is not None]
    return sorted(found, key=lambda proposal: proposal.candidate)


def proposals(
    backend: Backend, question: Question, cancelled: Callable[[], bool], floor: float = -math.inf
) -> Generator[Proposal | None, None, None]:
    """A proposal for each candidate that ends, and None for each piece in between."""
    request = question.request
    begins = (
        [] if Ability.BEGINS in backend.abilities else [text for group in request.begins for text in group]
    )
    writings = [_Writing(index, question, begins, floor) for index in range(request.candidates)]
    for piece in _pieces(backend, request, cancelled):
        writing = writings[piece.candidate]
        if writing.ended:
            continue  # it is still written, as one batch with the others
        yield writing.take(piece)
        if all(writing.ended for writing in writings):
            return


def _pieces(backend: Backend, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
    """All candidates, one by one where the backend cannot write several."""
    if request.candidates == 1 or Ability.SEVERAL in backend.abilities:
        yield from backend.write(request, cancelled)
        return
    for index in range(request.candidates):
        sampling = replace(request.sampling, seed=request.sampling.seed + index)
        for piece in backend.write(replace(request, sampling=sampling, candidates=1), cancelled):
            yield replace(piece, candidate=index)
