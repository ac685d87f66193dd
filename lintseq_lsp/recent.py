"""What the user changed lately, as values: groups of changes that belong together, the newest last.

Changes of one place that follow each other without a pause are one edit; an edit that takes back the one
before it leaves neither. Pure: texts and times come from the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

MOST = 6
"""Edits that are kept."""
REACH = 8
"""Lines between two changes that may still be one edit."""
PAUSE = 1.0
"""Seconds after which a further change is an edit of its own."""


@dataclass(frozen=True, slots=True)
class RecentEdit:
    """In the document at `path`, `old` lines became `new` ones below its first `above` lines, last at `time`.

    `above` counts lines of the document as it was then; `time` is in seconds, of a clock that never goes
    back.
    """

    path: str
    above: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    time: float

    @property
    def end(self) -> int:
        return self.above + len(self.new)

    @property
    def is_blank(self) -> bool:
        """Whether it changes nothing but white space."""
        return "".join("".join(self.old).split()) == "".join("".join(self.new).split())


def changed(
    edits: Sequence[RecentEdit], path: str, before: Sequence[str], after: Sequence[str], time: float
) -> tuple[RecentEdit, ...]:
    """`edits` after the lines `before` of the document at `path` became `after`."""
    change = _change(path, before, after, time)
    if change is None:
        return tuple(edits)
    if edits and _belongs(change, edits[-1]):
        earlier, merged = edits[:-1], _merged(edits[-1], change, before)
        return tuple(earlier if merged.old == merged.new else _appended(earlier, merged))
    return tuple(_appended(edits, change)[-MOST:])


def _change(path: str, before: Sequence[str], after: Sequence[str], time: float) -> RecentEdit | None:
    """The lines that differ; None when none do."""
    if before == after:
        return None
    pairs = zip(before, after, strict=False)
    above = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    most = min(len(before), len(after)) - above
    ends = zip(reversed(before), reversed(after), strict=False)
    below = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    below = min(below, most)
    old, new = tuple(before[above : len(before) - below]), tuple(after[above : len(after) - below])
    return RecentEdit(path, above, old, new, time)


def _belongs(change: RecentEdit, last: RecentEdit) -> bool:
    """Whether `change` goes on with `last`, which is in the coordinates of the text before the change."""
    is_near = change.above <= last.end + REACH and change.above + len(change.old) >= last.above - REACH
    return change.path == last.path and is_near and change.time - last.time < PAUSE


def _merged(last: RecentEdit, change: RecentEdit, before: Sequence[str]) -> RecentEdit:
    """Both as one edit: what lies between them is the same on both sides."""
    above, end = min(last.above, change.above), max(last.end, change.above + len(change.old))
    old = (*before[above : last.above], *last.old, *before[last.end : end])
    new = (
        *before[above : change.above],
        *change.new,
        *before[change.above + len(change.old) : end],
    )
    merged = _change(last.path, old, new, change.time)
    if merged is None:
        return RecentEdit(last.path, above, (), (), change.time)
    return replace(merged, above=above + merged.above)


def _appended(edits: Sequence[RecentEdit], edit: RecentEdit) -> list[RecentEdit]:
    """`edits` and `edit`; without both where it takes the last one back."""
    inverse = (edit.path, edit.above, edit.new, edit.old)
    if edits and (edits[-1].path, edits[-1].above, edits[-1].old, edits[-1].new) == inverse:
        return list(edits[:-1])
    return [*edits, edit]
