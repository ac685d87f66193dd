"""What a script computed once, so that a run which was stopped goes on where it was."""

import hashlib
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lintseq_lsp.backends.base import Backend, Piece, Request, Special, Usage


class Kept:
    """What was computed once, by key, in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path)
        self._file.execute("create table if not exists kept (key text primary key, value blob)")

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        row = self._file.execute("select value from kept where key = ?", (key,)).fetchone()
        if row is not None:
            return pickle.loads(row[0])
        value = make()
        with self._file:
            self._file.execute("insert into kept values (?, ?)", (key, pickle.dumps(value)))
        return value

    def close(self) -> None:
        self._file.close()


class KeptBackend:
    """Writes the same answer to the same request without the model. Adds up what all of it cost."""

    def __init__(self, backend: Backend, kept: Kept, digest: str) -> None:
        self._backend, self._kept, self._digest = backend, kept, digest
        self.name, self.context, self.abilities = backend.name, backend.context, backend.abilities
        self.usage = Usage()
        self.read = self.written = 0

    def has(self, special: Special) -> bool:
        return self._backend.has(special)

    def count(self, text: str) -> int:
        return self._backend.count(text)

    def write(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        def make() -> tuple[list[Piece], Usage]:
            return list(self._backend.write(request, cancelled)), self._backend.usage

        said = repr(replace(request, stops=frozenset())) + repr(sorted(map(repr, request.stops)))
        pieces, self.usage = self._kept.get(self._digest + hashlib.sha256(said.encode()).hexdigest(), make)
        self.read += self.usage.read
        self.written += max(self.usage.written // request.candidates, 1)
        yield from pieces

    def close(self) -> None:
        self._backend.close()
