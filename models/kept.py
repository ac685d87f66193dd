"""What a script computed once, so that a run which was stopped goes on where it was."""
# ruff: noqa: T201 - a script that speaks to a terminal

import hashlib
import pickle
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import lintseq_lsp
from lintseq_lsp.backends.base import Backend, Piece, Request, Special, Usage

Value = TypeVar("Value")


def code() -> str:
    """Tells one state of the product's code from another: what it says of a text depends on that."""
    package = Path(lintseq_lsp.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Kept:
    """What was computed once, by key, in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path)
        self._file.execute("create table if not exists kept (key text primary key, value blob)")

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        value = self.find(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value

    def of_each(self, label: str, passages: Sequence[Value], make: Callable[[Value], Any]) -> list[Any]:
        """What `make` makes of each, computed once by that label. Shows how far it is."""
        found = []
        for number, passage in enumerate(passages, 1):
            key = label + hashlib.sha256(repr(passage).encode()).hexdigest()
            found.append(self.get(key, lambda passage=passage: make(passage)))
            print(f"\r{number} of {len(passages)} passages", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return found

    def find(self, key: str) -> Any:
        row = self._file.execute("select value from kept where key = ?", (key,)).fetchone()
        return None if row is None else pickle.loads(row[0])

    def put(self, key: str, value: Any) -> None:
        with self._file:
            self._file.execute("insert or replace into kept values (?, ?)", (key, pickle.dumps(value)))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read of an answer. `usage` is what the prompt cost, the first time."""

    pieces: tuple[Piece, ...] = ()
    is_all: bool = False
    usage: Usage = field(default_factory=Usage)


class KeptBackend:
    """Writes the same answer to the same request without the model. Adds up what is read of it.

    Of an answer that is not read to its end, the rest is not written; who wants more has it written anew.
    """

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
        said = repr(replace(request, stops=frozenset())) + repr(sorted(map(repr, request.stops)))
        key = self._digest + hashlib.sha256(said.encode()).hexdigest()
        known = self._kept.find(key) or Answer()
        pieces, is_all = list(known.pieces), known.is_all
        written = [0] * request.candidates  # as one batch
        try:
            for piece in known.pieces:
                written[piece.candidate] += piece.tokens
                yield piece
            if not is_all:
                with closing(self._backend.write(request, cancelled)) as again:
                    for piece in islice(again, len(known.pieces), None):
                        pieces.append(piece)
                        written[piece.candidate] += piece.tokens
                        yield piece
                    is_all = True
        finally:
            self.usage = known.usage if known.pieces else self._backend.usage
            if len(pieces) > len(known.pieces) or is_all > known.is_all:
                self._kept.put(key, Answer(tuple(pieces), is_all, self.usage))
            self.read += self.usage.read
            self.written += max(written)

    def close(self) -> None:
        self._backend.close()
