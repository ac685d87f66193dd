"""How well a mean is known."""

import random
from collections.abc import Sequence
from statistics import mean, quantiles

RESAMPLES = 1000


def half(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean, by resampling; the values are drawn independently."""
    rng = random.Random(0)
    cut = quantiles([mean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES)], n=40)
    return (cut[-1] - cut[0]) / 2


def share(values: Sequence[float]) -> str:
    """The mean in per cent, with its interval; empty without values."""
    return f"{100 * mean(values):.1f} ± {100 * half(values):.1f}" if values else ""
