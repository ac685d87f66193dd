"""What followed the same tokens before, against the plainest way to count it."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintseq_lsp.backends.ngram_cache import NgramCache

SIZE = 4
TEXTS = st.lists(st.integers(0, SIZE - 1), max_size=60)


def common(text: list[int], place: int) -> int:
    """How many tokens of `text` in front of `place` are those at its end, of at most 16."""
    count = 0
    while count < min(place, 16) and text[place - 1 - count] == text[len(text) - 1 - count]:
        count += 1
    return count


@given(TEXTS, TEXTS)
def test_it_counts_what_followed(before: list[int], pushed: list[int]) -> None:
    cache = NgramCache(before)
    for token in pushed:
        cache.push(token)
    text = before + pushed  # what was pushed is only compared, and not copied from
    alike = {place: common(text, place) for place in range(1, len(before)) if common(text, place)}
    found = cache.expected(SIZE)
    if not alike:
        assert found is None
        return
    assert found is not None
    trust, probabilities = found
    counts: Counter[int] = Counter()
    for place, tokens in alike.items():
        counts[text[place]] += math.exp(tokens - max(alike.values()))
    assert probabilities == pytest.approx([counts[token] / counts.total() for token in range(SIZE)])
    assert 0 < trust < 1


def test_the_longer_what_is_alike_the_more_it_is_trusted() -> None:
    trusts = []
    for length in range(1, 17):
        run = list(range(length))
        found = NgramCache([*run, 99, *run]).expected(100)
        assert found is not None
        assert found[1].argmax() == 99
        trusts.append(found[0])
    assert trusts == sorted(set(trusts))
