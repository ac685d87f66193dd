"""What formats share that ask for the text at one place: what stands around it, and an answer as an edit.

Deliberately absent: how both are laid out in a prompt (fim.py, plain.py).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lintseq_lsp.backends.base import Ending, Part, Prompt, Request, Special, Stop, length
from lintseq_lsp.completion import cursor_at, lines_wanted
from lintseq_lsp.edits import Replacement
from lintseq_lsp.excerpt import line_replacements
from lintseq_lsp.formats import habits
from lintseq_lsp.formats.base import EXCERPT_TOKENS, TOKENS_A_LINE, Edit, Question, Room, View
from lintseq_lsp.text import split_lines

_ALIGN = 8  # lines in which the upper edge of what is shown moves: what was read before stays as it was
_LINE = 2 * TOKENS_A_LINE  # by which the room for the cursor's line grows
_MARGIN = 32  # tokens of a prompt beside the text

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Gap:
    """A place, with the whole lines around it that a model sees; the text has `\\n` alone as line end.

    `typed` is what stands on the line already; `below` begins with what is right of it.
    """

    view: View
    above: str
    below: str
    typed: str
    most: int
    """Lines that an answer may have."""

    def question(self, prompt: Prompt, stops: Iterable[Part], count: Count, room: Room) -> Question | None:
        """What stands between both, up to one of `stops`; None when that does not fit the room."""
        stops = frozenset(stops)
        left = room.context - length(prompt, count)
        if left < TOKENS_A_LINE:
            return None
        tokens = _LINE if self.most == 1 else room.tokens
        request = Request(prompt, stops, max_tokens=min(left, tokens), max_lines=self.most)
        marks = frozenset(
            stop.text.strip("▁") for stop in stops if isinstance(stop, Special) and "<" in stop.text
        )
        return Question(request, lambda: _Reader(self, marks))


def gap(view: View, count: Count, room: Room, *, share_below: float = 0.25) -> Gap:
    """What is shown around the place of a view: up to `share_below` of the tokens stand below it."""
    document, line = view.document, view.above
    lines = document.lines
    if view.typed is None:
        cursor = cursor_at(document, view.offset)
        typed, right, below = cursor.typed, cursor.right, lines[line + 1 :]
        most = lines_wanted(cursor, room.lines)[1]
    else:
        typed, right, below, most = view.typed, "", lines[line:], room.lines
    own = -(-count(typed + right) // _LINE) * _LINE  # few keys leave less room for other lines
    budget = min(EXCERPT_TOKENS, room.context - room.tokens - _MARGIN) - own
    wanted = int(budget * share_below)
    after, left = within(below, wanted, count)
    before, _ = within(reversed(lines[:line]), budget - wanted + left, count)
    first = line - before
    if first > 0:
        first = min(-(-first // _ALIGN) * _ALIGN, line)
    above = "".join(f"{text}\n" for text in lines[first:line])
    return Gap(view, above, right + "".join(f"\n{text}" for text in below[:after]), typed, most)


def within(lines: Iterable[str], budget: int, count: Count) -> tuple[int, int]:
    """How many of the first lines cost no more than `budget` tokens together, and what is left of those."""
    number = 0
    for line in lines:
        price = count(f"{line}\n")
        if price > budget:
            break
        number, budget = number + 1, budget - price
    return number, budget


class _Reader:
    """Reads the text at a gap, without what is known not to belong there."""

    def __init__(self, gap: Gap, marks: frozenset[str]) -> None:
        self._gap, self._marks, self._text = gap, marks, ""

    def feed(self, text: str) -> str:
        self._text += text
        return text

    def close(self, stop: Ending) -> Edit:
        gap, view = self._gap, self._gap.view
        document = view.document
        text = "\n".join(split_lines(self._text)[0])
        if stop is Stop.LENGTH:
            text = text.rpartition("\n")[0]  # the last line is cut off in its middle, or is none
        text = habits.without_noise(text, document.text, self._marks)
        text = habits.without_beginning(text, gap.typed)
        text = habits.without_stray_brackets(text, gap.above + gap.typed)
        text = habits.without_repeats(text, gap.typed, gap.below.split("\n")[1:])
        if not text.strip():
            return Edit()
        if view.typed is None:
            written = text.replace("\n", document.newline)
            return Edit((Replacement(view.offset, view.offset, written),))
        lines = habits.in_block((gap.typed + text).split("\n"))
        return Edit(tuple(line_replacements(document, [(view.above, 0, lines)])))
