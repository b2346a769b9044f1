"""Differences of resampled figures."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.pairs import difference_interval


def test_what_is_common_to_both_cancels() -> None:
    common = np.random.default_rng(0).normal(size=1000)
    interval = difference_interval(common + 1, common)
    assert (interval.low, interval.high, interval.share_positive) == pytest.approx((1, 1, 1))


def test_ties_count_half() -> None:
    interval = difference_interval(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 2.0, 5.0]))
    assert interval.share_positive == 0.5
