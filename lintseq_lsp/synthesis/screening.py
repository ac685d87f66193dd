"""What is left out before any work is spent on it: near-duplicates, and programs that overlap with a benchmark."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.optional import optional
from lintseq_lsp.synthesis.programs import Program

if TYPE_CHECKING:
    from lintseq_lsp.synthesis.near_duplicates import NearDuplicates

NEAR_DUPLICATE = "near-duplicate"
CONTAMINATED = "overlap with a benchmark"
WORDS = 10
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Removed:
    """A program that is left out: why, and because of which other program or which item of a benchmark."""

    index: int
    source_file: str
    reason: str
    because_of: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


class Screening:
    """Says of each program, in their order, whether it is left out. `description` tells one choice from others."""

    def __init__(
        self, near_duplicates: float | None = None, benchmarks: Sequence[Path] = (), words: int = WORDS
    ) -> None:
        """Programs whose Jaccard similarity with an earlier one is at least `near_duplicates`, and those that have
        `words` words in a row in common with a text of `benchmarks`.

        Raises `SettingsError` for a benchmark that cannot be read or has no such text, and without
        the library for near-duplicates.
        """
        self._alike: NearDuplicates | None = None
        if near_duplicates is not None:
            self._alike = optional("near_duplicates", "quality").NearDuplicates(near_duplicates)
        self._kept: list[tuple[str, int]] = []
        self._words = words
        self._grams: dict[str, str] = {}
        digests = {}
        for path in benchmarks:
            before = len(self._grams)
            for place, text in _texts(path):
                for gram in _grams(text, words):
                    self._grams.setdefault(gram, place)
            if len(self._grams) == before:
                raise SettingsError(f"{path} has no text of {words} words that could be looked for")
            digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.description = {
            "near_duplicates": near_duplicates,
            "benchmarks": digests,
            "benchmark_words": words if digests else None,
        }

    def removed(self, program: Program) -> Removed | None:
        for text in (program.instruction, program.response) if self._grams else ():
            for gram in _grams(text, self._words):
                if (place := self._grams.get(gram)) is not None:
                    return Removed(program.index, program.source_file, CONTAMINATED, place)
        if self._alike is not None:
            if (number := self._alike.of(program.code)) is not None:
                name, index = self._kept[number]
                return Removed(program.index, program.source_file, NEAR_DUPLICATE, f"{name}:{index}")
            self._kept.append(program.key)
        return None


def _grams(text: str, words: int) -> Iterator[str]:
    found = _WORD.findall(text.lower())
    return (" ".join(found[at : at + words]) for at in range(len(found) - words + 1))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Every text of a benchmark's file, with its place. Of JSONL, each string of each record."""
    try:
        if ".jsonl" not in path.suffixes:
            yield path.name, path.read_text(encoding="utf-8")
            return
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for text in _strings(json.loads(line)) if line.strip() else ():
                    yield f"{path.name}:{number}", text
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read as a benchmark: {error}") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
