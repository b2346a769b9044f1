"""Resamples of sources, and the intervals that they give."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.intervals import percentile_interval, resample_counts, resampled_ratio


def test_counts_draw_as_many_sources_as_there_are() -> None:
    counts = resample_counts(7, 500)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    assert np.array_equal(counts, resample_counts(7, 500))


def test_ratio_equals_resampling_by_hand() -> None:
    totals, weights = np.array([1.0, 5.0, 2.0]), np.array([2.0, 3.0, 1.0])
    counts = resample_counts(3, 50)
    for row, ratio in zip(counts, resampled_ratio(totals, weights, counts), strict=True):
        drawn = np.repeat(np.arange(3), row)
        assert ratio == pytest.approx(totals[drawn].sum() / weights[drawn].sum())


def test_percentiles() -> None:
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25, 975))
