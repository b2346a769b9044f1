"""Medians of repeated timings."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.order_statistics import median_interval, median_ranks, ratio_of_medians


def test_ranks_are_the_innermost_that_cover() -> None:
    ranks = {6: 1, 9: 2, 12: 3, 15: 4, 20: 6, 30: 10, 50: 18, 100: 40}
    assert {number: (median_ranks(number) or (0,))[0] for number in ranks} == ranks
    assert median_ranks(5) is None


def test_interval_ends_are_values() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 13))
    found = median_interval(values)
    assert (found.value, found.low, found.high, found.lowest, found.highest) == (6.5, 3, 10, 1, 12)


def test_few_repetitions_have_their_extremes() -> None:
    found = median_interval(np.array([3.0, 1, 2, 5, 4]))
    assert (found.value, found.low, found.high, found.lowest, found.highest) == (3, None, None, 1, 5)


def test_correlated_repetitions_have_no_interval() -> None:
    drift = median_interval(np.arange(30.0))
    assert drift.correlation is not None
    assert drift.correlation > 0.8
    assert drift.low is None
    assert median_interval(np.random.default_rng(0).normal(size=30)).low is not None
    assert median_interval(np.ones(30)).low == 1


def test_covers_the_median() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(2_000):
        found = median_interval(generator.exponential(size=9))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= np.log(2) <= found.high
    assert hits / 2_000 >= 0.945


def test_ratios_of_paired_repetitions() -> None:
    load = np.random.default_rng(0).uniform(1, 2, 12)
    found = ratio_of_medians(3 * load, load)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))
    with pytest.raises(ValueError, match="the same number"):
        ratio_of_medians(load, load[:5])


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        median_interval(np.array([]))
