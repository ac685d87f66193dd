"""What the user changed lately, as values: by pauses and places, the newest last.

A history holds the texts that a document had when nobody wrote for a moment; edits are read from them only
when a model wants to know. What is taken back leaves nothing. Deliberately absent: clocks, and which
documents are watched (lsp/recent.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lintseq_lsp.edits import replacement_between
from lintseq_lsp.text import Document

MOST = 6
"""Edits that are kept."""
REACH = 8
"""Lines between two changes that may still be one edit."""
PAUSE = 1.0
"""Seconds without a change, after which the next one is an edit of its own."""
CONTEXT = 3
"""Lines above and below that an edit is kept with."""

_LONGEST = 200  # changed lines that are compared one by one


@dataclass(frozen=True, slots=True)
class RecentEdit:
    """In the document at `path`, `old` lines became `new` ones below its first `above` lines, last at `time`.

    `before` and `behind` are the few lines right above and below, which are the same on both sides. `above`
    counts lines of the document as it was then, with the edits of the same time that stand further up.
    `time` is in seconds, of a clock that never goes back.
    """

    path: str
    above: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    time: float = 0.0
    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        return self.above + len(self.new)

    @property
    def is_blank(self) -> bool:
        """Whether it changes nothing but white space."""
        return _squeezed(self.old) == _squeezed(self.new)


@dataclass(frozen=True, slots=True)
class History:
    """The last texts of one document, each with the time of the last change that led to it."""

    states: tuple[tuple[Document, float], ...] = ()

    def after(self, document: Document, time: float) -> "History":
        """The history now that the document is this one. Compares texts, and does no more."""
        states = self.states
        if states and states[-1][0].text == document.text:
            return self
        if len(states) > 1 and time - states[-1][1] < PAUSE:
            states = states[:-1]  # of which this one goes on
        for number, (earlier, _) in enumerate(states):
            if earlier.text == document.text:  # what came behind it was taken back
                return History(states[: number + 1])
        return History((*states, (document, time))[-MOST - 1 :])

    def edits(self) -> tuple[RecentEdit, ...]:
        """The newest edits, in the order in which they lead from one text to the next."""
        found: list[RecentEdit] = []
        for number in range(len(self.states) - 1, 0, -1):
            (before, _), (after, time) = self.states[number - 1 : number + 1]
            found = [*edits_between(before, after, time), *found]
            if len(found) >= MOST:
                break
        return tuple(found[-MOST:])


def edits_between(before: Document, after: Document, time: float = 0.0) -> tuple[RecentEdit, ...]:
    """What leads from one text to the other, from the top: changed lines that are near are one edit."""
    change = replacement_between(before.text, after.text)
    if change is None:
        return ()
    above = before.position(change.start)[0]
    below = max(0, len(before.lines) - before.position(change.end)[0] - 1)
    above = min(above, after.position(change.start)[0])
    below = min(below, len(before.lines) - above, len(after.lines) - above)
    old = before.lines[above : len(before.lines) - below]
    new = after.lines[above : len(after.lines) - below]
    edits, shift = [], 0
    for first, end, new_first, new_end in _groups(old, new):
        start = above + first
        edits.append(
            RecentEdit(
                after.path,
                start + shift,
                tuple(old[first:end]),
                tuple(new[new_first:new_end]),
                time,
                tuple(before.lines[max(0, start - CONTEXT) : start]),
                tuple(before.lines[above + end : above + end + CONTEXT]),
            )
        )
        shift += (new_end - new_first) - (end - first)
    return tuple(edits)


def _groups(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """The ranges [first, end) of `old` and of `new` that differ, with what stands between near ones."""
    if max(len(old), len(new)) > _LONGEST:
        yield 0, len(old), 0, len(new)
        return
    current: tuple[int, int, int, int] | None = None
    for tag, first, end, new_first, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if current is not None and first - current[1] <= REACH:
            current = current[0], end, current[2], new_end
            continue
        if current is not None:
            yield current
        current = first, end, new_first, new_end
    if current is not None:
        yield current


def states_before(lines: Sequence[str], edits: Sequence[RecentEdit]) -> Iterator[list[str]]:
    """`lines` without the newest of `edits`, without the newest two, as long as they are found there."""
    state = list(lines)
    for edit in reversed(edits):
        place = _place(state, edit)
        if place is None:
            return
        state[place : place + len(edit.new)] = edit.old
        yield list(state)


def _place(lines: Sequence[str], edit: RecentEdit) -> int | None:
    """Where in `lines` the new text of an edit begins: with a line around it, or else by itself."""
    before, behind = edit.before[-1:], edit.behind[:1]
    for above, below in ((before, behind), ((), ())):
        wanted = (*above, *edit.new, *below)
        if not "".join(wanted).strip():
            continue
        for start in range(len(lines) - len(wanted) + 1):
            if lines[start] == wanted[0] and tuple(lines[start : start + len(wanted)]) == wanted:
                return start + len(above)
    return None


def _squeezed(lines: Sequence[str]) -> str:
    return "".join("".join(lines).split())
