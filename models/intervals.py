"""How well a mean, or another figure, is known."""

import random
from collections.abc import Callable, Sequence
from statistics import mean, quantiles
from typing import TypeVar

RESAMPLES = 1000
Value = TypeVar("Value")


def half(values: Sequence[Value], figure: Callable[[Sequence[Value]], float] = mean) -> float:
    """Half of the 95 % interval of a figure of the values, by resampling; they are drawn independently."""
    rng = random.Random(0)
    cut = quantiles([figure(rng.choices(values, k=len(values))) for _ in range(RESAMPLES)], n=40)
    return (cut[-1] - cut[0]) / 2


def share(values: Sequence[float]) -> str:
    """The mean in per cent, with its interval; empty without values."""
    return f"{100 * mean(values):.1f} ± {100 * half(values):.1f}" if values else ""
