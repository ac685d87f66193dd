"""What a benchmark is told, and what it finds: samples of one quantity, and whether a target was reached."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_STATISTICS = {"min": 0, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95, "max": 100}


@dataclass(frozen=True, slots=True)
class Plan:
    """`model` is a GGUF file or a model's name, empty for the embedded one."""

    model: str = ""
    quick: bool = False
    suggestions: int = 2000  # over which memory is watched

    def times(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """A limit of one statistic: `p50 ≤ 150`."""

    statistic: str
    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{self.statistic} {'≥' if self.at_least else '≤'} {self.limit:.4g}"

    def is_reached(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Result:
    """Samples of what `name` says, in `unit`. None at all means that it could not be measured."""

    name: str
    unit: str
    values: tuple[float, ...] = ()
    targets: tuple[Target, ...] = ()
    note: str = ""

    def statistic(self, name: str) -> float | None:
        """A percentile, with interpolation between neighbours."""
        return float(np.percentile(self.values, _STATISTICS[name])) if self.values else None

    @property
    def reached(self) -> bool | None:
        """Whether all targets were; None when there is none."""
        if not self.targets:
            return None
        return all(
            value is not None and target.is_reached(value)
            for target in self.targets
            for value in (self.statistic(target.statistic),)
        )

    def record(self) -> dict[str, Any]:
        values = {name: self.statistic(name) for name in _STATISTICS}
        return {
            "name": self.name,
            "unit": self.unit,
            "n": len(self.values),
            **{name: None if value is None else round(value, 4) for name, value in values.items()},
            "target": ", ".join(map(str, self.targets)) or None,
            "reached": self.reached,
            "note": self.note,
        }


Results = Iterator[Result]
