"""A part of the document, written anew: how the next-edit models of others answer.

The lines that differ become changes, each a step of its own. What is hardly meant is left out: white space
alone, a rewrite that ends too early, what takes back what the user has just done. Deliberately absent: how
any of these models is asked (sweep.py, zeta.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lintseq_lsp.backends.base import Ending, Part, Prompt, Request, Stop, length
from lintseq_lsp.edits import Replacement, apply
from lintseq_lsp.errors import PromptError
from lintseq_lsp.excerpt import LineChange, line_replacements
from lintseq_lsp.formats.base import TOKENS_A_LINE, Edit, Malformed, Question, Room, Task, View
from lintseq_lsp.recent import RecentEdit, states_before
from lintseq_lsp.text import Document, split_lines

TASKS = frozenset({Task.FILL, Task.NEXT})
"""At the cursor, what a rewrite inserts there and nothing else of it."""

_MOST_DELETED = 5
"""Lines that one change may take away beyond those that it writes."""
_LONG = 10
"""Lines of a region, from which on a rewrite must begin like it."""
_ALIKE = 0.7
"""Of two lines that are one, changed: their similarity is more than this."""
_COMPARED = 100  # characters of a line, for that

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Region:
    """Lines [first, end) of the view's document, the cursor's among them.

    A change of them may have `most` lines more than it takes away.
    """

    view: View
    first: int
    end: int
    most: int

    @property
    def document(self) -> Document:
        return self.view.document

    @property
    def lines(self) -> list[str]:
        return self.document.lines[self.first : self.end]

    @property
    def cursor(self) -> tuple[int, int]:
        """Line of the region, and column."""
        line, column = self.document.position(self.view.offset)
        return line - self.first, column

    @property
    def recent(self) -> list[RecentEdit]:
        """What the user changed lately in this document, without what is only white space."""
        path = self.document.path
        return [edit for edit in self.view.recent if edit.path == path and not edit.is_blank]

    def marked(self, marker: str) -> list[str]:
        """The lines with a marker at the cursor."""
        lines = self.lines
        line, column = self.cursor
        lines[line] = lines[line][:column] + marker + lines[line][column:]
        return lines


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The lines that a region becomes. The answer's own text begins with the line of that number.

    A negative number is that of lines which the answer has in front of them.
    """

    lines: Sequence[str]
    begins: int = 0


Read = Callable[[str, Ending], Rewrite | Malformed | None]
"""What an answer that was ended by this makes of the region; None for no change."""


class _RegionReader:
    def __init__(self, region: Region, read: Read, task: Task) -> None:
        self._region, self._read, self._task = region, read, task
        self._text = ""

    def feed(self, text: str) -> str:
        self._text += text
        return text

    def close(self, stop: Ending) -> Edit | Malformed:
        if stop is Stop.LENGTH:  # what is missing would read as deleted
            return Malformed("not finished within the limit")
        rewrite = self._read(self._text, stop)
        if rewrite is None:
            return Edit()
        edit = rewrite if isinstance(rewrite, Malformed) else edit_of(self._region, rewrite)
        return at_cursor(self._region, edit) if self._task is Task.FILL and isinstance(edit, Edit) else edit


def ask(
    region: Region,
    prompts: Iterable[Prompt],
    read: Read,
    *,
    task: Task,
    stops: frozenset[Part],
    count: Count,
    room: Room,
    most_tokens: int = 1024,
) -> Question | None:
    """The question with the first of `prompts` that there is room for."""
    tokens = count("\n".join(region.lines))
    if tokens > most_tokens:
        return None
    tokens = min(tokens + region.most * TOKENS_A_LINE, most_tokens)
    lines = len(region.lines) + region.most + 4  # with markers on lines of their own
    for prompt in prompts:
        if length(prompt, count) + tokens <= room.context:
            request = Request(prompt, stops, max_tokens=tokens, max_lines=lines)
            return Question(request, lambda: _RegionReader(region, read, task), from_cursor=False)
    return None


# What is shown


def name_of(path: str) -> str:
    """A file as prompts name it: with its folder, and no more."""
    return "/".join(path.replace("\\", "/").rsplit("/", 2)[-2:]).strip("/") or "untitled.py"


def grown(lines: Sequence[str], first: int, end: int, budget: int, cost: Count) -> tuple[int, int]:
    """[first, end) with more lines below and above, in turn, that cost at most `budget` together."""
    up = down = True
    while up or down:
        down = down and end < len(lines) and cost(lines[end]) <= budget
        if down:
            budget -= cost(lines[end])
            end += 1
        up = up and first > 0 and cost(lines[first - 1]) <= budget
        if up:
            first -= 1
            budget -= cost(lines[first])
    return first, end


def refuse(texts: Sequence[str], markers: Sequence[str], lines: Sequence[str] = ()) -> None:
    """Raises `PromptError` when what is about to be shown has a marker of the format's own.

    `lines` are those that are markers only as a line of their own.
    """
    shown = {line for text in texts for line in text.split("\n")}
    found = [marker for marker in markers if any(marker in line for line in shown)]
    found += [line for line in lines if line in shown]
    if found:
        raise PromptError(
            f"the text around the cursor has {found[0]}, which is a marker in the model's prompts"
        )


def by_bytes(line: str) -> int:
    """Tokens of a line with its end, as clients estimate them that do not know the vocabulary."""
    return (len(line.encode("utf-8", "replace")) + 1) // 3


def fewer(edits: Sequence[RecentEdit]) -> Iterator[Sequence[RecentEdit]]:
    """All of them, then ever fewer, the newest to the last."""
    return (edits[number:] for number in range(len(edits) + 1))


# Answers


def lines_of(text: str) -> list[str]:
    """The lines of a written text; one line end at its end is that of the last one."""
    lines, _ = split_lines(text)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def edit_of(region: Region, rewrite: Rewrite) -> Edit | Malformed:
    """The changes from the region to what it becomes, each apart."""
    old = region.lines
    new, begins = _with_outer_blanks(old, rewrite)
    if _squeezed(old) == _squeezed(new):
        return Edit()
    if not _squeezed(new):
        return Malformed("nothing is left of the region")
    if not _begins_alike(old, new):
        return Malformed("begins like another region")
    earlier = {_squeezed(state) for state in states_before(old, region.recent)}
    if _squeezed(new) in earlier:
        return Malformed(_TAKES_BACK)
    hunks = _hunks(old, new)
    for hunk in hunks:
        if refusal := _refusal(region, hunk):
            return Malformed(refusal)
    filled = [hunk for hunk in hunks if _squeezed(hunk.old) or _squeezed(hunk.new)]
    kept = [hunk for hunk in filled if not _takes_back(region, hunk, earlier)]
    if not kept:
        return Malformed(_TAKES_BACK)
    changes: list[LineChange] = [(region.first + hunk.first, len(hunk.old), hunk.new) for hunk in kept]
    if any(_runs_together(region.document, some) for some in ([change] for change in changes)):
        return Malformed("line ends of two kinds run together")
    lines = tuple(_answered(hunk, begins) for hunk in kept)
    return Edit(tuple(line_replacements(region.document, changes)), lines=lines)


def at_cursor(region: Region, edit: Edit) -> Edit:
    """What a rewrite inserts at the cursor; it may end with what stands right of it."""
    text, offset = region.document.text, region.view.offset
    line = region.document.position(offset)[0]
    below = text[region.document.starts[line] + len(region.document.lines[line]) :]
    for change, lines in zip(edit.changes, edit.lines, strict=True):
        after = apply(text, [change])
        end = len(after) - len(below)
        if end > offset and after.startswith(text[:offset]) and after.endswith(below):
            written = after[offset:end]
            first = max(0, lines.stop - len(split_lines(written)[0]))
            return Edit((Replacement(offset, offset, written),), lines=(range(first, lines.stop),))
    return Edit()


_TAKES_BACK = "reverses a recent change"


@dataclass(frozen=True, slots=True)
class _Hunk:
    """`old` lines, below `first` ones of the region, become `new`, below `new_first` of what it becomes."""

    first: int
    old: tuple[str, ...]
    new_first: int
    new: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        """Whether only white space changes."""
        return _squeezed(self.old) == _squeezed(self.new)


def _hunks(old: Sequence[str], new: Sequence[str]) -> list[_Hunk]:
    """What differs. What is only indented anew belongs to what stands behind or before it."""
    hunks: list[_Hunk] = []
    for tag, first, end, new_first, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        hunk = _Hunk(first, tuple(old[first:end]), new_first, tuple(new[new_first:new_end]))
        if hunks:
            last = hunks[-1]
            between = old[last.first + len(last.old) : first]
            if not _squeezed(between) and (last.is_blank or hunk.is_blank):
                both = tuple(old[last.first : end]), tuple(new[last.new_first : new_end])
                hunks[-1] = _Hunk(last.first, both[0], last.new_first, both[1])
                continue
        hunks.append(hunk)
    return hunks


def _refusal(region: Region, hunk: _Hunk) -> str:
    """Why an answer with this change is not to be trusted; empty when it may be."""
    fewer_lines = _filled(hunk.old) - _filled(hunk.new)
    if fewer_lines > 0 and not _squeezed(region.lines[hunk.first + len(hunk.old) :]):
        return "stops before the end of the region"
    if fewer_lines > _MOST_DELETED:
        return f"deletes {fewer_lines} lines"
    return f"inserts {-fewer_lines} lines" if -fewer_lines > region.most else ""


def _takes_back(region: Region, hunk: _Hunk, earlier: set[str]) -> bool:
    """Whether a change leads to one of the `earlier` states, or is a recent edit the other way round."""
    old = region.lines
    alone = [*old[: hunk.first], *hunk.new, *old[hunk.first + len(hunk.old) :]]
    undone = ((edit.new, edit.old) for edit in region.recent)
    return _squeezed(alone) in earlier or (hunk.old, hunk.new) in undone


def _with_outer_blanks(old: Sequence[str], rewrite: Rewrite) -> tuple[list[str], int]:
    """What is written, between the blank lines that the region has above and below; where it begins."""
    above, below = _outer_blanks(old)
    lines = list(rewrite.lines)
    written_above, written_below = _outer_blanks(lines)
    inner = lines[written_above : len(lines) - written_below]
    new = [*old[:above], *inner, *old[len(old) - below :]] if inner else []
    return new, rewrite.begins + above - written_above


def _outer_blanks(lines: Sequence[str]) -> tuple[int, int]:
    """Blank lines above and below; all are above when there are no others."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    return (filled[0], len(lines) - 1 - filled[-1]) if filled else (len(lines), 0)


def _begins_alike(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether some of the first lines are those of a long region, or like them."""
    if len(old) <= _LONG:
        return True
    quarter = len(old) // 4
    firsts, written = ([line[:_COMPARED] for line in lines if line.strip()][:quarter] for lines in (old, new))
    return any(SequenceMatcher(None, one, other).ratio() > _ALIKE for one in written for other in firsts)


def _answered(hunk: _Hunk, begins: int) -> range:
    """The lines of the answer that a hunk rests on: what it writes, else the line that follows too soon."""
    first = max(0, hunk.new_first - begins)
    return range(first, max(first + 1, hunk.new_first + len(hunk.new) - begins))


def _runs_together(document: Document, changes: Sequence[LineChange]) -> bool:
    """Whether a lone `\\r` now stands in front of a `\\n`, and is no line end of its own any more."""
    after = split_lines(apply(document.text, line_replacements(document, changes)))[0]
    grown_by = sum(len(added) - count for _, count, added in changes)
    return len(after) != max(1, len(document.lines) + grown_by)


def _filled(lines: Sequence[str]) -> int:
    return sum(1 for line in lines if line.strip())


def _squeezed(lines: Sequence[str]) -> str:
    return "".join("".join(lines).split())
