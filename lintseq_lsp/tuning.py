"""How many threads a model reads and writes with on this machine: measured once, and remembered for the user.

It lies in the user's folder of states, never in a workspace. What cannot be read counts as not measured.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

_READ, _WRITTEN, _ROUNDS = 256, 32, 3


@dataclass(frozen=True, slots=True)
class Threads:
    read: int
    write: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second with so many threads."""

    threads: int
    reading: float
    writing: float


def remembered(model: Path) -> Threads | None:
    """What was measured for a model's file on as many processors as there are now."""
    try:
        return _as_threads(json.loads(_file().read_text("utf-8"))[_key(model)])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(model: Path, threads: Threads) -> None:
    """Raises `OSError` where the user's folder cannot be written to."""
    known: dict[str, object] = {}
    with contextlib.suppress(OSError, ValueError):
        read = json.loads(_file().read_text("utf-8"))
        known = read if isinstance(read, dict) else {}
    known[_key(model)] = asdict(threads)
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def measured(model: Path, context: int | None = None) -> Iterator[Rate]:
    """The rates with one thread, two, four, and so on up to all processors: the best of a few rounds each."""
    from lintseq_lsp.backends.base import Request
    from lintseq_lsp.backends.llama import LlamaBackend

    most = os.cpu_count() or 1
    counts = sorted({most, *(2**power for power in range(6) if 2**power <= most)})
    for count in counts:
        backend = LlamaBackend(model, threads=count, writing_threads=count, context=context)
        try:
            reading, writing = [], []
            for number in range(_ROUNDS):
                prompt = [" ".join(f"{number}{word}" for word in range(_READ))]
                start = time.perf_counter()
                list(backend.write(Request(prompt, max_tokens=0), lambda: False))
                reading.append(backend.usage.read / (time.perf_counter() - start))
                start = time.perf_counter()
                list(backend.write(Request(prompt, max_tokens=_WRITTEN), lambda: False))
                writing.append(backend.usage.written / (time.perf_counter() - start))
        finally:
            backend.close()
        yield Rate(count, max(reading), max(writing))


def best(rates: list[Rate]) -> Threads:
    """More threads have to be worth it: those of the linter and the editor wait for the same processors."""

    def fewest(speeds: list[float]) -> int:
        enough = 0.9 * max(speeds)
        return next(rate.threads for rate, speed in zip(rates, speeds, strict=True) if speed >= enough)

    return Threads(fewest([rate.reading for rate in rates]), fewest([rate.writing for rate in rates]))


def _as_threads(found: object) -> Threads:
    counts = (found["read"], found["write"]) if isinstance(found, dict) else ()
    if len(counts) != 2 or not all(type(count) is int and 1 <= count <= 1024 for count in counts):
        raise ValueError
    return Threads(*counts)


def _key(model: Path) -> str:
    return f"{model.name}, {os.cpu_count()} processors"


def _file() -> Path:
    return platformdirs.user_state_path("lintseq-lsp", appauthor=False) / "threads.json"
