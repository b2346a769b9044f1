"""Wins by video."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.wins import Wins, count_wins, wilson_interval


def test_counts_and_ties() -> None:
    a, b = np.array([1.0, 2, 3, 4]), np.array([1.0 + 5e-13, 1, 4, 3])
    assert count_wins(a[:1], np.array([1 + 2e-12]), higher_is_better=True) == Wins(0, 0, 1)
    assert count_wins(a, b, higher_is_better=True) == Wins(2, 1, 1)
    assert count_wins(a, b, higher_is_better=False) == Wins(1, 1, 2)


def test_few_decided_videos_have_no_interval() -> None:
    assert Wins(4, 9, 0).interval is None
    assert Wins(5, 0, 0).interval == pytest.approx((0.5655175, 1), rel=1e-6)


def test_an_interval_ends_at_none_and_at_all() -> None:
    low, high = wilson_interval(0, 8)
    assert (low, high) == (0, pytest.approx(1 - wilson_interval(8, 8)[0]))
    assert wilson_interval(8, 8)[1] == 1
    assert wilson_interval(1, 1)[0] == pytest.approx(1 / (1 + 1.959963984540054**2))


def test_wilson_solves_its_equation() -> None:
    low, high = wilson_interval(21, 30)
    for end in (low, high):
        assert abs(0.7 - end) == pytest.approx(1.959963984540054 * (end * (1 - end) / 30) ** 0.5)


def test_no_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        wilson_interval(0, 0)
