"""Zed's next-edit models Zeta 1, 2 and 2.1: a region between markers, with more of the file around it.

Source: zed-industries/zed, crates/zeta_prompt. Zed chooses regions by syntax nodes, too; here they grow by
lines. A text that has a format's markers is not shown, as in Zed.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lintseq_lsp.backends.base import Ending, Part, Prompt, Special
from lintseq_lsp.formats.base import Malformed, Question, Room, Task, View
from lintseq_lsp.formats.region import (
    TASKS,
    Count,
    Region,
    Rewrite,
    ask,
    by_bytes,
    fewer,
    grown,
    lines_of,
    name_of,
    refuse,
)
from lintseq_lsp.recent import RecentEdit

_NAME = re.compile(r"(?<![a-z])zeta(?:[-_ ]?v?(\d+(?:\.\d+)?))?(?![a-z0-9])")


def _version(name: str) -> str:
    """That a model's name says; 1 when it is a Zeta without a number, empty when it is none."""
    found = _NAME.search(name.lower())
    return "" if found is None else found[1] or "1"


def _region(view: View, budget: int, most: int) -> Region:
    """As many lines around the cursor as have `budget` tokens."""
    lines = view.document.lines
    line, _ = view.document.position(view.offset)
    first, end = grown(lines, line, line + 1, budget - by_bytes(lines[line]), by_bytes)
    return Region(view, first, end, most)


def _around(region: Region, budget: int) -> tuple[str, str]:
    """The text above the region and below it, of so many tokens together.

    A region ends where its last line does: what is below it begins with that line's end.
    """
    lines = region.document.lines
    first, end = grown(lines, region.first, region.end, budget, by_bytes)
    above = "".join(f"{line}\n" for line in lines[first : region.first])
    return above, "".join(f"\n{line}" for line in lines[region.end : end])


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _within(edits: Sequence[RecentEdit], markers: Sequence[str], budget: int) -> list[RecentEdit]:
    """The newest edits of so many tokens that have no marker in them."""
    kept: list[RecentEdit] = []
    for edit in reversed(edits):
        diff = _diff(edit)
        budget -= by_bytes(diff)
        if budget < 0:
            break
        if not edit.is_blank and not any(marker in diff for marker in markers):
            kept.insert(0, edit)
    return kept


def _diff(edit: RecentEdit) -> str:
    """One hunk of a unified diff, without names."""
    above, around = edit.above - len(edit.before) + 1, len(edit.before) + len(edit.behind)
    header = f"@@ -{above},{len(edit.old) + around} +{above},{len(edit.new) + around} @@"
    signed = [(" ", edit.before), ("-", edit.old), ("+", edit.new), (" ", edit.behind)]
    return "\n".join([header, *(f"{sign}{line}" for sign, lines in signed for line in lines)])


# Zeta 1

_INSTRUCTION = (
    "### Instruction:\n"
    "You are a code completion assistant and your task is to analyze user edits and then rewrite an "
    "excerpt that the user provides, suggesting the appropriate edits within the excerpt, taking into "
    "account the cursor location.\n\n"
    "### User Edits:\n\n"
)
_START, _END = "<|editable_region_start|>", "<|editable_region_end|>"
_HERE, _FILE_START = "<|user_cursor_is_here|>", "<|start_of_file|>"
_MARKERS_1 = (_START, _END, _HERE, _FILE_START)


@dataclass(frozen=True, slots=True)
class Zeta1:
    """An instruction in words. The markers are plain text."""

    name = "zeta-1"
    tasks = TASKS

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return not name or (_version(name) == "1" and has(Special("<|fim_prefix|>")))

    def is_named(self, name: str) -> bool:
        return _version(name) == "1"

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        region = _region(view, 150, room.lines)
        above, below = _around(region, 350)
        refuse([above, *region.lines, below], _MARKERS_1)
        begins = f"{_FILE_START}\n" if above.count("\n") == region.first else ""
        here = "\n".join(region.marked(_HERE))
        excerpt = f"```{name_of(view.document.path)}\n{begins}{above}{_START}\n{here}\n{_END}{below}\n```"

        def prompt(edits: Sequence[RecentEdit]) -> Prompt:
            events = [f"User edited {name_of(edit.path)}:\n```diff\n{_diff(edit)}\n```" for edit in edits]
            told = "\n\n".join(events)
            return [f"{_INSTRUCTION}{told}\n\n### User Excerpt:\n\n{excerpt}\n\n### Response:\n"]

        recent = _within(view.recent, _MARKERS_1, 500)
        stops: frozenset[Part] = frozenset({_END})
        return ask(
            region, map(prompt, fewer(recent)), _read_1, task=task, stops=stops, count=count, room=room
        )


def _read_1(text: str, stop: Ending) -> Rewrite | Malformed | None:
    """What stands between the two markers, each of which is there once."""
    if stop != _END:
        return Malformed("ends before its marker")
    if text.count(_START) != 1:
        return Malformed("does not begin with its marker")
    ahead, _, new = text.replace(_HERE, "").partition(_START)
    return Rewrite(lines_of(new.removeprefix("\n")), -ahead.count("\n") - new.startswith("\n"))


# Zeta 2 and 2.1

_SUFFIX, _PREFIX, _MIDDLE = (Special(f"<[fim-{part}]>") for part in ("suffix", "prefix", "middle"))
_FILE = Special("<filename>")
_CURSOR = "<|user_cursor|>"
_CURRENT, _BETWEEN, _UPDATED = "<<<<<<< CURRENT", "=======", ">>>>>>> UPDATED"
_NO_EDITS = "NO_EDITS"
_MARK = re.compile(r"<\|marker_(\d{1,9})\|>")

_PROMPT_TOKENS = 4096 * 9 // 10


def _fits_2(has: Callable[[Special], bool], name: str, version: str) -> bool:
    return (not name or _version(name) == version) and all(map(has, (_SUFFIX, _PREFIX, _MIDDLE, _FILE)))


def _ask_2(
    region: Region,
    shown: str,
    markers: Sequence[str],
    lines: Sequence[str],
    read: Callable[[str, Ending], Rewrite | Malformed | None],
    *,
    task: Task,
    stops: frozenset[Part],
    count: Count,
    room: Room,
) -> Question | None:
    """What follows the region, what was edited, what precedes it, and the region as it is `shown`.

    No text that is shown may have any of `markers`, or one of `lines` as a line of its own.
    """
    above, below = _around(region, 150)
    refuse([above, *region.lines, below], markers, lines)
    path = name_of(region.document.path)

    def prompt(edits: Sequence[RecentEdit]) -> Prompt:
        events = "".join(
            f"--- a/{name_of(edit.path)}\n+++ b/{name_of(edit.path)}\n{_diff(edit)}\n" for edit in edits
        )
        history: list[Part] = [_FILE, f"edit_history\n{events}\n"] if events else []
        return [_SUFFIX, f"{below}\n", _PREFIX, *history, _FILE, f"{path}\n{above}{shown}", _MIDDLE]

    rest = sum(map(by_bytes, (above, below, shown)))
    recent = _within(region.view.recent, markers, _PROMPT_TOKENS - rest)
    return ask(region, map(prompt, fewer(recent)), read, task=task, stops=stops, count=count, room=room)


@dataclass(frozen=True, slots=True)
class Zeta2:
    """The region between the lines that a conflict of versions has."""

    name = "zeta-2"
    tasks = TASKS

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return _fits_2(has, name, "2")

    def is_named(self, name: str) -> bool:
        return _version(name) == "2"

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        region = _region(view, 350, room.lines)
        here = "\n".join(region.marked(_CURSOR))
        shown = f"{_CURRENT}\n{_ended(here)}{_BETWEEN}\n"
        stops: frozenset[Part] = frozenset({_UPDATED})
        conflict = [_CURRENT, _BETWEEN, _UPDATED]
        return _ask_2(
            region, shown, [_CURSOR], conflict, _read_2, task=task, stops=stops, count=count, room=room
        )


def _read_2(text: str, _: Ending) -> Rewrite | Malformed | None:
    text = text.replace(_CURSOR, "")
    if text.strip() == _NO_EDITS:
        return None
    if not {_CURRENT, _BETWEEN, _NO_EDITS}.isdisjoint(lines_of(text)):
        return Malformed("has the marker of another part")
    return Rewrite(lines_of(text))


@dataclass(frozen=True, slots=True)
class Zeta21:
    """The region in numbered blocks, of which the answer names the first and the last."""

    name = "zeta-2.1"
    tasks = TASKS

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return _fits_2(has, name, "2.1")

    def is_named(self, name: str) -> bool:
        return _version(name) == "2.1"

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        region = _region(view, 350, room.lines)
        bounds = block_bounds(region.lines)
        lines = region.marked(_CURSOR)
        blocks = ["\n".join(lines[first:end]) for first, end in pairwise(bounds)]
        marked = [f"<|marker_{number}|>{block}" for number, block in enumerate(blocks, 1)]
        shown = "\n".join(marked) + f"<|marker_{len(bounds)}|>\n"
        stops: frozenset[Part] = frozenset({Special("<[end▁of▁sentence]>")})

        def read(text: str, _: Ending) -> Rewrite | Malformed | None:
            return _read_21(region.lines, bounds, text)

        return _ask_2(
            region, shown, [_CURSOR, "<|marker_"], [], read, task=task, stops=stops, count=count, room=room
        )


def _read_21(old: Sequence[str], bounds: Sequence[int], text: str) -> Rewrite | Malformed | None:
    """The region with the blocks between the first and the last mark as they are written."""
    text = text.replace(_CURSOR, "")
    marks = list(_MARK.finditer(text))
    numbers = [int(mark[1]) for mark in marks]
    if len(marks) < 2:
        return Malformed("has fewer than two marks")
    if text[: marks[0].start()].strip() or text[marks[-1].end() :].strip():
        return Malformed("has text outside of its marks")
    if len(marks) == 2 and numbers[0] == numbers[1] and not text[marks[0].end() : marks[1].start()].strip():
        return None
    if any(one >= other for one, other in pairwise(numbers)):
        return Malformed("has marks that do not ascend")
    if numbers[0] < 1 or numbers[-1] > len(bounds):
        return Malformed("has a mark that is unknown")
    first, end = bounds[numbers[0] - 1], bounds[numbers[-1] - 1]
    written = "".join(text[one.end() : other.start()] for one, other in pairwise(marks))
    return Rewrite(
        [*old[:first], *lines_of(written), *old[end:]], first - text[: marks[0].start()].count("\n")
    )


_FEWEST, _MOST, _AHEAD = 6, 16, 5  # lines of a block; lines in which its beginning is looked for


def block_bounds(lines: Sequence[str]) -> list[int]:
    """Where the blocks of a region begin, and where the last one ends.

    A block begins behind a blank line if that makes it long enough, and where it is too long otherwise.
    """
    bounds = [0]
    line = 0
    while line < len(lines):
        size = line - bounds[-1]
        start = _good_start(lines, line)
        behind_blank = line > 0 and bool(lines[line].strip()) and not lines[line - 1].strip()
        if (size >= _FEWEST and behind_blank and len(lines) - start >= _FEWEST) or size >= _MOST:
            bounds.append(start)
            line = start
        line += 1
    return [*bounds, len(lines)]


def _good_start(lines: Sequence[str], line: int) -> int:
    """The next line with which a block may begin: no end of one. The line itself when none is near."""
    near: Iterator[int] = iter(range(line, min(len(lines), line + _AHEAD)))
    return next((number for number in near if not _is_tail(lines[number])), line)


def _is_tail(line: str) -> bool:
    text = line.strip()
    tails = ("", "break", "continue", "return", "throw", "end")
    return text.startswith(("}", "]", ")")) or text.rstrip(";") in tails
