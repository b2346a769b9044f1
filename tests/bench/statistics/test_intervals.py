"""Intervals of figures: against a loop over draws, at their limits, and how often they hold the truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from simulated_videos import LINKED_TRUTH, dominated_videos, linked_videos, normal_videos, skewed_videos
from toklab.bench.statistics.draws import draw_counts
from toklab.bench.statistics.intervals import (
    FEW_CARRY,
    NO_VARIATION,
    Interval,
    carried_by_few,
    clear_of_rounding,
    interval_ends,
    quantile,
    ratio_interval,
    ratio_intervals,
    student_quantile,
    studentised,
)
from toklab.bench.statistics.ratios import Freedom, Link, Ratio

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
    # Of 256 at a time: other draws would change the ends of every interval.
    assert [all_counts(6, 257)[draw].tolist() for draw in (0, 256)] == [[0, 1, 2, 1, 1, 1], [0, 2, 0, 1, 1, 2]]


def test_more_draws_than_are_kept_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = all_counts(9, 700)
    monkeypatch.setattr("toklab.bench.statistics.draws._CACHED_COUNTS", 0)
    assert np.array_equal(all_counts(9, 700), kept)


@pytest.mark.parametrize("num_sources", [8, 12, 25])
def test_equals_a_loop_over_the_draws(num_sources: int) -> None:
    sums, weights = skewed_videos(np.random.default_rng(num_sources), num_sources)
    assert ends(sums, weights, 399) == pytest.approx(looped_interval(sums, weights, 399), rel=1e-9)


def test_every_column_has_the_interval_that_it_has_alone() -> None:
    generator = np.random.default_rng(0)
    sums, weights = generator.normal(30, 3, (12, 5)), generator.uniform(0.2, 0.6, (12, 5))
    # Two columns of 12 videos, two of 8 and one of 6; videos without weight play no part.
    weights[8:, 1:3], weights[6:, 3] = 0, 0
    sums[8:, 1] = np.nan
    sums[:, 4] = 2 * weights[:, 4]
    for column, found in enumerate(ratio_intervals(sums, weights, draws=199)):
        own = weights[:, column] > 0
        alone = ratio_interval(sums[own, column], weights[own, column], draws=199)
        one, other = ((each.value, each.low, each.high, each.standard_error) for each in (found, alone))
        assert one == pytest.approx(other, rel=1e-9)
        assert (found.num_sources, found.note) == (alone.num_sources, alone.note)


def test_by_default_there_are_9999_draws_of_a_fixed_seed() -> None:
    sums, weights = skewed_videos(np.random.default_rng(8), 9)
    plain = ratio_interval(sums, weights)
    assert plain == ratio_interval(sums, weights, draws=9_999, seed=0)
    assert plain != ratio_interval(sums, weights, draws=9_999, seed=1)
    assert plain != ratio_interval(sums, weights, draws=999, seed=0)


@pytest.mark.parametrize(("heaviest", "is_outer"), [(2.64, False), (2.67, True)])
def test_ends_are_the_outer_ones_where_videos_tell_as_much_as_nine_tenths_of_them(
    heaviest: float, is_outer: bool
) -> None:
    weights, statistics = np.array([heaviest, *np.ones(19)]), np.linspace(-1, 1, 999)
    ratio = Ratio.of(np.arange(20.0) * weights, weights)
    assert (ratio.effective_sources < 18) == is_outer
    low, high, few = interval_ends(10, 1, Freedom(1, 19), ratio.effective_sources, statistics, 20)
    half = student_quantile(0.975, 19) if is_outer else 0.95
    assert (low, high, few) == (pytest.approx(10 - half, abs=2e-3), pytest.approx(10 + half, abs=2e-3), False)


def test_a_rank_is_a_share_of_one_more_than_there_are() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert [quantile(values, share) for share in (0.0, 0.02, 0.5, 0.95, 1.0)] == [1, 2, 50, 95, 99]
    assert quantile(np.array([np.inf, 1.0, -np.inf]), 0.5) == 1


def test_draws_that_do_not_vary_lie_infinitely_far_off_if_at_all() -> None:
    deviations, errors = np.array([3.0, -3, 1e-12, 3, 3]), np.array([0.0, 0, 0, 2e-9, 6])
    assert studentised(deviations, errors, 2.0).tolist() == [math.inf, -math.inf, 0, math.inf, 0.5]
    assert clear_of_rounding(np.array([1e-15, 3e-14, -1.0]), np.ones(3)).tolist() == [0, 3e-14, 0]


@pytest.mark.parametrize(
    ("influences", "expected"), [([1, -1, 0, 0], True), ([1, 1, -2, 0], False), ([1, -1, 1e-10], True)]
)
def test_few_are_fewer_than_three_that_vary(influences: list[float], expected: bool) -> None:
    assert carried_by_few(np.array(influences)) == expected


def test_zero_at_an_end_is_not_excluded() -> None:
    found = [
        Interval(1, 9, *both).excludes_zero for both in ((0.0, 1.0), (0.1, 1.0), (-1.0, 0.0), (-1.0, -0.1), (-1, 1))
    ]
    assert found == [False, True, False, True, False]
    assert not Interval(1, 4).excludes_zero


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


@pytest.mark.parametrize("num_sources", [5, 7])
def test_five_to_seven_videos_have_students_interval(num_sources: int) -> None:
    means = np.array([30.0, 28, 33, 31, 29, 35, 20])[:num_sources]
    error = means.std(ddof=1) / math.sqrt(num_sources)
    half = student_quantile(0.975, num_sources - 1) * error
    interval = ratio_interval(means, np.ones(num_sources))
    assert (interval.low, interval.high) == pytest.approx((means.mean() - half, means.mean() + half), rel=1e-12)
    assert (interval.note, interval.standard_error) == ("", pytest.approx(error))


@pytest.mark.parametrize("num_sources", [1, 2, 4])
def test_fewer_videos_have_none(num_sources: int) -> None:
    means = np.arange(1.0, num_sources + 1)
    interval = ratio_interval(means, np.ones(num_sources))
    assert (interval.low, interval.high, interval.num_sources) == (None, None, num_sources)
    assert interval.value == pytest.approx((num_sources + 1) / 2)
    if num_sources == 1:
        assert (interval.standard_error, interval.freedom) == (None, None)
    else:
        assert interval.standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(num_sources))


def test_videos_that_are_all_alike() -> None:
    interval = ratio_interval(np.full(9, 0.3), np.full(9, 3.0))
    assert (interval.low, interval.high, interval.note) == (interval.value, interval.value, NO_VARIATION)
    nothing = ratio_interval(np.zeros(9), np.ones(9))
    assert (nothing.value, nothing.low, nothing.high, nothing.note) == (0, 0, 0, NO_VARIATION)


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
    # To first order, errors scale with the slope, which is negative here.
    slope = 10 / math.log(10) / (errors.mean() + 1e-8)
    assert decibels.standard_error == pytest.approx(slope * errors.std(ddof=1) / math.sqrt(15))


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
