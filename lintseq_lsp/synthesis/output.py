"""The files of a run, which survive a kill: whole lines only, and what is there twice or in part goes.

`NAME.jsonl` holds the sequences, `NAME.failures.jsonl` the samples that could not be made, and
`NAME.run.json` what the run was started with, so that it cannot go on as another one.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.synthesis.programs import Outcome

Key = tuple[str, int]


class Output:
    """Appends outcomes. `done` holds the keys of the programs that were complete at the start.

    `sequences` and `failures` count the records of all runs.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], samples: int) -> None:
        """Raises `SettingsError` when `path` was begun with another `run`."""
        self._paths = (path, path.with_suffix(".failures.jsonl"))
        description = path.with_suffix(".run.json")
        if description.exists():
            _same_run(path, json.loads(description.read_text("utf-8")), run)
        elif path.exists():
            raise SettingsError(f"{path} exists and was not made by this command: choose another output")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(description, [json.dumps(run, indent=2).encode() + b"\n"])
        counts: Counter[Key] = Counter(key for file in self._paths for key, _ in _whole_lines(file))
        self.done = {key for key, count in counts.items() if count == samples}
        self.sequences, self.failures = map(self._keep_done, self._paths)
        self._files = tuple(file.open("ab") for file in self._paths)

    def _keep_done(self, path: Path) -> int:
        kept = [line for key, line in _whole_lines(path) if key in self.done]
        if not path.exists() or sum(map(len, kept)) != path.stat().st_size:
            _replace(path, kept)
        return len(kept)

    def write(self, outcome: Outcome) -> None:
        for file, records in zip(self._files, (outcome.sequences, outcome.failures), strict=True):
            file.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))
            file.flush()
        self.sequences += len(outcome.sequences)
        self.failures += len(outcome.failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()


def _same_run(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            raise SettingsError(
                f"{path} was begun with {name} {before.get(name)!r}, not {now.get(name)!r}: "
                "go on with the same, or choose another output"
            )


def _whole_lines(path: Path) -> Iterator[tuple[Key, bytes]]:
    """The records up to a line that was cut off, each with the program it belongs to."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                return
            if not line.endswith(b"\n"):
                return
            yield (record["source_file"], record["index"]), line


def _replace(path: Path, lines: list[bytes]) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(b"".join(lines))
    partial.replace(path)
