"""The interval of a median against the binomial's exact ranks."""

from __future__ import annotations

import pytest
from scipy.stats import binom
from toklab.bench.statistics.order_statistics import median_interval

RANKS = {6: 1, 9: 2, 12: 3, 15: 4, 20: 6, 30: 10, 50: 18, 100: 40}


@pytest.mark.parametrize(("count", "rank"), RANKS.items())
def test_ranks(count: int, rank: int) -> None:
    assert median_interval(range(count, 0, -1)) == (rank, count + 1 - rank)
    assert 1 - 2 * binom.cdf(rank - 1, count, 0.5) >= 0.95 > 1 - 2 * binom.cdf(rank, count, 0.5)


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_have_none(count: int) -> None:
    assert median_interval([1.0] * count) is None
