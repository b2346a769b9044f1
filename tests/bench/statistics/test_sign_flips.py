"""Sign flips: against a plain loop, and where they must not find anything."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from toklab.bench.statistics.families import all_pairs
from toklab.bench.statistics.sign_flips import sign_flip_shares


def by_hand(sums: np.ndarray, weights: np.ndarray) -> list[float]:
    """Every choice of signs, each statistic from its definition."""
    pairs, num_sources = all_pairs(sums.shape[1]), len(weights)

    def statistic(pair: tuple[int, int], signs: tuple[int, ...]) -> float:
        flipped = np.array(signs) * (sums[:, pair[0]] - sums[:, pair[1]])
        mean = math.fsum(flipped) / math.fsum(weights)
        residuals = flipped - mean * weights
        error = math.sqrt(num_sources / (num_sources - 1) * math.fsum(residuals**2)) / math.fsum(weights)
        return abs(mean) / error

    choices = [(1, *rest) for rest in itertools.product((1, -1), repeat=num_sources - 1)]
    maxima = [max(statistic(pair, signs) for pair in pairs) for signs in choices]
    unflipped = (1,) * num_sources
    return [float(np.mean([largest >= statistic(pair, unflipped) - 1e-9 for largest in maxima])) for pair in pairs]


@pytest.mark.parametrize("num_sources", [5, 7, 12])
def test_equals_a_plain_loop_over_all_signs(num_sources: int) -> None:
    rng = np.random.default_rng(num_sources)
    weights = rng.integers(1, 6, num_sources).astype(float)
    sums = weights[:, None] * (30 + rng.normal(size=(num_sources, 1)) + rng.normal([0, 0.3, 1], 0.4, (num_sources, 3)))
    assert sign_flip_shares(sums, weights).tolist() == pytest.approx(by_hand(sums, weights), abs=1e-12)


def test_five_videos_can_show_nothing() -> None:
    sums = np.stack([np.arange(5.0) + 100, np.arange(5.0)], axis=1)
    assert sign_flip_shares(sums, np.ones(5)).tolist() == [1 / 16]


def test_equal_systems_are_as_near_as_chance_can_bring_them() -> None:
    sums = np.stack([np.arange(6.0)] * 2 + [np.arange(6.0) + np.arange(6) % 2], axis=1)
    equal, *others = sign_flip_shares(sums, np.ones(6)).tolist()
    assert equal == 1.0
    assert others == sign_flip_shares(sums[:, 1:], np.ones(6)).tolist() * 2
    assert others[0] < 1


def test_random_signs_come_close_to_all_signs() -> None:
    rng = np.random.default_rng(1)
    sums = rng.normal([0, 0.6, 1.5], 1, (13, 3))
    shares = sign_flip_shares(sums, np.ones(13))
    assert 0 < min(shares) < 0.1 < max(shares) < 1
    assert shares.tolist() == pytest.approx(by_hand(sums, np.ones(13)), abs=4 * math.sqrt(0.25 / 9999))
    few = sign_flip_shares(sums, np.ones(13), draws=100) * 101
    assert few.tolist() == pytest.approx(few.round().tolist(), abs=1e-9)
    assert sign_flip_shares(np.stack([np.full(30, 9.0), np.zeros(30)], axis=1), np.ones(30)).tolist() == [1 / 10_000]
