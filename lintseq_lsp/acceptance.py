"""How probable it is that ghost text is what comes: a logistic regression over what is known without cost.

A model's own probability says how sure it is of its words, not whether they belong there. The numbers are in
`models/manifest.json` (`certainty.acceptance`), fitted by `models/filter.py`; the features come from
`asking/features.py`. JetBrains describes such a filter for its own completion by a model of this size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Described:
    """The text of an answer, and what is known of it, by name."""

    text: str
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Weights by the names of features; those that are not named count 0."""

    bias: float
    weights: Mapping[str, float] = field(default_factory=dict)

    def logprob(self, answer: Described) -> float:
        """The logarithm of the probability that it is right."""
        known = answer.features
        odds = self.bias + sum(weight * known.get(name, 0.0) for name, weight in self.weights.items())
        return -math.log1p(math.exp(-odds)) if odds > 0 else odds - math.log1p(math.exp(odds))
