"""What the four fuzz programs share: cases that are JSON, batches, seeds, bounds, and files of findings.

A case is all that one trial needs, so that a finding can be kept as a file and replayed for ever.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

CASES = Path(__file__).parent / "cases"

Case = dict[str, Any]


@dataclass
class Result:
    """Of a batch: how much was tried, in the fuzz' unit, and what was wrong with which case."""

    count: int = 0
    wrong: list[tuple[Case, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Fuzz:
    """`make` draws a case, `check` tries a batch of `batch` cases; `unit` is what a result counts."""

    name: str
    unit: str
    batch: int
    make: Callable[[Random], Case]
    check: Callable[[Sequence[Case]], Result]


@dataclass(frozen=True)
class Figure:
    """One run of one fuzz program."""

    name: str
    unit: str
    seed: int
    count: int
    wrong: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.count:,} {self.unit}, {self.wrong} wrong, "
            f"seed {self.seed}, {self.seconds:.0f} s"
        )


def run(
    fuzz: Fuzz, seed: int, *, seconds: float, most: int, found: Callable[[Case, str], None] = lambda *_: None
) -> Figure:
    """Batches until `seconds` have passed or `most` units were tried; `found` is told of each finding.

    Batch n of a seed is always the same.
    """
    begun = time.monotonic()
    count = wrong = number = 0
    while count < most and time.monotonic() - begun < seconds:
        random = Random(f"{seed} {fuzz.name} {number}")
        result = fuzz.check([fuzz.make(random) for _ in range(fuzz.batch)])
        for case, what in result.wrong:
            found(case, what)
        count, wrong, number = count + result.count, wrong + len(result.wrong), number + 1
    return Figure(fuzz.name, fuzz.unit, seed, count, wrong, time.monotonic() - begun)


def keep(name: str, case: Case, what: str) -> Path:
    """Writes a finding as a file, which the ordinary suite replays from then on."""
    text = json.dumps({"fuzz": name, "wrong": what, "case": case}, indent=1) + "\n"
    path = CASES / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    path.write_text(text, "utf-8")
    return path
