"""LintSeq's format: a document is shown as the diffs that built it, and the answer is the next diff.

A sequence is a list of fragments between `<|diff|>` tokens: the instruction, one fragment a chunk of the
excerpt, and last what the model continues. Training builds its examples with the same functions. The model
knows blocks of four spaces: what it is shown and what it writes is brought to them and back (indenting.py).
Deliberately absent: tokens of text, the choice of what is shown (excerpt.py), a diff's syntax (diffs.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial

from lintseq_lsp.backends.base import Ending, Part, Request, Special, Stop
from lintseq_lsp.completion import cursor_at, lines_wanted
from lintseq_lsp.diffs import Diff, DiffStream, Hunk, header, render
from lintseq_lsp.edits import Replacement
from lintseq_lsp.excerpt import Excerpt, apply_diff, excerpt_around
from lintseq_lsp.formats.base import (
    EXCERPT_TOKENS,
    TOKENS_A_LINE,
    Edit,
    Malformed,
    Question,
    Room,
    Task,
    View,
)
from lintseq_lsp.indenting import from_four, to_four
from lintseq_lsp.text import Document

DIFF = Special("<|diff|>")
"""The model's added token, which stands between fragments."""

CURSOR_TOKENS = 480
"""What a model sees of a document to go on at the cursor: what helps there is near (docs/speed.md)."""

_CHUNK = 8
_MARGIN = 32  # tokens of a prompt beside the excerpt and the instruction

Count = Callable[[str], int]


class Layout(Enum):
    """How a document is laid out as diffs. A model is trained for some; its file or manifest names one."""

    WHOLE = "whole-1"
    """One diff with everything: nothing but the next diff was ever trained to follow."""
    PAPER = "paper-1"
    """Diffs of 8 lines in file order, the only one the paper's model was trained near."""
    SUFFIX_FIRST = "suffix-first-1"
    """The chunks below the cursor, then those above it: what typing changes stands last."""


@dataclass(frozen=True, slots=True)
class LintSeq:
    """The format of edit-sequence models, with one of its histories."""

    layout: Layout

    @property
    def name(self) -> str:
        return self.layout.value

    @property
    def tasks(self) -> frozenset[Task]:
        return frozenset(Task)

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:  # noqa: ARG002
        return has(DIFF)

    def is_named(self, name: str) -> bool:
        """The paper's models are; which layout another one was trained for, its name does not tell."""
        return self.layout is Layout.PAPER and "lintseq" in name.lower()

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        if task is Task.FILL:
            return self._at_cursor(view, count, room)
        state = self._state(view, count, room)
        if task is not Task.LINES:
            return _next(state, count, room, _places(state.excerpt, view.lines))
        opening = Opening(state.excerpt.above(view.above), state.told(view.typed or ""), 1, room.lines)
        return _block(state, count, room, opening)

    def _at_cursor(self, view: View, count: Count, room: Room) -> Question | None:
        """The rest of the cursor's line, which is not shown, and what follows it."""
        cursor = cursor_at(view.document, view.offset)
        room = replace(room, tokens=min(room.tokens, room.context // 5))
        state = self._state(view, count, room, CURSOR_TOKENS, without=cursor.line)
        typed = state.told(cursor.typed)
        opening = Opening(state.excerpt.above(cursor.line), typed, *lines_wanted(cursor, room.lines))
        fragment, begins = open_block(opening)
        fragments = (*state.fragments, fragment)
        left = room.context - _used((*fragments, max(begins, key=len, default="")), count)
        if left < TOKENS_A_LINE:
            return None
        # A header that is still to be written is a line of its own.
        lines = 1 if opening.fewest == opening.most else opening.most + 1
        tokens = min(left, 2 * TOKENS_A_LINE if lines == 1 else room.tokens)
        request = _request(fragments, (begins,) if begins else (), tokens, lines)
        return Question(request, lambda: _LinesReader(fragment, state, view.offset, cursor.typed))

    def _state(
        self, view: View, count: Count, room: Room, most: int = EXCERPT_TOKENS, *, without: int | None = None
    ) -> "State":
        """The document as the model sees it around the place, but for the line `without`."""

        def cost(line: str) -> int:
            """Tokens of a line in a chunk, with its share of the chunk's header."""
            return count(f"+{to_four(line, unit)}\n") + 2

        unit = view.document.indent
        budget = min(room.context - room.tokens - count(view.instruction) - _MARGIN, most)
        numbers = excerpt_around(view.document, view.above, budget, cost).numbers
        excerpt = Excerpt(tuple(number for number in numbers if number != without))
        lines = [to_four(line, unit) for line in excerpt.lines(view.document)]
        shown = as_diffs(lines, excerpt.above(view.above), self.layout)
        return State(view.document, excerpt, (instruction_fragment(view.instruction), *shown), unit)


@dataclass(frozen=True, slots=True)
class State:
    """A document, what the model sees of it, and the closed fragments that show how it came about.

    The document is indented by `unit`, the fragments by four spaces.
    """

    document: Document
    excerpt: Excerpt
    fragments: tuple[str, ...]
    unit: str

    def told(self, text: str) -> str:
        """Lines of the document as the model knows them."""
        return "\n".join(to_four(line, self.unit) for line in text.split("\n"))

    def meant(self, diff: Diff) -> Diff:
        """A diff of the model's, with the lines of the document."""

        def lines(written: Sequence[str]) -> tuple[str, ...]:
            return tuple(from_four(line, self.unit) for line in written)

        return Diff(tuple(Hunk(hunk.above, lines(hunk.added), lines(hunk.removed)) for hunk in diff.hunks))

    @property
    def ends(self) -> bool:
        """Whether the last diff was empty: one more, or the end of the text, ends the sequence."""
        return len(self.fragments) > 1 and self.fragments[-1] == END


# Questions


def _next(state: State, count: Count, room: Room, places: Sequence[int] | None = None) -> Question | None:
    """The next diff, anywhere or in one of `places`; or the end of the sequence."""
    # The model may write the end of the text behind an empty diff, and anything else.
    begins = () if state.ends else next_headers(len(state.excerpt.numbers), room.lines, places)
    return _diff(state, count, room, "", begins)


def _block(state: State, count: Count, room: Room, opening: "Opening") -> Question | None:
    """The diff that begins with `opening`."""
    fragment, begins = open_block(opening)
    return _diff(state, count, room, fragment, (begins,) if begins else ())


def _diff(
    state: State, count: Count, room: Room, fragment: str, begins: Sequence[Sequence[str]]
) -> Question | None:
    fragments = (*state.fragments, fragment)
    used = _used(fragments, count)
    if used + room.tokens // 2 > room.context:
        return None
    tokens = min(room.tokens, room.context - used)
    # The header is one line, and one more ends the sequence of a model that goes on with hunks.
    lines = 1 if room.lines == 1 and fragment else room.lines + 2
    request = _request(fragments, begins, tokens, lines)
    return Question(request, lambda: _DiffReader(fragment, state, count, room))


def _request(fragments: Sequence[str], begins: Sequence[Sequence[str]], tokens: int, lines: int) -> Request:
    parts: list[Part] = [part for fragment in fragments for part in (DIFF, fragment)][1:]
    return Request(tuple(parts), frozenset({DIFF}), begins, max_tokens=tokens, max_lines=lines)


def _used(fragments: Sequence[str], count: Count) -> int:
    return sum(count(fragment) + 1 for fragment in fragments)


def _places(excerpt: Excerpt, lines: tuple[int, int] | None) -> Sequence[int] | None:
    """The places inside of `lines` and right around them, as excerpt lines above them."""
    return range(excerpt.above(lines[0]), excerpt.above(lines[1] + 1) + 1) if lines else None


# Answers


class _Reader:
    """A diff, the first `fragment` of which the prompt has."""

    def __init__(self, fragment: str) -> None:
        self._stream = DiffStream()
        self._sign = ""  # first character of the line that is being read
        self._last = ""  # last character
        self.feed(fragment)

    def feed(self, text: str) -> str | Malformed:
        own: list[str] = []
        for number, part in enumerate(text.split("\n")):
            if number:
                own += ["\n"] if self._sign == "+" else []
                self._sign = ""
            if self._sign == "+":
                own.append(part)
            elif not self._sign and part.startswith("+"):
                own.append(part[1:])
            self._sign = self._sign or part[:1]
        self._last = text[-1:] or self._last
        return self._stream.feed(text) or "".join(own)


class _LinesReader(_Reader):
    """The lines of the first hunk, which begin with what is `typed` left of the cursor."""

    def __init__(self, fragment: str, state: State, offset: int, typed: str) -> None:
        super().__init__(fragment)
        self._state, self._offset, self._typed = state, offset, typed

    def close(self, stop: Ending) -> Edit | Malformed:
        diff = self._stream.flush()
        if isinstance(diff, Malformed):
            return diff
        lines = self._state.meant(diff).hunks[0].added if diff.hunks else ()
        if stop is Stop.LENGTH and self._last != "\n":
            lines = lines[:-1]  # cut off in the middle of a line
        if not lines:
            return Edit()
        told = self._state.told(self._typed)
        own = from_four(told, self._state.unit)
        # Where blanks that align what is typed look like one more block, they stay as they were written.
        first = lines[0][len(own) :] if lines[0].startswith(own) else diff.hunks[0].added[0][len(told) :]
        text = self._state.document.newline.join([first, *lines[1:]])
        return Edit((Replacement(self._offset, self._offset, text),))


class _DiffReader(_Reader):
    """A diff of the excerpt; of one that the prompt has the beginning of, the first hunk."""

    def __init__(self, fragment: str, state: State, count: Count, room: Room) -> None:
        super().__init__(fragment)
        self._hunks = 1 if fragment else None
        self._state, self._count, self._room = state, count, room

    def close(self, stop: Ending) -> Edit | Malformed:
        diff = self._stream.flush()
        if isinstance(diff, Malformed):
            return diff
        if stop is Stop.LENGTH and not (self._room.lines == 1 and self._last == "\n"):
            return Malformed("not finished within the limit")
        if not diff.hunks and (stop is Stop.END or self._state.ends):
            return Edit()
        diff = Diff(diff.hunks[: self._hunks])
        applied = apply_diff(self._state.document, self._state.excerpt, self._state.meant(diff))
        if isinstance(applied, Malformed):
            return applied
        fragments = (*self._state.fragments, render(diff))
        state = State(applied.document, applied.excerpt, fragments, self._state.unit)
        return Edit(applied.changes, cache(partial(_next, state, self._count, self._room)))


# Fragments


@dataclass(frozen=True, slots=True)
class Opening:
    """The insertion that the model is to write, as far as it is known.

    It goes below the first `above` lines that are shown and begins with `typed`, which may end in
    the middle of a line and of a token. It has between `fewest` and `most` lines.
    """

    above: int
    typed: str = ""
    fewest: int = 1
    most: int = 1


def as_diffs(lines: Sequence[str], above: int, layout: Layout) -> list[str]:
    """`lines` as fragments, one a chunk, each ended by a newline. The cursor is below `above` lines."""
    before, after = (0, above), (above, len(lines))
    match layout:
        case Layout.WHOLE:
            spans, base = [(0, len(lines))], 0
        case Layout.PAPER:
            spans, base = [*_chunks(*before), *_chunks(*after)], 0
        case Layout.SUFFIX_FIRST:
            # What stands below the cursor is there first, from line 0; the rest is inserted above it.
            spans, base = [*_chunks(*after), *_chunks(*before)], above
    return [
        chunk(lines[start:end], start - base if start >= above else start)
        for start, end in spans
        if end > start
    ]


def _chunks(start: int, end: int) -> list[tuple[int, int]]:
    return [(first, min(first + _CHUNK, end)) for first in range(start, end, _CHUNK)]


def chunk(lines: Sequence[str], above: int) -> str:
    """The fragment that inserts `lines` below the first `above` lines."""
    return "\n".join([header(above, len(lines)), *(f"+{line}" for line in lines)]) + "\n"


def instruction_fragment(instruction: str) -> str:
    """The first fragment. A newline separates the instruction from the first boundary."""
    return f"{instruction.strip()}\n"


def open_block(opening: Opening) -> tuple[str, tuple[str, ...]]:
    """The last fragment of the prompt, and the texts of which its continuation must begin with one.

    With one possible number of lines, all is known and the continuation is free (`()`); else the count of
    the header is the model's to choose.
    """
    if opening.fewest == opening.most:
        return f"{header(opening.above, opening.most)}\n{_added(opening.typed)}", ()
    begin = f"@@ -{opening.above},0 +{opening.above + 1}"
    counts = range(opening.fewest, opening.most + 1)
    return begin, tuple(
        f"{header(opening.above, count)}\n{_added(opening.typed)}".removeprefix(begin) for count in counts
    )


def _added(typed: str) -> str:
    return "+" + typed.replace("\n", "\n+")


END = "\n"
"""What a continuation begins with when the sequence is complete: an empty diff."""


def next_headers(
    shown: int, most: int, above: Iterable[int] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every beginning of a next diff over `shown` lines: the end, or an insertion of up to `most` lines.

    `above` restricts the lines that an insertion may go below.
    """
    places = range(shown + 1) if above is None else above
    headers = (f"{header(place, count)}\n+" for place in places for count in range(1, most + 1))
    return (END,), tuple(headers)
