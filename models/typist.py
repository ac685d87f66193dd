"""A simulated user who types what is known to come, and takes of a suggestion what is right.

Nothing here knows a model: `Suggester` says what an editor would show at a cursor, and how long that takes.
The clock is a calculated one, so that a run says the same on any machine.
"""

import ast
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from statements import Function

from lintseq_lsp.text import Document, indentation

GAP = 0.2
"""Seconds from one key to the next, and before the first one of a line:"""
PAUSE = 1.0
WORTH = 2
"""Characters that a suggestion must have for it to be worth a key of its own."""

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
PATH = "untitled.py"


@dataclass(frozen=True, slots=True)
class Passage:
    """What is typed between `above` and `below`: whole lines of a module. `kind` says how it was chosen."""

    module: int
    kind: str
    above: str
    typed: str
    below: str

    def document(self, position: int) -> Document:
        return Document(self.above + self.typed[:position] + self.below, PATH)

    def key(self, position: int) -> str:
        """What the next key brings: a character, or a line's end with the indentation that follows it."""
        text = self.typed[position:]
        if not text.startswith("\n"):
            return text[:1]
        return "\n" + indentation(text[1:].partition("\n")[0])

    @property
    def keys(self) -> int:
        """How many keys it takes without any suggestion."""
        return size(self.typed)


@dataclass(frozen=True, slots=True)
class Offer:
    """What is shown at a cursor: alternatives, the first one selected, and after how many seconds.

    `known` is what was shown before already. `whole` says that a part of it cannot be taken.
    """

    texts: Sequence[str]
    seconds: float = 0.0
    known: bool = False
    whole: bool = False


class Suggester(Protocol):
    def at(self, document: Document, offset: int, now: float, gap: float) -> tuple[Offer | None, float]:
        """What is shown there at the time `now`, and how many seconds the machine is busy for it.

        What takes longer than `gap`, until the next key, is given up then.
        """
        ...

    def changed(self, document: Document, now: float) -> None:
        """The document is this now."""
        ...


@dataclass
class Counts:
    """Of one passage, or of several: `completed` is what suggestions brought of the `keys_without` any."""

    keys_without: int = 0
    keys: int = 0
    completed: int = 0
    shown: int = 0
    accepted: int = 0
    in_part: int = 0
    busy: float = 0.0
    delays: list[float] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        for name in ("keys_without", "keys", "completed", "shown", "accepted", "in_part"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.busy += other.busy
        self.delays += other.delays


def size(text: str) -> int:
    """Characters, without the white space at the beginnings of lines that the text begins."""
    return len(text) - sum(len(indentation(line)) for line in text.split("\n")[1:])


def type_out(passage: Passage, suggester: Suggester) -> Counts:
    """Types the passage to its end.

    What is shown before the next key counts as seen. All of it is taken where it is what comes, at the cost
    of one key; else its first word where that is, at the same cost each; else the user types on.
    """
    counts = Counts(passage.keys)
    position, now, on_screen, taken_in_part = 0, 0.0, False, False
    while position < len(passage.typed):
        document = passage.document(position)
        left = passage.typed[position:]
        gap = PAUSE if not document.text[: len(passage.above) + position].rpartition("\n")[2].strip() else GAP
        offer, busy = suggester.at(document, len(passage.above) + position, now, gap)
        counts.busy += min(busy, gap)
        if offer is None:
            on_screen = False
            taken = ""
        else:
            if not (on_screen and offer.known):
                counts.shown += 1
                counts.delays.append(offer.seconds)
                taken_in_part = False
            on_screen = True
            taken = next((text for text in offer.texts if _is_right(text, left)), "")
            if taken:
                counts.accepted += 1
                counts.in_part -= taken_in_part
                counts.keys += offer.texts.index(taken)
                on_screen = False
            elif not offer.whole:
                taken = _first_word(offer.texts[0], left)
                counts.in_part += bool(taken) and not taken_in_part
                taken_in_part = taken_in_part or bool(taken)
        counts.completed += size(taken)
        counts.keys += 1
        now += gap
        position += len(taken or passage.key(position))
        suggester.changed(passage.document(position), now)
    return counts


def _is_right(text: str, left: str) -> bool:
    return len(text.strip()) >= WORTH and left.startswith(text)


def _first_word(text: str, left: str) -> str:
    """What one key takes of a suggestion that is not right as a whole; "" where that is not worth it."""
    word = _WORD.match(text)
    return word[0] if word and _is_right(word[0], left) and len(word[0]) < len(text) else ""


def passages(modules: Sequence[str], count: int, keys: int, seed: int) -> Iterator[Passage]:
    """Of each of `count` modules: a run of lines with nothing below, and functions among what is there.

    Each kind takes half of `keys`, or as many as the module has. Modules come in a random order.
    """
    for module in random.Random(f"keystrokes {seed}").sample(range(len(modules)), count):
        rng = random.Random(f"keystrokes {seed} {module}")
        lines = modules[module].rstrip().split("\n")
        first = rng.randrange(max(1, len(lines) - keys // 2 // 30))
        above = "".join(line + "\n" for line in lines[:first])
        yield _shortened(Passage(module, "downwards", above, "\n".join(lines[first:]) + "\n", ""), keys // 2)
        functions = [
            (node.lineno - 1, node.end_lineno or 0)
            for node in ast.walk(ast.parse("\n".join(lines)))
            if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= 3
        ]
        rng.shuffle(functions)
        left = keys - keys // 2
        for start, end in functions:
            if left <= 0:
                break
            above, below = ("".join(line + "\n" for line in part) for part in (lines[:start], lines[end:]))
            passage = Passage(module, "inserted", above, "\n".join(lines[start:end]) + "\n", below)
            passage = _shortened(passage, left)
            left -= passage.keys
            yield passage


def _shortened(passage: Passage, keys: int) -> Passage:
    """Its first lines, until they take `keys`."""
    lines = passage.typed.splitlines(keepends=True)
    count = 0
    for number, line in enumerate(lines, 1):
        count += len(line.lstrip(" \t")) or 1
        if count >= keys:
            return Passage(
                passage.module, passage.kind, passage.above, "".join(lines[:number]), passage.below
            )
    return passage
