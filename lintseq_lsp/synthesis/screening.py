"""What is left out before any work is spent on it: near-duplicates, and what overlaps with a benchmark."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.optional import extra
from lintseq_lsp.synthesis.programs import Key, Program
from lintseq_lsp.synthesis.sources import is_data, read_data

NEAR_DUPLICATE = "near-duplicate"
CONTAMINATED = "overlaps with a benchmark"
WORDS = 10
_WORD = re.compile(r"\w+")


class RemovedRecord(TypedDict):
    """A program that is left out: why, and for which other program or which record of a benchmark."""

    index: int
    source_file: str
    reason: str
    because_of: str


class _Alike(Protocol):
    def of(self, code: str) -> int | None: ...


class Screening:
    """Says of each program, in their order, whether it is left out.

    `description` has what decides that, beside the programs.
    """

    def __init__(
        self, near_duplicates: float | None = None, benchmarks: Sequence[Path] = (), words: int = WORDS
    ) -> None:
        """Left out are programs whose Jaccard similarity with an earlier one is `near_duplicates` or more,
        and those whose instruction or response has `words` words in a row of a text of `benchmarks`.

        Raises `SettingsError` for a benchmark that cannot be read or has no such text, and without
        the library for near-duplicates.
        """
        self._alike: _Alike | None = None
        self._kept: list[Key] = []
        self._words, self._places = words, dict[str, str]()
        self.description: dict[str, Any] = {}
        if near_duplicates is not None:
            with extra("quality"):
                from lintseq_lsp.synthesis.near_duplicates import LIBRARY, NearDuplicates
            self._alike = NearDuplicates(near_duplicates)
            self.description |= {"near_duplicates": near_duplicates, "minhash": LIBRARY}
        digests = [self._look_for(path) for path in benchmarks]
        if digests:
            self.description |= {"benchmarks": digests, "benchmark_words": words}

    def _look_for(self, path: Path) -> dict[str, str]:
        found = False
        for place, text in _texts(path):
            for words in _in_a_row(text, self._words):
                found = True
                self._places.setdefault(words, place)
        if not found:
            raise SettingsError(f"{path} has no text of {self._words} words or more")
        return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def removed(self, program: Program) -> RemovedRecord | None:
        """None for a program that stays."""
        for text in (program.instruction, program.response) if self._places else ():
            for words in _in_a_row(text, self._words):
                if (place := self._places.get(words)) is not None:
                    return _removed(program, CONTAMINATED, place)
        if self._alike is not None:
            if (number := self._alike.of(program.code)) is not None:
                source_file, index = self._kept[number]
                return _removed(program, NEAR_DUPLICATE, f"{source_file}:{index}")
            self._kept.append(program.key)
        return None


def _removed(program: Program, reason: str, because_of: str) -> RemovedRecord:
    return RemovedRecord(
        index=program.index, source_file=program.source_file, reason=reason, because_of=because_of
    )


def _in_a_row(text: str, number: int) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    return (" ".join(words[at : at + number]) for at in range(len(words) - number + 1))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Each text of a benchmark's file with its place: all strings of a data file's rows, else the file."""
    try:
        if is_data(path.name):
            for number, row in enumerate(read_data(path), 1):
                record = json.loads(row) if isinstance(row, bytes) and row.strip() else row
                for text in _strings(record):
                    yield f"{path.name}:{number}", text
        else:
            yield path.name, path.read_text(encoding="utf-8")
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read as a benchmark: {error}") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
