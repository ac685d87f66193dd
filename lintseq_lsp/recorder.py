"""An engine that can say, as a case file, what it was asked last.

Kept in memory only, for a few documents. The form of the file is in cases.py.
"""

import itertools
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from lintseq_lsp import __version__, lru
from lintseq_lsp.actions import Action
from lintseq_lsp.backends.base import Ability, Backend, Piece, Prompt, Request, Sampling, Special, Usage
from lintseq_lsp.backends.scripted import Answer
from lintseq_lsp.cases import Case, Options
from lintseq_lsp.described import described
from lintseq_lsp.engine import Engine
from lintseq_lsp.errors import Cancelled
from lintseq_lsp.formats.base import PromptFormat
from lintseq_lsp.gate import Gate
from lintseq_lsp.generation import Ended, Step
from lintseq_lsp.indenting import to_four
from lintseq_lsp.recent import RecentEdit
from lintseq_lsp.settings import Certainty, Settings
from lintseq_lsp.suggestions import Memory, Outcome
from lintseq_lsp.text import Document

_DOCUMENTS = 16
_COUNTS = 16384
_SHOWN_WHOLE = 1000
"""Characters up to which the model sees all of a document, however its tokens are counted."""


@dataclass(slots=True)
class _Written:
    """What the backend was asked, and gave so far."""

    prompt: Prompt
    pieces: list[Piece] = field(default_factory=list)


class RecordingBackend:
    """Passes everything through. `written` has what came since it was last set to an empty list."""

    def __init__(self, backend: Backend) -> None:
        self.written: list[_Written] = []
        self._backend = backend
        self._counts: OrderedDict[str, int] = OrderedDict()

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def context(self) -> int:
        return self._backend.context

    @property
    def usage(self) -> Usage:
        return self._backend.usage

    @property
    def abilities(self) -> Ability:
        return self._backend.abilities

    def has(self, special: Special) -> bool:
        return self._backend.has(special)

    def count(self, text: str) -> int:
        count = self._counts[text] = self._backend.count(text)
        if len(self._counts) > _COUNTS:
            self._counts.popitem(last=False)
        return count

    def counted(self, line: str) -> int | None:
        """The tokens of a line of a document, when they were counted lately."""
        return self._counts.get(f"+{line}\n")

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        if not request.max_tokens:  # it reads ahead
            yield from self._backend.write(request, cancelled)
            return
        written = _Written(request.prompt)
        self.written.append(written)
        keep = written.pieces.append
        try:
            for piece in self._backend.write(request, cancelled):
                keep(piece)
                yield piece
        except Cancelled:
            written.pieces.clear()  # what nobody waited for
            raise

    def close(self) -> None:
        self._backend.close()


@dataclass(slots=True)
class _Recording:
    """One request, and what came of it, by so many first answers; by all of them when `judged` is None."""

    document: Document
    way: str
    places: tuple[int, ...]
    options: Options
    written: list[_Written] = field(default_factory=list)
    result: Outcome | list[Step | Ended] | None = None
    judged: int | None = None


class RecordingEngine(Engine):
    """An engine that keeps the last request for each of a few documents that its memory had no answer to."""

    def __init__(
        self,
        backend: Backend,
        gate: Gate,
        *,
        prompt_format: PromptFormat,
        settings: Settings,
        certainty: Certainty | Callable[[], Certainty],
        memory: Memory | None = None,
    ) -> None:
        self._recorder = RecordingBackend(backend)
        self._recordings: OrderedDict[str, _Recording] = OrderedDict()
        super().__init__(
            self._recorder,
            gate,
            prompt_format=prompt_format,
            settings=settings,
            certainty=certainty,
            memory=memory,
        )

    def recorded(self, path: str) -> Case | None:
        """The last request for that document."""
        recording = self._recordings.get(path)
        return None if recording is None else self._case(recording)

    def complete(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...] = (),
        candidates: int = 1,
        certainty: float = 0.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        options = Options(candidates=candidates, certainty=certainty, recent=_own(document, recent))
        with self._recording(document, "complete", (offset,), options) as recording:
            recording.result = outcome = super().complete(
                document,
                offset,
                recent=recent,
                candidates=candidates,
                certainty=certainty,
                cancelled=cancelled,
            )
        return outcome

    def next_edit(
        self,
        document: Document,
        offset: int,
        *,
        recent: tuple[RecentEdit, ...] = (),
        certainty: float = 0.0,
        on_clean: Callable[[Outcome, Document], None] = lambda *_: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        accepted = itertools.count(1)

        def note(outcome: Outcome, state: Document) -> None:
            recording.result, recording.judged = outcome, next(accepted) + len(outcome.rejected)
            on_clean(outcome, state)

        options = Options(certainty=certainty, recent=_own(document, recent))
        with self._recording(document, "next-edit", (offset,), options) as recording:
            recording.result = outcome = super().next_edit(
                document, offset, recent=recent, certainty=certainty, on_clean=note, cancelled=cancelled
            )
            recording.judged = None
        return outcome

    def edit(
        self,
        document: Document,
        instruction: str,
        *,
        lines: tuple[int, int] | None = None,
        sampling: Sampling | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Step | Ended]:
        places = () if lines is None else _places(document, *lines)
        with self._recording(document, "edit", places, Options(instruction=instruction)) as recording:
            recording.result = items = list[Step | Ended]()
            for item in super().edit(
                document, instruction, lines=lines, sampling=sampling, cancelled=cancelled
            ):
                items.append(item)
                yield item

    def resolve(
        self, document: Document, action: Action, *, cancelled: Callable[[], bool] = lambda: False
    ) -> Outcome:
        options = Options(symbol=action.symbol, message=action.message)
        places = _places(document, action.first_line, action.last_line)
        with self._recording(document, action.kind.value, places, options) as recording:
            recording.result = outcome = super().resolve(document, action, cancelled=cancelled)
        return outcome

    @contextmanager
    def _recording(
        self, document: Document, way: str, places: tuple[int, ...], options: Options
    ) -> Iterator[_Recording]:
        """Keeps what the block puts into it, if that is an answer, and one that was not known before."""
        recording = _Recording(document, way, places, self._as_set(options))
        self._recorder.written = recording.written
        try:
            yield recording
        finally:
            result = recording.result
            if result and not (isinstance(result, Outcome) and result.cached):
                lru.put(self._recordings, document.path, recording, _DOCUMENTS)

    def _as_set(self, options: Options) -> Options:
        certainty = self._certainty()
        measured = (certainty.half_typed_line, certainty.new_line, certainty.next_edit)
        return replace(
            options,
            measured=measured if options.certainty < 0 else (),
            max_lines=self.settings.max_lines,
            tries=self.settings.tries,
            strings_and_comments=self.settings.strings_and_comments,
            format=self._format.name,
            context=self._recorder.context,
        )

    def _case(self, recording: _Recording) -> Case:
        document, result = recording.document, recording.result
        assert result is not None
        counts = [
            self._recorder.counted(line) or self._recorder.counted(told) or 0
            for line, told in zip(document.lines, as_shown(document), strict=True)
        ]
        is_shown_whole = len(document.text) <= _SHOWN_WHOLE
        expect, edits = described(recording.way, document, result)
        return Case(
            recording.way,
            document.text,
            recording.places,
            replace(recording.options, tokens=() if is_shown_whole else tuple(counts)),
            tuple(_answers(recording.written))[: recording.judged],
            expect,
            edits,
            f"Recorded by lintseq-lsp {__version__} with {self._recorder.name}, "
            f"Python {sys.version_info.major}.{sys.version_info.minor}.\n"
            "It holds the text of the document: read it before you send it to anybody.",
        )


def _own(document: Document, recent: tuple[RecentEdit, ...]) -> tuple[RecentEdit, ...]:
    """Without what depends on time and on other documents, which is not asked again by a case."""
    return tuple(replace(edit, path="", time=0.0) for edit in recent if edit.path == document.path)


def _places(document: Document, first: int, last: int) -> tuple[int, ...]:
    """Where the first and the last line begin."""
    starts = [document.starts[min(line, len(document.lines) - 1)] for line in (first, last)]
    return tuple(sorted(set(starts)))


def as_shown(document: Document) -> list[str]:
    """The lines as a model may be shown them: in blocks of four spaces."""
    return [to_four(line, document.indent) for line in document.lines]


def _answers(written: Sequence[_Written]) -> Iterator[Answer]:
    """What the model wrote, without what it wrote ahead for a state that was then rejected.

    After a rejection the same is asked again as before it.
    """
    counting: list[_Written] = []
    for entry in written:
        same = [number for number, earlier in enumerate(counting) if earlier.prompt == entry.prompt]
        if same:
            del counting[same[-1] + 1 :]
        counting.append(entry)
    for entry in counting:
        for candidate in sorted({piece.candidate for piece in entry.pieces}):
            yield _answer([piece for piece in entry.pieces if piece.candidate == candidate])


def _answer(pieces: Sequence[Piece]) -> Answer:
    logprobs = [0.0]
    for piece in pieces:
        logprobs[-1] += piece.logprob
        logprobs += [0.0] * piece.text.count("\n")
    while logprobs and not logprobs[-1]:
        logprobs.pop()
    return Answer(
        "".join(piece.text for piece in pieces),
        pieces[-1].stop,
        sum(piece.tokens for piece in pieces),
        tuple(round(logprob, 4) or 0.0 for logprob in logprobs),
    )
