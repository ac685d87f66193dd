"""The files of a run that makes a folder: shards of records, of as many programs each.

`data/train-00000-of-00008.jsonl.gz` are the shards, as `datasets.load_dataset` takes them. `journal.jsonl`
says what the run was started with, then, a line each, which shards are written, and what failed in them: a
shard without its line is made again. When all are there, `failures.jsonl` has the samples that could not be
made, and `manifest.json` the counts and checksums. docs/scale.md describes them.
"""

import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from filelock import FileLock

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.optional import extra
from lintseq_lsp.synthesis.output import ANOTHER, as_before, lines_of, refusals, replace
from lintseq_lsp.synthesis.programs import Program, ProgramOutcome
from lintseq_lsp.synthesis.screening import RemovedRecord
from lintseq_lsp.synthesis.sources import read_data
from lintseq_lsp.synthesis.workers import Job

Format = Literal["jsonl", "parquet"]
Compression = Literal["none", "gzip", "zstd"]

_ENDINGS = {"none": ".jsonl", "gzip": ".jsonl.gz", "zstd": ".jsonl.zst"}
_MOST_SHARDS = 100_000  # five digits
_AHEAD = 64  # programs a worker: more than it is given at once
_SHARDS_AHEAD = 100  # that may be begun and not complete


@dataclass(frozen=True, slots=True)
class Layout:
    """`programs` are those of one shard."""

    programs: int = 1000
    format: Format = "jsonl"
    compression: Compression = "gzip"

    def name(self, shard: int, shards: int) -> str:
        ending = ".parquet" if self.format == "parquet" else _ENDINGS[self.compression]
        return f"data/train-{shard:05}-of-{shards:05}{ending}"

    def encoded(self, records: Sequence[Mapping[str, Any]]) -> bytes:
        """The same bytes for the same records."""
        if self.format == "parquet":
            with extra("data"):
                from lintseq_lsp.synthesis.columnar import parquet
            return parquet(records, self.compression)
        content = lines_of(records)
        if self.compression == "zstd":
            with extra("data"):
                from lintseq_lsp.synthesis.columnar import zstandard
            return zstandard(content)
        return gzip.compress(content, 6, mtime=0) if self.compression == "gzip" else content


class Shards:
    """Takes outcomes in any order, by the places of their programs among all, and writes shards when they are
    complete. `done` holds the shards that were complete at the start.

    `sequences` and `failures` count the records of all runs.
    """

    def __init__(
        self, folder: Path, run: Mapping[str, Any], layout: Layout, *, retry_failed: bool = False
    ) -> None:
        """`run` must tell the number of `programs`. Raises `SettingsError` when `folder` was begun with
        another `run`, is another process's at this time, or cannot be written. With `retry_failed`, shards
        with failures are made again."""
        self.folder, self._layout = folder, layout
        self._programs: int = run["programs"]
        self._count = -(-self._programs // layout.programs)
        if self._count > _MOST_SHARDS:
            raise SettingsError(f"{self._count} shards are too many: use a larger --shard-programs")
        self._run = {**run, "shard_programs": layout.programs, "format": layout.format}
        self._run["compression"] = layout.compression
        self._begun: dict[int, dict[int, ProgramOutcome]] = {}
        with refusals(folder), ExitStack() as stack:
            journal = folder / "journal.jsonl"
            if not journal.exists() and folder.exists() and any(folder.iterdir()):
                raise SettingsError(f"{folder} has files and was not made by this command: {ANOTHER}")
            (folder / "data").mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / ".lock", blocking=False))
            self._entries = self._read(journal)
            self.done = {
                shard
                for shard, entry in self._entries.items()
                if self._is_whole(entry) and not (retry_failed and entry["failures"])
            }
            if len(self.done) < self._count:
                (folder / "manifest.json").unlink(missing_ok=True)
            self._journal = stack.enter_context(journal.open("ab"))
            self._opened = stack.pop_all()

    def ahead(self, workers: int) -> int:
        """How many places a job may be ahead of the first that is not done: their shards wait."""
        return _AHEAD * workers + _SHARDS_AHEAD * self._layout.programs

    def jobs(self, programs: Iterable[Program], samples: Sequence[int]) -> Iterator[Job]:
        for place, program in enumerate(programs):
            if place // self._layout.programs not in self.done:
                yield Job(place, program, samples)

    @property
    def programs_done(self) -> int:
        return sum(self._size(shard) for shard in self.done)

    @property
    def sequences(self) -> int:
        return sum(entry["sequences"] for entry in self._entries.values())

    @property
    def failures(self) -> int:
        return sum(len(entry["failures"]) for entry in self._entries.values())

    def write(self, place: int, outcome: ProgramOutcome) -> None:
        """Raises `OSError` when the disk is full or the like: what is complete stays so."""
        shard = place // self._layout.programs
        begun = self._begun.setdefault(shard, {})
        begun[place] = outcome
        if len(begun) == self._size(shard):
            self._complete(shard, [outcome for _, outcome in sorted(begun.items())])
            del self._begun[shard]

    def remove(self, records: Sequence[RemovedRecord]) -> None:
        """Writes down which programs are left out."""
        if records:
            replace(self.folder / "removed.jsonl", [lines_of(records)])

    def finish(self) -> None:
        """Writes down what all shards say together. All must be complete."""
        entries = [self._entries[shard] for shard in range(self._count)]
        failures = [failure for entry in entries for failure in entry["failures"]]
        replace(self.folder / "failures.jsonl", [lines_of(failures)])
        reasons = Counter(failure["reason"] for failure in failures)
        manifest = {
            "version": 1,
            "run": self._run,
            "programs": self._programs,
            "sequences": self.sequences,
            "failures": len(failures),
            "reasons": dict(sorted(reasons.items())),
            "shards": [{**entry, "failures": len(entry["failures"])} for entry in entries],
        }
        replace(self.folder / "manifest.json", [json.dumps(manifest, indent=2).encode() + b"\n"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _size(self, shard: int) -> int:
        return min(self._layout.programs, self._programs - shard * self._layout.programs)

    def _complete(self, shard: int, outcomes: Sequence[ProgramOutcome]) -> None:
        records = [record for outcome in outcomes for record in outcome.sequences]
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        before = self._entries.get(shard)
        if before and self._is_whole(before) and len(before["failures"]) <= len(failures):
            return  # tried again in vain
        content = self._layout.encoded(records)
        name = self._layout.name(shard, self._count)
        entry = {
            "file": name,
            "programs": len(outcomes),
            "sequences": len(records),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "failures": failures,
        }
        replace(self.folder / name, [content])
        self._journal.write(lines_of([{"shard": shard, **entry}]))
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._entries[shard] = entry

    def _read(self, journal: Path) -> dict[int, dict[str, Any]]:
        """What the journal says of each shard, last. A line that was cut off goes."""
        lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
        if lines and not lines[-1].endswith(b"\n"):
            os.truncate(journal, sum(map(len, lines[:-1])))
            del lines[-1]
        if not lines:
            replace(journal, [lines_of([self._run])])
            return {}
        try:
            run, *entries = map(json.loads, lines)
        except ValueError:
            run, entries = None, []
        as_before(self.folder, journal, run, self._run)
        return {entry.pop("shard"): entry for entry in entries}

    def _is_whole(self, entry: Mapping[str, Any]) -> bool:
        path = self.folder / entry["file"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            return False
        with path.open("rb") as file:
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises `SettingsError` where there is none, as while the run is not finished."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder} has no manifest of a finished run: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != 1:
        raise SettingsError(f"{folder / 'manifest.json'} was not written by this command")
    return manifest


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """The sequences of a finished run, in the order of their programs."""
    for shard in read_manifest(folder)["shards"]:
        for row in read_data(folder / shard["file"]):
            yield json.loads(row) if isinstance(row, bytes) else dict(row)
