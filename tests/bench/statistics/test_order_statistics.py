"""Medians of repeated timings."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.order_statistics import (
    median_interval,
    median_ranks,
    neighbour_correlation,
    ratio_of_medians,
)


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


def test_correlation_is_that_of_each_value_with_the_next() -> None:
    # Deviations −3, −1, 1, 3: (3 − 1 + 3) / 20.
    assert neighbour_correlation(np.array([1.0, 3, 5, 7])) == pytest.approx(0.25)
    assert neighbour_correlation(np.array([5.0, 5 + 1e-12, 5, 5 + 1e-12])) == 0
    assert neighbour_correlation(np.array([5.0, 5 + 1e-10, 5, 5 + 1e-10])) == pytest.approx(-0.75, abs=0.01)


def test_correlation_is_looked_at_from_ten_repetitions_on() -> None:
    assert (median_interval(np.arange(9.0)).correlation, median_interval(np.arange(9.0)).low) == (None, 1)
    found = median_interval(np.arange(10.0))
    assert (found.correlation, found.low) == (pytest.approx(0.7), None)


@pytest.mark.parametrize(("last", "has_interval"), [(7.25, True), (7.0, False)])
def test_a_correlation_of_three_tenths_is_still_borne(last: float, has_interval: bool) -> None:
    values = np.array([0.0, 1, 0, 2, 1, 3, 4, 3, 3, last])
    assert neighbour_correlation(values) == pytest.approx(0.3, abs=0.01)
    assert (neighbour_correlation(values) <= 0.3) == has_interval
    assert (median_interval(values).low is not None) == has_interval


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
    # The ratio is of the medians, its interval of the ratios.
    one, other = np.array([1.0, 2, 3, 4, 5, 6]), np.array([3.0, 2, 1, 6, 5, 4])
    found = ratio_of_medians(one, other)
    assert (found.value, found.low, found.high, found.num_repetitions) == (1, pytest.approx(1 / 3), 3, 6)
    for wrong in (load[:5], np.zeros(12)):
        with pytest.raises(ValueError, match="the same number"):
            ratio_of_medians(load, wrong)
        with pytest.raises(ValueError, match="the same number"):
            ratio_of_medians(wrong, load)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        median_interval(np.array([]))
    with pytest.raises(ValueError, match="all of them finite"):
        median_interval(np.array([1.0, np.nan]))
