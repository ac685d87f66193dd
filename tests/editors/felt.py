"""From a key press in an editor to ghost text on its screen, and whose time that is.

Both editors are measured alike: lines of real files are typed again in their places, letter by letter, each
one after the answer to the one before, until ghost text is there. In every other line the first letter comes
as soon as the cursor is there, else after a rest, in which the server can read.
"""

import fnmatch
import itertools
import queue
import sched
import shelve
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from wire import Wire

EXAMPLES = Path(__file__).parents[2] / "examples"
STANDARD = (queue, sched, shelve, fnmatch, textwrap)
FILES = (
    EXAMPLES / "inventory.py",
    EXAMPLES / "words.py",
    *(Path(module.__file__) for module in STANDARD),
)
LETTERS = 12
"""At most, of a line."""
EVERY = 3
"""One of so many lines that could be typed."""
Position = dict[str, int]
REST = 1.5
"""Seconds between the cursor's move and the first letter."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line that is typed again; numbers count from 0."""

    path: Path
    line: int
    start: int
    """Where its code begins."""
    code: str
    rests: bool
    """Whether the first letter waits."""

    @property
    def letters(self) -> str:
        return self.code[:LETTERS]

    def position(self, count: int) -> Position:
        """Behind the first `count` letters."""
        return {"line": self.line, "character": self.start + count}


@dataclass(frozen=True, slots=True)
class Press:
    """A key that brought ghost text; seconds since the epoch."""

    is_cold: bool
    """Nothing was asked there before."""
    pressed: float
    asked: float
    answered: float
    shown: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request for ghost text and its response, as they passed the tap."""

    asked: float
    answered: float
    items: list[Any]


def places(project: Path, lines: int) -> list[Place]:
    """Lines that assign something, of files that are copied into the project."""
    copies = [Path(shutil.copy(file, project)) for file in FILES]
    pairs = (pair for path in copies for pair in worth_typing(path))
    return [
        Place(path, line, len(text) - len(text.lstrip()), text.strip(), number % 2 == 1)
        for number, (path, line, text) in enumerate(itertools.islice(pairs, lines))
    ]


def worth_typing(path: Path) -> Iterator[tuple[Path, int, str]]:
    lines = enumerate(path.read_text("utf-8").splitlines())
    long = ((path, number, line) for number, line in lines if " = " in line and len(line.strip()) >= LETTERS)
    return itertools.islice(long, 0, None, EVERY)


def exchange(wire: Wire, position: Position, since: float) -> Exchange | None:
    """The last one at that position, if it has been answered; `since` leaves out what was asked before."""
    asked: dict[Any, float] = {}
    found = None
    for entry in wire.entries():
        message = entry.get("message", {})
        if message.get("method") == "textDocument/inlineCompletion":
            if message["params"]["position"] == position and entry["at"] >= since:
                asked[message["id"]] = entry["at"]
        elif entry.get("from") == "server" and "method" not in message and message.get("id") in asked:
            items = (message.get("result") or {}).get("items", [])
            found = Exchange(asked[message["id"]], entry["at"], items)
    return found


def report(found: list[Press | None]) -> str:
    """Milliseconds of each part, where enough was measured; `found` has an entry for each line."""
    presses = [press for press in found if press is not None]
    written = [f"{len(found)} lines, {len(presses)} with ghost text; ms, quartiles and 90 %"]
    for is_cold, kind in ((False, "a letter in a line"), (True, "a letter right after a jump")):
        rows = [press for press in presses if press.is_cold == is_cold]
        written.append(f"{kind}: {len(rows)}")
        if len(rows) < 2:
            continue
        parts = {
            "key to screen": [row.shown - row.pressed for row in rows],
            "  key to request": [row.asked - row.pressed for row in rows],
            "  request to answer": [row.answered - row.asked for row in rows],
            "  answer to screen": [row.shown - row.answered for row in rows],
        }
        for name, seconds in parts.items():
            low, middle, high = quantiles(seconds, n=4, method="inclusive")
            most = quantiles(seconds, n=10, method="inclusive")[8]
            figures = "  ".join(f"{value * 1000:6.0f}" for value in (low, middle, high, most))
            written.append(f"  {name:20} {figures}")
    return "\n".join(written) + "\n"
