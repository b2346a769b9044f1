"""Ratios of sums, their standard errors and degrees of freedom."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.statistics.ratios import Ratio, freedom


@pytest.mark.parametrize("num_sources", [2, 5, 12, 300])
def test_equal_weights_give_the_plain_t(num_sources: int) -> None:
    found = freedom(np.full(num_sources, 17.0))
    assert (found.scale, found.degrees) == pytest.approx((1, num_sources - 1), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_unequal_weights_against_the_matrix_form(seed: int) -> None:
    generator = np.random.default_rng(seed)
    num_sources = int(generator.integers(2, 40))
    weights = np.exp(generator.normal(size=num_sources))
    centring = np.eye(num_sources) - np.outer(np.ones(num_sources), weights) / weights.sum()
    # Residuals w(y − θ) of means y with equal variance: their covariance is diag(w) P P' diag(w).
    spread = centring.T @ np.diag(weights**2) @ centring
    trace, trace_of_square = np.trace(spread), np.trace(spread @ spread)
    scale = math.sqrt((weights**2).sum() / (num_sources / (num_sources - 1) * trace))
    found = freedom(weights)
    assert (found.scale, found.degrees) == pytest.approx((scale, trace**2 / trace_of_square), rel=1e-9)


def test_standard_error_of_equal_weights_is_that_of_a_mean() -> None:
    means = np.random.default_rng(0).normal(30, 3, 14)
    ratio = Ratio.of(means * 8, np.full(14, 8.0))
    assert ratio.value == pytest.approx(means.mean(), rel=1e-14)
    assert ratio.standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(14), rel=1e-12)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 50)), min_size=2, max_size=12), st.floats(0.1, 1000))
def test_the_unit_of_the_weights_changes_nothing(videos: list[tuple[float, float]], factor: float) -> None:
    sums, weights = np.array(videos).T
    one, other = Ratio.of(sums, weights), Ratio.of(sums * factor, weights * factor)
    assert other.value == pytest.approx(one.value, rel=1e-9, abs=1e-9)
    assert other.standard_error == pytest.approx(one.standard_error, rel=1e-9, abs=1e-9)
    # Degrees of freedom are a ratio of small differences where one video weighs nearly all.
    assert other.freedom.degrees == pytest.approx(one.freedom.degrees, rel=1e-4)


@pytest.mark.parametrize(
    ("sums", "weights"), [([1.0], [0.0]), ([math.nan, 1], [1, 1]), ([1.0, 2], [1.0]), ([], []), ([1, math.inf], [1, 1])]
)
def test_impossible_videos_are_refused(sums: list[float], weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"one entry a video|must be finite"):
        Ratio.of(np.array(sums), np.array(weights))
