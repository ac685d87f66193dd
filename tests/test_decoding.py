"""From logits to text, without a model: what is drawn, how an answer begins, and where it stops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.base import Sampling
from lintseq_lsp.backends.decoding import draw


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30),
    st.floats(0.25, 2),
    st.sampled_from([0.1, 0.5, 0.9, 0.999, 1.0]),
    st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    st.floats(0, 1, exclude_max=True),
)
def test_draw_keeps_to_nucleus_and_floor(
    logits: list[float], temperature: float, top_p: float, min_p: float, chance: float
) -> None:
    drawn = draw(np.array(logits, np.float32), Sampling(temperature, top_p, min_p), chance)
    weights = np.exp((np.array(logits) - max(logits)) / temperature)
    likelier = weights[weights > weights[drawn] * (1 + 1e-4)].sum() / weights.sum()
    assert likelier <= top_p + 1e-4
    assert weights[drawn] >= min_p * (1 - 1e-4)


def test_draw_follows_the_distribution() -> None:
    logits = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    counts = np.bincount([draw(logits, Sampling(1.0), (i + 0.5) / 1000) for i in range(1000)])
    assert counts.tolist() == pytest.approx([100, 200, 700], abs=1)
    sharp = [draw(logits, Sampling(1.0, top_p=0.85), (i + 0.5) / 900) for i in range(900)]
    assert np.bincount(sharp).tolist() == pytest.approx([0, 200, 700], abs=1)
