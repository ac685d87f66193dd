"""What is kept of an agent's turn between two calls of its hook, in a folder of the user's alone.

The texts that its files had at the turn's beginning and last, and how often each finding was told. Texts
are bounded in size and number, sessions in number and age. Whatever cannot be kept raises `HookError`, and
what cannot be read counts as not there.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from lintseq_lsp.errors import HookError
from lintseq_lsp.hooks.channel import require_private
from lintseq_lsp.linters.files import read_file

MOST_BYTES = 1 << 20
"""Of one text."""

MOST_TEXTS = 400
"""In one session: two for each file."""

MOST_SESSIONS = 40

LONGEST = 24 * 3600.0
"""Seconds after which a session is forgotten that nobody has gone on with."""


def default_folder() -> Path:
    return user_state_path("lintseq-lsp") / "hooks"


@dataclass(frozen=True, slots=True)
class Turn:
    """`told` counts how often the findings were told. `noticed`: it was told that the gate cannot run."""

    name: str = ""
    told: dict[str, int] = field(default_factory=dict)
    noticed: bool = False


class Session:
    """One agent's work. `name` is any text."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._root = folder
        self._folder = folder / _hash(name)

    def turn(self) -> Turn:
        """The one that goes on; a new one when nothing is known of any."""
        values = _read(self._folder / "turn")
        try:
            return Turn(**values) if isinstance(values, dict) and isinstance(values["told"], dict) else Turn()
        except (KeyError, TypeError):
            return Turn()

    def begin(self, name: str) -> Turn:
        """The turn of that name. With another one than the last, what was kept of that is forgotten."""
        turn = self.turn()
        if name != turn.name:
            self.end()
            turn = Turn(name, noticed=turn.noticed)
            with contextlib.suppress(HookError):
                self.keep_turn(turn)
        return turn

    def keep_turn(self, turn: Turn) -> None:
        self._write("turn", asdict(turn))

    def end(self) -> None:
        """Forgets the turn, but for a notice that need not be told again."""
        noticed = self.turn().noticed
        shutil.rmtree(self._folder, ignore_errors=True)
        if noticed:
            with contextlib.suppress(HookError):
                self.keep_turn(replace(Turn(), noticed=True))

    def first(self) -> dict[str, str | None]:
        """The files of this turn, by path, and the text of each before it; None where that is not known."""
        texts = (_text(path) for path in _files(self._folder, "first-*"))
        return {path: text for found in texts if found is not None for path, text in [found]}

    def last(self, path: str) -> str | None:
        """The text that a file of this turn had when it was last seen."""
        found = _text(self._folder / f"last-{_hash(path)}")
        return found[1] if found else None

    def keep_first(self, path: str, text: str | None) -> None:
        """Does nothing when there is one already."""
        name = f"first-{_hash(path)}"
        if not (self._folder / name).exists():
            self._keep(name, path, text)

    def keep_last(self, path: str, text: str) -> None:
        self._keep(f"last-{_hash(path)}", path, text)

    def _keep(self, name: str, path: str, text: str | None) -> None:
        if text is not None and len(text) > MOST_BYTES:
            text = None
        if (self._folder / name).exists() or len(list(_files(self._folder, "*"))) < MOST_TEXTS:
            self._write(name, {"path": path, "text": text})

    def _write(self, name: str, value: Any) -> None:
        try:
            if not self._folder.is_dir():
                require_private(str(self._root))
                _forget(self._root)
                self._folder.mkdir(mode=0o700, exist_ok=True)
            temporary = self._folder / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
            temporary.write_text(json.dumps(value), "utf-8")
            temporary.replace(self._folder / name)
        except OSError as error:
            raise HookError(f"{self._root} cannot be written: {error.strerror or error}") from error


def _forget(root: Path) -> None:
    """Sessions that are old, and the oldest of too many."""
    with contextlib.suppress(OSError):
        ages = sorted(((time.time() - path.stat().st_mtime, path) for path in root.iterdir()), reverse=True)
        for number, (age, path) in enumerate(ages):
            if age > LONGEST or number < len(ages) - MOST_SESSIONS + 1:
                shutil.rmtree(path, ignore_errors=True)


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(folder.glob(pattern))


def _text(file: Path) -> tuple[str, str | None] | None:
    value = _read(file)
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        return None
    text = value.get("text")
    return value["path"], text if isinstance(text, str) else None


def _read(file: Path) -> Any:
    try:
        return json.loads(read_file(file, 8 * MOST_BYTES))
    except (OSError, ValueError):
        return None


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]
