"""The files of a run, which survive a kill: whole lines only, and what is there twice or in part goes.

`NAME.jsonl` holds the sequences, `NAME.failures.jsonl` the samples that could not be made, and
`NAME.run.json` what the run was begun with, so that it cannot go on as another one. `NAME.removed.jsonl` is
there when programs were left out. `NAME.lock` is empty and stays: it is what a second run at the same time
finds locked.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.programs import Key, Program, ProgramOutcome
from lintseq_lsp.synthesis.screening import RemovedRecord
from lintseq_lsp.synthesis.workers import Job

ANOTHER = "choose another output"
_AHEAD = 16  # programs a worker that may be ahead of the slowest one


class Output:
    """Appends outcomes. `done` holds the keys of the programs that were complete at the start.

    With `retry_failed`, failed samples of complete programs are taken out and are in `again`, by program.
    `sequences` and `failures` count the records of all runs.
    """

    def __init__(
        self, path: Path, run: Mapping[str, Any], samples: int, *, retry_failed: bool = False
    ) -> None:
        """Raises `SettingsError` when `path` was begun with another `run`, is another process's at this
        time, or cannot be written."""
        with refusals(path), ExitStack() as stack:
            path = path.resolve()  # a link stays one
            failures, description = beside(path, ".failures.jsonl"), beside(path, ".run.json")
            self._removed = beside(path, ".removed.jsonl")
            if not description.exists():
                for file in (path, failures, self._removed):
                    if file.exists():
                        raise SettingsError(f"{file} exists and was not made by this command: {ANOTHER}")
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(beside(path, ".lock"), blocking=False))
            _begin(path, description, {"output": path.name, **run})
            for file in (path, failures):
                file.touch()
            counts = Counter(key for file in (path, failures) for key, _, _ in _records(file))
            complete = {key for key, count in counts.items() if count == samples}
            self._early: dict[int, ProgramOutcome] = {}
            self._place = 0
            self._untried: defaultdict[Key, list[Any]] = defaultdict(list)
            if retry_failed:
                for key, record, _ in _records(failures):
                    if key in complete:
                        self._untried[key].append(record)
            self.again = {key: [each["sample"] for each in lost] for key, lost in self._untried.items()}
            self.done = complete - self.again.keys()
            self.sequences = _keep(path, complete)
            self.failures = _keep(failures, self.done)
            self._files = [stack.enter_context(file.open("ab")) for file in (path, failures)]
            self._opened = stack.pop_all()

    @property
    def programs_done(self) -> int:
        return len(self.done)

    def ahead(self, workers: int) -> int:
        """How many places a job may be ahead of the first that is not done: their outcomes wait."""
        return _AHEAD * workers

    def jobs(self, programs: Iterable[Program], samples: Sequence[int]) -> Iterator[Job]:
        todo = (program for program in programs if program.key not in self.done)
        return (Job(at, each, self.again.get(each.key, samples)) for at, each in enumerate(todo))

    def write(self, place: int, outcome: ProgramOutcome) -> None:
        """In the order of places, from 0 on: an outcome that is early waits."""
        self._early[place] = outcome
        while (following := self._early.pop(self._place, None)) is not None:
            self._append(following)
            self._place += 1

    def remove(self, records: Sequence[RemovedRecord]) -> None:
        """Writes down which programs are left out."""
        if records:
            replace(self._removed, [lines_of(records)])

    def finish(self) -> None:
        """All is written already."""

    def _append(self, outcome: ProgramOutcome) -> None:
        for file, records in zip(self._files, (outcome.sequences, outcome.failures), strict=True):
            file.write(lines_of(records))
            file.flush()
            for record in records:
                self._untried.pop((record["source_file"], record["index"]), None)
        self.sequences += len(outcome.sequences)
        self.failures += len(outcome.failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opened:  # a run that ends early leaves what it has not tried again as it was
            self._files[1].write(lines_of(chain.from_iterable(self._untried.values())))


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except Timeout as error:
        raise SettingsError(f"another run is writing {path} now") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error}") from error


def beside(path: Path, ending: str) -> Path:
    return path.with_name((path.stem if path.suffix == ".jsonl" else path.name) + ending)


def _begin(path: Path, description: Path, run: Mapping[str, Any]) -> None:
    """Writes down what a run is started with, or sees that it is the same as before."""
    if not description.exists():
        replace(description, [json.dumps(run, indent=2).encode() + b"\n"])
        return
    try:
        before = json.loads(description.read_bytes())
    except ValueError:
        before = None
    as_before(path, description, before, run)


def as_before(path: Path, description: Path, before: object, run: Mapping[str, Any]) -> None:
    """Raises `SettingsError` when `before`, from `description`, is not what `path` is to be made with now."""
    if not isinstance(before, dict):
        raise SettingsError(f"{description} does not describe a run of this command: {ANOTHER}")
    for name in [*run, *before]:
        if before.get(name) != run.get(name):
            raise SettingsError(
                f"{path} was begun with {name} {before.get(name)!r}, not {run.get(name)!r}: "
                f"continue with the same, or {ANOTHER}"
            )


def _records(path: Path) -> Iterator[tuple[Key, dict[str, Any], bytes]]:
    """The records up to a line that was cut off, each with the program it belongs to and its line."""
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                return
            if not line.endswith(b"\n"):
                return
            match record:
                case {"source_file": str(source_file), "index": int(index)}:
                    yield (source_file, index), record, line
                case _:
                    raise SettingsError(f"{path} has lines that this command did not write: {ANOTHER}")


def _keep(path: Path, keys: Set[Key]) -> int:
    """Leaves the records of the programs `keys` alone, and tells how many. The file may be large: it is
    copied only when more goes than its end, which is all that a kill leaves to mend."""
    count = seen = kept = 0
    only_end_goes = True
    for key, _, line in _records(path):
        if key in keys:
            only_end_goes &= kept == seen
            count += 1
            kept += len(line)
        seen += len(line)
    if only_end_goes:
        os.truncate(path, kept)
    else:
        replace(path, (line for key, _, line in _records(path) if key in keys))
    return count


def lines_of(records: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def replace(path: Path, lines: Iterable[bytes]) -> None:
    """All of it or nothing, whenever the machine stops."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
