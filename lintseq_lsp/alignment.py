"""Which line of a text each line of an edited text was."""

from collections import defaultdict, deque
from collections.abc import Sequence
from difflib import SequenceMatcher

_ALIKE = 0.6
"""How alike two lines are, as `difflib` counts it, that the one can have been made from the other."""

_MOST_PAIRS = 256
"""Comparisons in one block of replaced lines. A larger one is written anew: no line of it was another."""

_COMPARED = 200
"""Characters of a line that are compared: the time grows with their square."""


def origins(before: Sequence[str], after: Sequence[str]) -> list[int | None]:
    """For each line of `after` the index of the one in `before` that it was; None for a new one.

    It stayed, was changed where it stood, was indented anew, or was taken out and put in elsewhere.
    No line of `before` is named twice. Lines are without their ends.
    """
    top = 0
    while top < min(len(before), len(after)) and before[top] == after[top]:
        top += 1
    bottom = 0
    while bottom < min(len(before), len(after)) - top and before[-1 - bottom] == after[-1 - bottom]:
        bottom += 1
    found: list[int | None] = [*range(top), *[None] * (len(after) - top)]
    for line in range(len(after) - bottom, len(after)):
        found[line] = line + len(before) - len(after)
    old, new = before[top : len(before) - bottom], after[top : len(after) - bottom]
    replaced = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, old, new).get_opcodes() if old and new else ():
        if tag == "equal":
            found[top + j : top + j_end] = range(top + i, top + i_end)
        else:
            replaced.append((range(top + i, top + i_end), range(top + j, top + j_end)))
    _find_moved(before, after, found)
    used = set(found)
    for gone, come in replaced:
        left = [line for line in come if found[line] is None]
        for i, j in _changed_in_place(before, [line for line in gone if line not in used], after, left):
            found[j] = i
    return found


def _changed_in_place(
    old: Sequence[str], gone: Sequence[int], new: Sequence[str], come: Sequence[int]
) -> list[tuple[int, int]]:
    """Pairs of lines, the most alike first, none in two pairs."""
    if len(gone) * len(come) > _MOST_PAIRS:
        return []
    scores = [(_likeness(old[i], new[j]), -i, -j) for i in gone for j in come]
    pairs: dict[int, int] = {}
    for score, i, j in sorted(scores, reverse=True):
        if score >= _ALIKE and -i not in pairs and -j not in pairs.values():
            pairs[-i] = -j
    return list(pairs.items())


def _likeness(old: str, new: str) -> float:
    """0 to 1. What comes behind a `#` does not make a line the same one, unless it has nothing else."""
    old, new = (line.partition("#")[0].strip() or line.strip() for line in (old, new))
    if not old or not new:
        return 0.0
    if new.startswith(old) or old.startswith(new):
        return 1.0
    return SequenceMatcher(None, old[:_COMPARED], new[:_COMPARED], autojunk=False).ratio()


def _find_moved(before: Sequence[str], after: Sequence[str], found: list[int | None]) -> None:
    """Fills in the lines that were taken out, and stand elsewhere or deeper with the same text."""
    used = set(found)
    gone: defaultdict[str, deque[int]] = defaultdict(deque)
    for line, text in enumerate(before):
        if line not in used and text.strip():
            gone[text.strip()].append(line)
    for line, text in enumerate(after):
        if found[line] is None and gone.get(text.strip()):
            found[line] = gone[text.strip()].popleft()
