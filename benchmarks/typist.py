"""A typist who waits for nobody: when each key is pressed is known before, whatever comes in between.

Real files are opened one after the other, and in each a line is typed anew. What a server costs is counted
in sections: when a file was opened, while a line is typed, and when nobody has typed for a while.
"""

import asyncio
import contextlib
import math
import random
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from lintseq_lsp.bench.texts import Keystroke, statements, typed
from lintseq_lsp.text import Document

LIBRARY = ("contextlib.py", "copy.py", "fnmatch.py", "queue.py", "shelve.py", "shlex.py", "textwrap.py")
EXAMPLES = ("inventory.py", "words.py")
KEYS = 24  # of a line, at the most
IN_WORD, OF_WORD = 0.18, 0.45  # median seconds before a key in a word, and before a word's first
DEVIATION = 0.35  # of their logarithm
REST = 2.0  # seconds after a jump, after the key in the middle of a line, and after Enter
STARTED = 4.0  # seconds that a server has before the first file
OPENED = 2.5  # seconds that a file has before it is typed in
QUIET, WATCHED = (
    5.0,
    5.0,
)  # seconds after the last key, and for how long the processor is watched from then on


@dataclass(slots=True)
class Press:
    """A key, and what came of it until the next one: seconds of `time.perf_counter`.

    `answered` is when there was an answer to its request, with a text or without.
    """

    keystroke: Keystroke
    at: float
    rests: bool
    asked: float | None = None
    answered: float | None = None
    shown: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and of all that it started: seconds of processor time, and resident megabytes."""

    cpu: float
    resident: float


class Peer(Protocol):
    """What a typist types into. `press` returns at once, and fills the press in when there is a text."""

    name: str
    about: str
    process: int

    async def start(self) -> None: ...

    async def open(self, document: Document) -> None: ...

    def press(self, press: Press) -> None: ...

    async def stop(self) -> None: ...


def files() -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    examples = Path(__file__).parents[1] / "examples"
    return [*(library / name for name in LIBRARY), *(examples / name for name in EXAMPLES)]


def lines(number: int, count: int) -> list[tuple[Document, int]]:
    """Of session `number`: `count` files, and a line of each. Other sessions have other lines."""
    choice = random.Random(number)
    chosen = choice.sample(files(), count)
    documents = [Document(path.read_text("utf-8"), 1, str(path)) for path in chosen]
    return [(document, choice.choice(statements(document))) for document in documents]


async def session(peer: Peer, number: int, count: int) -> dict[str, Any]:
    """What a session cost and what was shown in it, as it is kept (see `peers.py`)."""
    choice = random.Random(number)
    presses: list[Press] = []
    opening = typing = 0.0
    resident = []
    await peer.start()
    try:
        await asyncio.sleep(STARTED)
        for document, line in lines(number, count):
            begun = usage(peer.process)
            await peer.open(document)
            await asyncio.sleep(OPENED)
            opened = usage(peer.process)
            presses += await _typed(peer, document, line, choice)
            done = usage(peer.process)
            opening += opened.cpu - begun.cpu
            typing += done.cpu - opened.cpu
            resident.append(done.resident)
        await asyncio.sleep(QUIET - REST)
        before, begun_at = usage(peer.process), time.perf_counter()
        await asyncio.sleep(WATCHED)
        idle = (usage(peer.process).cpu - before.cpu) / (time.perf_counter() - begun_at)
    finally:
        await peer.stop()
    return {
        "presses": _records(presses),
        "lines": count,
        "opening": opening,
        "typing": typing,
        "idle": idle,
        "resident": max(resident),
    }


async def _typed(peer: Peer, document: Document, line: int, choice: random.Random) -> list[Press]:
    """Ends when the last key has rested."""
    keystrokes = list(typed(document, line, KEYS))
    rests = {0, len(keystrokes) // 2, len(keystrokes) - 1}
    presses = []
    due = time.perf_counter()
    for index, keystroke in enumerate(keystrokes):
        presses.append(Press(keystroke, time.perf_counter(), rests=index in rests))
        peer.press(presses[-1])
        before, after = keystroke.document.text[keystroke.offset - 1], keystroke.rest[:1]
        median = OF_WORD if is_word(after) and not is_word(before) else IN_WORD
        due += REST if index in rests else median * math.exp(choice.gauss(0, DEVIATION))
        await asyncio.sleep(due - time.perf_counter())
    return presses


def _records(presses: Sequence[Press]) -> list[dict[str, Any]]:
    """A text is new when it is not what was on the screen already, less the character that was typed."""
    records = []
    before = ""
    for press in presses:
        stays = bool(press.text) and before[1:].startswith(press.text)
        records.append(
            {
                "kind": "rest" if press.rests and press.keystroke.kind == "key" else press.keystroke.kind,
                "asked": None if press.asked is None else (press.asked - press.at) * 1000,
                "answered": None if press.answered is None else (press.answered - press.at) * 1000,
                "shown": None if press.shown is None else (press.shown - press.at) * 1000,
                "new": press.shown is not None and not stays,
            }
        )
        before = press.text
    return records


def is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def usage(process: int) -> Usage:
    root = psutil.Process(process)
    cpu = resident = 0.0
    for member in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            # Those of its children that have ended count through it.
            cpu += times.user + times.system + times.children_user + times.children_system
            resident += member.memory_info().rss / 1e6
    return Usage(cpu, resident)
