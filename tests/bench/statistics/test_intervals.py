"""Intervals of figures: against a loop over draws, at their limits, and how often they hold the truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from simulated_videos import LINKED_TRUTH, dominated_videos, linked_videos, normal_videos, skewed_videos
from toklab.bench.statistics.draws import draw_counts
from toklab.bench.statistics.intervals import FEW_CARRY, NO_VARIATION, ratio_interval, student_quantile
from toklab.bench.statistics.ratios import Link, Ratio

Videos = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def all_counts(num_sources: int, draws: int) -> np.ndarray:
    return np.concatenate(list(draw_counts(num_sources, draws)))


def looped_interval(sums: np.ndarray, weights: np.ndarray, draws: int, *, recomputed: bool = True) -> tuple[float, ...]:
    """Bootstrap-t from its definition; without ``recomputed`` errors it is the percentile interval, mirrored."""
    num_sources, value = len(sums), sums.sum() / weights.sum()

    def error(drawn: np.ndarray) -> float:
        ratio = sums[drawn].sum() / weights[drawn].sum()
        residuals = sums[drawn] - ratio * weights[drawn]
        return math.sqrt(num_sources / (num_sources - 1) * (residuals**2).sum()) / weights[drawn].sum()

    whole, statistics = error(np.arange(num_sources)), []
    for counts in all_counts(num_sources, draws):
        drawn = np.repeat(np.arange(num_sources), counts.astype(int))
        statistics.append((sums[drawn].sum() / weights[drawn].sum() - value) / (error(drawn) if recomputed else whole))
    ordered = sorted(statistics)
    low, high = round((draws + 1) * 0.025), round((draws + 1) * 0.975)
    return value - ordered[high - 1] * whole, value - ordered[low - 1] * whole


def ends(sums: np.ndarray, weights: np.ndarray, draws: int = 9_999) -> tuple[float, float]:
    interval = ratio_interval(sums, weights, draws=draws)
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def test_draws_are_multinomial_and_shared() -> None:
    counts = all_counts(7, 5_000)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.06)
    assert counts.var() == pytest.approx(6 / 7, abs=0.05)
    assert np.array_equal(counts[:300], all_counts(7, 300))


def test_more_draws_than_are_kept_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = all_counts(9, 700)
    monkeypatch.setattr("toklab.bench.statistics.draws._CACHED_COUNTS", 0)
    assert np.array_equal(all_counts(9, 700), kept)


@pytest.mark.parametrize("num_sources", [8, 12, 25])
def test_equals_a_loop_over_the_draws(num_sources: int) -> None:
    sums, weights = skewed_videos(np.random.default_rng(num_sources), num_sources)
    assert ends(sums, weights, 399) == pytest.approx(looped_interval(sums, weights, 399), rel=1e-9)


def test_unequal_weights_take_the_outer_ends() -> None:
    sums, weights = linked_videos(np.random.default_rng(3), 10)
    ratio = Ratio.of(sums, weights)
    half = ratio.freedom.scale * student_quantile(0.975, ratio.freedom.degrees) * ratio.standard_error
    low, high = looped_interval(sums, weights, 399)
    expected = min(low, ratio.value - half), max(high, ratio.value + half)
    assert ends(sums, weights, 399) == pytest.approx(expected, rel=1e-9)


def test_errors_are_those_of_each_draw() -> None:
    sums, weights = skewed_videos(np.random.default_rng(1), 12)
    value, (low, high) = sums.sum() / weights.sum(), ends(sums, weights, 999)
    mirrored = looped_interval(sums, weights, 999, recomputed=False)
    assert high - low > 1.1 * (mirrored[1] - mirrored[0])
    percentiles = 2 * value - mirrored[1], 2 * value - mirrored[0]
    assert high > percentiles[1]


def test_five_to_seven_videos_have_students_interval() -> None:
    means = np.array([30.0, 28, 33, 31, 29])
    half = student_quantile(0.975, 4) * means.std(ddof=1) / math.sqrt(5)
    assert ends(means, np.ones(5)) == pytest.approx((means.mean() - half, means.mean() + half), rel=1e-12)


@pytest.mark.parametrize("num_sources", [1, 4])
def test_fewer_videos_have_none(num_sources: int) -> None:
    interval = ratio_interval(np.arange(1.0, num_sources + 1), np.ones(num_sources))
    assert (interval.low, interval.high, interval.num_sources) == (None, None, num_sources)
    assert interval.value == pytest.approx((num_sources + 1) / 2)


def test_videos_that_are_all_alike() -> None:
    interval = ratio_interval(np.full(9, 0.3), np.full(9, 3.0))
    assert (interval.low, interval.high, interval.note) == (interval.value, interval.value, NO_VARIATION)


def test_variation_in_one_video_gives_a_finite_interval_and_a_note() -> None:
    means = np.full(12, 30.0)
    means[3] = 40
    interval = ratio_interval(means, np.ones(12))
    assert interval.low is not None
    assert interval.high is not None
    assert math.isfinite(interval.high - interval.low)
    half = student_quantile(0.975, 11) * means.std(ddof=1) / math.sqrt(12)
    assert interval.high - interval.low == pytest.approx(2 * half)
    # Eleven videos differ from the mean by the same small amount, so this isn't said by counting them.
    assert interval.note == FEW_CARRY


def test_a_link_transforms_the_ends() -> None:
    errors = np.random.default_rng(0).uniform(0.001, 0.003, 15)
    link = Link(lambda x: -10 * np.log10(x + 1e-8), lambda x: -10 / np.log(10) / (x + 1e-8), lowest=0.0)
    plain, decibels = ratio_interval(errors, np.ones(15)), ratio_interval(errors, np.ones(15), link=link)
    assert (plain.low, plain.high) != (None, None)
    expected = [float(link.value(np.array(end))) for end in (plain.high, plain.low)]
    assert [decibels.low, decibels.high] == pytest.approx(expected)


def test_a_link_is_never_left() -> None:
    errors = np.array([1e-9, 1e-9, 1e-9, 1e-9, 0.1, 1e-9])
    link = Link(lambda x: -10 * np.log10(x + 1e-8), lambda x: -10 / np.log(10) / (x + 1e-8), lowest=0.0)
    assert ratio_interval(errors, np.ones(6), link=link).high == pytest.approx(80)


def test_order_of_videos_and_constants() -> None:
    sums, weights = skewed_videos(np.random.default_rng(5), 20)
    low, high = ends(sums, weights)
    assert ends(sums + 7 * weights, weights) == pytest.approx((low + 7, high + 7), rel=1e-9)
    assert ends(sums * 3, weights) == pytest.approx((3 * low, 3 * high), rel=1e-9)
    assert ends(sums * 5, weights * 5) == pytest.approx((low, high), rel=1e-9)


def coverage(videos: Videos, num_sources: int, truth: float, replicates: int = 2_000) -> float:
    generator = np.random.default_rng(num_sources)
    hits = 0
    for _ in range(replicates):
        low, high = ends(*videos(generator, num_sources), draws=999)
        hits += low <= truth <= high
    return hits / replicates


@pytest.mark.slow
@pytest.mark.parametrize("num_sources", [5, 8, 12, 30])
def test_covers_normal_videos(num_sources: int) -> None:
    assert coverage(normal_videos, num_sources, 30) == pytest.approx(0.95, abs=0.015)


@pytest.mark.slow
def test_covers_where_weights_and_levels_are_linked() -> None:
    assert coverage(linked_videos, 8, LINKED_TRUTH) >= 0.92


@pytest.mark.slow
def test_covers_skewed_videos_as_well_as_can_be_had() -> None:
    assert coverage(skewed_videos, 12, 25) == pytest.approx(0.90, abs=0.025)


@pytest.mark.slow
def test_covers_where_one_video_dominates() -> None:
    assert coverage(dominated_videos, 8, 30) >= 0.95


def test_percentiles_would_not_cover() -> None:
    generator, counts, hits = np.random.default_rng(0), all_counts(5, 999), 0
    for _ in range(2_000):
        sums, weights = normal_videos(generator, 5)
        low, high = np.percentile(counts @ sums / (counts @ weights), (2.5, 97.5))
        hits += bool(low <= 30 <= high)
    assert hits / 2_000 < 0.88
