"""Paired differences: against their definition, at their limits, and how often verdicts are wrong."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_videos import equal_systems, free_window_counts, standardised_lognormal
from toklab.bench.statistics.draws import draw_counts
from toklab.bench.statistics.families import (
    EXACT,
    STUDENT_STANDS_IN,
    Family,
    compare_ratios,
    kind_of,
    paired_interval,
    sidak_critical_value,
)
from toklab.bench.statistics.intervals import FEW_CARRY, quantile, ratio_interval, student_quantile
from toklab.bench.statistics.pairs import PairedRatios, pair_deviations
from toklab.bench.statistics.ratios import IDENTITY, Link, freedom

DECIBELS = Link(lambda x: -10 * np.log10(x + 1e-8), lambda x: -10 / np.log(10) / (x + 1e-8), lowest=0.0)


def family_of(means: np.ndarray, weights: np.ndarray | None = None, draws: int = 999) -> Family:
    weights = np.ones(len(means)) if weights is None else weights
    return compare_ratios(means * weights[:, None], weights, draws=draws)


def from_definition(
    sums: np.ndarray, weights: np.ndarray, link: Link, pair: tuple[int, int], counts: np.ndarray
) -> tuple[float, float]:
    """Deviation of a draw's difference and its standard error, from the drawn videos one by one."""
    drawn = np.repeat(np.arange(len(sums)), counts.astype(int))
    difference, influences = 0.0, np.zeros(len(drawn))
    for sign, system in zip((1, -1), pair, strict=True):
        whole = sums[:, system].sum() / weights[:, system].sum()
        total = weights[drawn, system].sum()
        ratio = sums[drawn, system].sum() / total
        difference += sign * float(link.value(np.array(ratio)) - link.value(np.array(whole)))
        residuals = sums[drawn, system] - ratio * weights[drawn, system]
        influences += sign * float(link.slope(np.array(ratio))) * residuals / total
    return difference, math.sqrt(len(drawn) / (len(drawn) - 1) * (influences**2).sum())


@pytest.mark.parametrize("link", [IDENTITY, DECIBELS], ids=["mean", "pooled"])
@pytest.mark.parametrize("share_weights", [True, False])
def test_differences_of_draws_equal_their_definition(link: Link, share_weights: bool) -> None:
    generator = np.random.default_rng(4)
    weights = np.exp(generator.normal(size=(9, 3)))
    if share_weights:
        weights[:] = weights[:, :1]
    sums = weights * np.exp(generator.normal(-6, 0.5, size=(9, 3)))
    systems, pairs = PairedRatios.of(sums, weights, link), [(0, 1), (0, 2), (2, 1)]
    counts = next(draw_counts(9, 60))
    deviations, errors = pair_deviations(systems, pairs, counts)
    for draw, place in itertools.product(range(60), range(3)):
        expected = from_definition(sums, weights, link, pairs[place], counts[draw])
        assert (deviations[draw, place], errors[draw, place]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_near_duplicates_lose_no_digits() -> None:
    generator = np.random.default_rng(0)
    means = generator.normal(30, 3, size=(25, 1)) + 1e-6 * generator.normal(size=(25, 2))
    interval = paired_interval(means[:, 0], np.ones(25), means[:, 1], np.ones(25))
    exact = ratio_interval(means[:, 0] - means[:, 1], np.ones(25))
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), rel=1e-6)


@pytest.mark.parametrize("num_sources", [5, 8, 12, 40])
def test_a_pair_has_the_interval_of_its_differences(num_sources: int) -> None:
    generator = np.random.default_rng(num_sources)
    weights = free_window_counts(generator, num_sources)
    means = equal_systems(generator, num_sources, 2)
    pair = paired_interval(means[:, 0] * weights, weights, means[:, 1] * weights, weights)
    single = ratio_interval((means[:, 0] - means[:, 1]) * weights, weights)
    assert (pair.value, pair.low, pair.high) == pytest.approx((single.value, single.low, single.high), rel=1e-9)


def test_the_critical_value_is_a_quantile_of_the_largest_difference() -> None:
    means = equal_systems(np.random.default_rng(2), 24, 4)
    sums, weights, pairs = means * 3, np.full(24, 3.0), list(itertools.combinations(range(4), 2))
    systems = PairedRatios.of(sums, weights)
    maxima = []
    for counts in np.concatenate(list(draw_counts(24, 199))):
        found = [from_definition(sums, np.repeat(weights[:, None], 4, 1), IDENTITY, p, counts) for p in pairs]
        maxima.append(max(abs(deviation / error) for deviation, error in found))
    family = compare_ratios(sums, weights, draws=199)
    assert family.critical_value == pytest.approx(quantile(np.array(maxima), 0.95), rel=1e-9)
    for outcome, error in zip(family.differences, systems.standard_errors(pairs), strict=True):
        interval, reach = outcome.interval, family.critical_value or 0
        assert interval.low == pytest.approx(interval.value - reach * error)
        assert interval.high == pytest.approx(interval.value + reach * error)
        assert outcome.separable == interval.excludes_zero


@pytest.mark.parametrize("num_sources", [5, 12, 19, 20])
def test_fewer_than_twenty_videos_have_sidaks_critical_value(num_sources: int) -> None:
    weights = free_window_counts(np.random.default_rng(1), num_sources)
    found = freedom(weights)
    expected = found.scale * student_quantile(1 - (1 - 0.95 ** (1 / 6)) / 2, found.degrees)
    family = family_of(equal_systems(np.random.default_rng(1), num_sources, 4), weights)
    assert (family.critical_value == pytest.approx(expected)) == (num_sources < 20)
    assert sidak_critical_value(6, found) == pytest.approx(expected)
    assert all(difference.separable is not None for difference in family.differences)


def test_the_largest_of_the_pairs_own_critical_values_holds_for_all() -> None:
    generator = np.random.default_rng(0)
    weights = np.stack([np.full(12, 2.0), free_window_counts(generator, 12), np.full(12, 3.0)], axis=1)
    sums = weights * equal_systems(generator, 12, 3)
    uneven = freedom(weights[:, 1])
    assert compare_ratios(sums, weights).critical_value == pytest.approx(sidak_critical_value(3, uneven))
    systems = PairedRatios.of(sums, weights)
    # That of the system with the fewer degrees of freedom, and with the less even weights.
    assert (systems.freedom((0, 1)), systems.freedom((2, 0)).degrees) == (systems.ratios[1].freedom, pytest.approx(11))
    assert systems.effective_sources((1, 2)) == systems.ratios[1].effective_sources < 11
    even = compare_ratios(sums, weights, [(0, 2), (2, 0)])
    assert even.critical_value == pytest.approx(sidak_critical_value(2, freedom(weights[:, 0])))


def test_where_draws_miss_all_variation_sidaks_critical_value_stands_in() -> None:
    means = np.repeat(np.random.default_rng(0).normal(30, 3, (25, 1)), 3, axis=1)
    # One video in which the systems differ: a third of the draws miss it.
    means[3] += [0, 1, 3]
    family = family_of(means)
    assert family.critical_value == pytest.approx(sidak_critical_value(3, freedom(np.ones(25))))
    assert all(math.isfinite(difference.interval.low or math.inf) for difference in family.differences)


def test_where_sidaks_critical_value_stands_in_a_note_says_so() -> None:
    generator = np.random.default_rng(0)
    means = np.repeat(generator.normal(30, 3, (25, 1)), 4, axis=1)
    means[[3, 7], 1] += [1, -1]
    means[3, 2] += 1
    means[:, 3] += 1
    notes = {difference.pair: difference.interval.note for difference in family_of(means).differences}
    assert notes == {
        (0, 1): f"{FEW_CARRY}; {STUDENT_STANDS_IN}",
        (0, 2): STUDENT_STANDS_IN,
        (0, 3): EXACT,
        (1, 2): STUDENT_STANDS_IN,
        (1, 3): f"{FEW_CARRY}; {STUDENT_STANDS_IN}",
        (2, 3): STUDENT_STANDS_IN,
    }
    few = family_of(means[:12])
    assert not any(STUDENT_STANDS_IN in difference.interval.note for difference in few.differences)


def test_differences_in_two_videos_are_noted_for_their_pairs() -> None:
    generator = np.random.default_rng(0)
    means = np.repeat(generator.normal(30, 3, (12, 1)), 3, axis=1)
    means[[3, 7], 1] += [1, -1]
    means[:, 2] += generator.normal(0, 1, 12)
    assert [difference.interval.note for difference in family_of(means).differences] == [FEW_CARRY, "", ""]


def test_rounding_is_no_difference() -> None:
    values = (30.0, 30.0 + 2e-11, 30.0 + 4e-11, 0.0)
    assert [kind_of(values, pair, 0.0) for pair in ((0, 1), (0, 2), (2, 0), (3, 3))] == [
        "tied",
        "exact",
        "exact",
        "tied",
    ]
    assert [kind_of(values, (0, 2), error) for error in (2e-11, 4e-11)] == ["exact", "varies"]
    # Beside the larger of the two, whatever its sign.
    assert [kind_of((1e-3, -30.0), pair, 2e-11) for pair in ((0, 1), (1, 0))] == ["exact", "exact"]


def test_identical_systems_tie_and_constant_offsets_separate() -> None:
    means = np.random.default_rng(0).normal(30, 3, 30)
    bits = np.repeat([[0.0551, 0.0551, 0.0827]], 30, axis=0)
    for family in (family_of(np.stack([means, means, means + 0.01], axis=1)), family_of(bits)):
        tied, offset, _ = family.differences
        assert (tied.statistic, tied.separable, tied.interval.low, tied.interval.high) == (0, False, 0, 0)
        assert (offset.statistic, offset.separable, offset.interval.note) == (-math.inf, True, EXACT)
        assert (offset.interval.low, offset.interval.high) == (offset.interval.value,) * 2
        assert offset.interval.standard_error == 0


def test_a_difference_in_one_video_is_finite_and_noted() -> None:
    means = np.random.default_rng(0).normal(30, 3, 12)
    other = means.copy()
    other[4] += 2
    interval = paired_interval(other, np.ones(12), means, np.ones(12))
    assert interval.low is not None
    assert math.isfinite(interval.low)
    assert interval.note == FEW_CARRY


@pytest.mark.parametrize("num_sources", [1, 2, 4])
def test_too_few_videos_have_no_verdict(num_sources: int) -> None:
    for num_systems in (2, 3):
        means = equal_systems(np.random.default_rng(0), num_sources, num_systems)
        family = family_of(means)
        assert family.critical_value is None
        assert all((d.separable, d.interval.low, d.interval.high) == (None, None, None) for d in family.differences)
        for difference in family.differences:
            apart = means[:, difference.pair[0]] - means[:, difference.pair[1]]
            expected = apart.mean() / (apart.std(ddof=1) / math.sqrt(num_sources)) if num_sources > 1 else math.nan
            assert difference.statistic == pytest.approx(expected, nan_ok=True)
            assert difference.interval.value == pytest.approx(apart.mean())


@given(st.integers(0, 10**6), st.integers(5, 30), st.integers(2, 4))
def test_order_and_units_change_no_verdict(seed: int, num_sources: int, num_systems: int) -> None:
    generator = np.random.default_rng(seed)
    means = equal_systems(generator, num_sources, num_systems) + generator.normal(0, 0.5, num_systems)
    weights = free_window_counts(generator, num_sources)
    family = family_of(means, weights, draws=99)
    moved = family_of(4 * means + 9, weights * 3, draws=99)
    mirrored = compare_ratios(
        means * weights[:, None], weights, [(d.pair[1], d.pair[0]) for d in family.differences], draws=99
    )
    for one, other, swapped in zip(family.differences, moved.differences, mirrored.differences, strict=True):
        assert other.statistic == pytest.approx(one.statistic, rel=1e-6, abs=1e-9)
        assert other.separable == one.separable
        assert swapped.statistic == pytest.approx(-one.statistic, rel=1e-9, abs=1e-12)


def family_errors(num_sources: int, *, free: bool = False, skewed: bool = False, replicates: int = 1_000) -> float:
    """How often equally good systems, eight of them, are told apart at all."""
    generator, wrong = np.random.default_rng(num_sources), 0
    for _ in range(replicates):
        means = equal_systems(generator, num_sources, 8)
        if skewed:
            means[:, ::2] += standardised_lognormal(generator, (num_sources, 4)) / 2
        weights = free_window_counts(generator, num_sources) if free else None
        wrong += any(difference.separable for difference in family_of(means, weights).differences)
    return wrong / replicates


@pytest.mark.slow
@pytest.mark.parametrize("num_sources", [8, 12, 30])
def test_family_wise_error(num_sources: int) -> None:
    assert family_errors(num_sources) <= 0.07


@pytest.mark.slow
def test_family_wise_error_of_unequal_weights() -> None:
    assert family_errors(12, free=True) <= 0.05


@pytest.mark.slow
def test_unadjusted_intervals_would_be_wrong_often() -> None:
    generator, wrong = np.random.default_rng(0), 0
    for _ in range(300):
        means = equal_systems(generator, 12, 8)
        pairs = itertools.combinations(range(8), 2)
        wrong += any(
            abs(means[:, i] - means[:, j]).sum() > 0
            and compare_ratios(means[:, [i, j]], np.ones(12), draws=99).differences[0].separable
            for i, j in pairs
        )
    assert wrong / 300 > 0.3
