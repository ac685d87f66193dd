"""Sweep's next-edit models: a small window around the cursor, written anew behind `<|file_sep|>` parts.

Sources: the script that was published with the model (`sweep-1`), and Sweep's own server,
sweep-autocomplete 0.1.1 (`sweep-2`). Both ask the same models. Where the server has the file as it was
last saved, and pieces of others, `sweep-2` has it as it was before the recent edits, and no others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lintseq_lsp.backends.base import Ending, Part, Prompt, Special
from lintseq_lsp.formats.base import EXCERPT_TOKENS, Malformed, Question, Room, Task, View
from lintseq_lsp.formats.region import (
    TASKS,
    Count,
    Region,
    Rewrite,
    ask,
    fewer,
    grown,
    lines_of,
    name_of,
    refuse,
)
from lintseq_lsp.recent import RecentEdit, states_before

_SEPARATOR = Special("<|file_sep|>")
_STOPS: frozenset[Part] = frozenset({_SEPARATOR, Special("<|endoftext|>")})
_CURSOR = "<|cursor|>"
_NOISE = " No newline at end of file"  # which the models learnt from diffs
_MANY = 5  # lines written and lines deleted, in a change that begins above the cursor

_SHOWN = 40  # lines of either side of a recent edit (sweep-1)
_EDITS = 3  # of which so many are shown


def _is_named(name: str) -> bool:
    return "sweep-next-edit" in name.lower()


def _fits(has: Callable[[Special], bool], name: str) -> bool:
    return has(_SEPARATOR) and (not name or _is_named(name))


@dataclass(frozen=True, slots=True)
class Sweep1:
    """Ten lines above the cursor and ten below, as they were before the last edit and as they are."""

    name = "sweep-1"
    tasks = TASKS

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return _fits(has, name)

    def is_named(self, name: str) -> bool:
        return _is_named(name)

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        line, _ = view.document.position(view.offset)
        lines = view.document.lines
        region = Region(view, max(0, line - 10), min(len(lines), line + 11), room.lines)

        def prompt(edits: Sequence[RecentEdit]) -> Prompt:
            path = name_of(view.document.path)
            before = next(states_before(region.lines, region.recent), region.lines)
            parts = [_changed(f"{name_of(edit.path)}.diff", _cut(edit.old), _cut(edit.new)) for edit in edits]
            parts += [_file(f"original/{path}", before), _file(f"current/{path}", region.lines)]
            return _prompt([*parts, f"updated/{path}\n"])

        recent = [edit for edit in view.recent if not edit.is_blank][-_EDITS:]
        return ask(
            region,
            map(prompt, fewer(recent)),
            _reader(region, []),
            task=task,
            stops=_STOPS,
            count=count,
            room=room,
            most_tokens=512,
        )


@dataclass(frozen=True, slots=True)
class Sweep2:
    """Two lines above the cursor and five below; behind an edit further up, the first is given."""

    name = "sweep-2"
    tasks = TASKS

    def fits(self, has: Callable[[Special], bool], name: str) -> bool:
        return _fits(has, name)

    def is_named(self, name: str) -> bool:
        return _is_named(name)

    def ask(self, view: View, task: Task, count: Count, room: Room) -> Question | None:
        region = _window(view, room.lines)
        refuse(region.lines, [_CURSOR])
        states = list(states_before(region.lines, region.recent))
        given = _given(region)
        # Not lines of the file: so the model was trained.
        place = region.cursor[0] + 1
        where = f"{name_of(view.document.path)}:{place}:{place + len(region.lines)}"

        def prompt(edits: Sequence[RecentEdit]) -> Prompt:
            parts = [_changed(_where(edit), *_with_a_line_around(edit)) for edit in edits]
            file = _file(name_of(view.document.path), _before(view, count))
            return _prompt(
                [
                    file if parts else f"{file}\n",
                    *parts,
                    _file(f"original/{where}", states[-1] if states else region.lines),
                    _file(f"current/{where}", region.marked(_CURSOR)),
                    "\n".join([f"updated/{where}", *given, ""]),
                ]
            )

        recent = [
            edit
            for edit in view.recent
            if not edit.is_blank and _CURSOR not in "\n".join((*edit.old, *edit.new))
        ]
        return ask(
            region,
            map(prompt, fewer(recent)),
            _reader(region, given),
            task=task,
            stops=_STOPS,
            count=count,
            room=room,
        )


def _prompt(parts: Sequence[str]) -> list[Part]:
    return [piece for part in parts for piece in (_SEPARATOR, part)]


def _file(name: str, lines: Sequence[str]) -> str:
    return "\n".join([name, *lines, ""])


def _changed(name: str, old: Sequence[str], new: Sequence[str]) -> str:
    texts = ("\n".join(lines).strip("\n") for lines in (old, new))
    return "{}\noriginal:\n{}\nupdated:\n{}\n".format(name, *texts)


def _cut(lines: Sequence[str]) -> Sequence[str]:
    half = _SHOWN // 2
    return lines if len(lines) <= _SHOWN else [*lines[:half], "...", *lines[-half:]]


def _where(edit: RecentEdit) -> str:
    return f"{name_of(edit.path)}:{edit.above + 1}:{edit.end}"


def _with_a_line_around(edit: RecentEdit) -> tuple[list[str], list[str]]:
    above, below = edit.before[-1:], edit.behind[:1]
    return [*above, *edit.old, *below], [*above, *edit.new, *below]


def _window(view: View, most: int) -> Region:
    """The lines around the cursor; blank ones above make room for more below, and none is the last."""
    lines = view.document.lines
    line, _ = view.document.position(view.offset)
    first, end = max(0, line - 2), min(len(lines), line + 6)
    while first < line and not lines[first].strip():
        first, end = first + 1, min(len(lines), end + 1)
    while end > line + 1 and not lines[end - 1].strip():
        end -= 1
    return Region(view, first, end, most)


def _given(region: Region) -> list[str]:
    """The first line, and blank ones behind it, when the last edit is further up than the cursor."""
    line, _ = region.cursor
    if line == 0 or not region.recent or region.recent[-1].end > region.first + line:
        return []
    blank = next((number for number in range(1, line) if region.lines[number].strip()), line)
    return region.lines[:blank]


def _before(view: View, count: Count) -> list[str]:
    """The file as it was before the recent edits: all of it, or what stands around the cursor."""
    own = [edit for edit in view.recent if edit.path == view.document.path]
    states = list(states_before(view.document.lines, own))
    lines = states[-1] if states else view.document.lines
    line, _ = view.document.position(view.offset)
    middle = min(line // 16 * 16, len(lines) - 1)  # it stays where it is while the cursor moves a little
    first, end = grown(lines, middle, middle + 1, EXCERPT_TOKENS, lambda line: count(f"{line}\n"))
    return list(lines[first:end])


def _reader(region: Region, given: Sequence[str]) -> Callable[[str, Ending], Rewrite | Malformed]:
    def read(text: str, _: Ending) -> Rewrite | Malformed:
        text = text.split(_NOISE)[0] if text.rstrip("\n").endswith(_NOISE) else text
        lines = [*given, *lines_of(text.replace(_CURSOR, ""))]
        refusal = _above_the_cursor(region, lines)
        return Malformed(refusal) if refusal else Rewrite(lines, len(given))

    return read


def _above_the_cursor(region: Region, new: Sequence[str]) -> str:
    """Why a rewrite of what stands above the cursor is hardly meant; empty when it may be."""
    old, (line, _) = region.lines, region.cursor
    is_longer = len(new) > len(old) and old[line].strip()
    if is_longer and [*new[:line], *new[line - len(old) :]] == old:
        return "only inserts above the cursor"
    if list(new[:line]) != old[:line]:
        codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        changed = [code for code in codes if code[0] != "equal"]
        deleted = sum(code[2] - code[1] for code in changed)
        written = sum(code[4] - code[3] for code in changed)
        if min(deleted, written) > _MANY:
            return "rewrites many lines above the cursor"
    return ""
