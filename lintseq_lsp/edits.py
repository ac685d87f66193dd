"""Edits as values: replacements in code-point offsets of one text, and what can be done with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lintseq_lsp.errors import EditError


@dataclass(frozen=True, slots=True, order=True)
class Replacement:
    """The text in [start, end) becomes `text`. An insertion has start == end."""

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise EditError(f"a replacement from {self.start} to {self.end} is none")


def apply(text: str, replacements: Iterable[Replacement]) -> str:
    """All replacements at once, each in offsets of `text`. Raises `EditError` for overlaps."""
    parts, done = [], 0
    for replacement in sorted(replacements, key=lambda r: (r.start, r.end)):
        if replacement.start < done:
            raise EditError(f"replacements overlap at offset {replacement.start}")
        if replacement.end > len(text):
            raise EditError(f"a replacement ends at {replacement.end}, the text at {len(text)}")
        parts += [text[done : replacement.start], replacement.text]
        done = replacement.end
    parts.append(text[done:])
    return "".join(parts)


def replacement_between(base: str, final: str) -> Replacement | None:
    """The one minimal replacement that turns `base` into `final`; None when they are equal.

    Never cuts a `\\r\\n` in half.
    """
    if base == final:
        return None
    shorter = min(len(base), len(final))
    start = _common_prefix(base, final, shorter)
    if start and base[start - 1] == "\r" and "\n" in (base[start : start + 1], final[start : start + 1]):
        start -= 1
    limit = shorter - start
    same = _common_suffix(base, final, limit)
    if (
        same
        and base[len(base) - same] == "\n"
        and "\r"
        in (
            base[len(base) - same - 1 : len(base) - same],
            final[len(final) - same - 1 : len(final) - same],
        )
    ):
        same -= 1
    return Replacement(start, len(base) - same, final[start : len(final) - same])


def beside(text: str, right: str) -> tuple[str, int] | None:
    """What to insert at a cursor so that `text` stands there, and how much of `right` behind it goes.

    Nothing of it, when `text` ends with it. Else all of it, if its characters occur in `text` in that
    order, as clients demand; None when they do not.
    """
    if text.endswith(right):
        return text[: len(text) - len(right)], 0
    return (text, len(right)) if is_subword(right, text) else None


def is_subword(word: str, text: str) -> bool:
    """Whether the characters of `word` occur in `text`, in order."""
    characters = iter(text)
    return all(character in characters for character in word)


def _common_prefix(a: str, b: str, limit: int) -> int:
    """By bisection over slices: comparing those is one memcmp."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(a: str, b: str, limit: int) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def at_line_start(base: str, change: Replacement) -> Replacement:
    """The same change, moved up to the beginning of a line where an insertion of lines may as well stand."""
    start = max(base.rfind("\n", 0, change.start), base.rfind("\r", 0, change.start)) + 1
    slid = base[start : change.start]
    if change.start != change.end or not change.text.endswith(slid) or "\n" not in change.text:
        return change
    return Replacement(start, start, slid + change.text[: len(change.text) - len(slid)])


def rebase(replacements: Sequence[Replacement], base: str, now: str) -> list[Replacement] | None:
    """Replacements of `base` in offsets of `now`, which the user's typing made of it meanwhile.

    None when the typing touches one of them: what was meant there is no longer known.
    """
    typed = replacement_between(base, now)
    if typed is None:
        return list(replacements)
    shift = len(typed.text) - (typed.end - typed.start)
    moved = []
    for replacement in replacements:
        if replacement.end < typed.start:
            moved.append(replacement)
        elif replacement.start > typed.end:
            moved.append(Replacement(replacement.start + shift, replacement.end + shift, replacement.text))
        else:
            return None
    return moved


def unmap(change: Replacement, earlier: Sequence[Replacement]) -> Replacement | None:
    """A replacement of the text that `earlier` leads to, in offsets of the text before those.

    None when it touches one of them, and cannot be applied beside them therefore.
    """
    shift = 0
    for replacement in sorted(earlier):
        start = replacement.start + shift
        if change.end < start:
            break
        end = start + len(replacement.text)
        if change.start <= end:
            return None
        shift += len(replacement.text) - (replacement.end - replacement.start)
    return Replacement(change.start - shift, change.end - shift, change.text)
