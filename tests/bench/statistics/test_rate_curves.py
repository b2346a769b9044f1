from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.statistics.rate_curves import (
    BjontegaardDelta,
    RateCurve,
    RateCurveError,
    SourceCurves,
    bd_quality,
    bd_rate,
    delta_of_sources,
)

RATES = np.array([410.0, 820, 1705, 3390])
QUALITIES = np.array([31.2, 33.9, 36.4, 38.6])
BETTER = np.array([31.0, 33.8, 36.5, 38.7])
LOWER_RATES = np.array([355.0, 731, 1490, 3050])
ANCHOR, TEST = RateCurve.of(RATES, QUALITIES), RateCurve.of(LOWER_RATES, BETTER)


@pytest.mark.goldens
@pytest.mark.parametrize("interpolation", ["akima", "pchip"])
def test_deltas_equal_the_official_package(shared: Path, interpolation: Any) -> None:
    golden = json.loads((shared / "goldens" / "metrics_2" / "bd_rate.json").read_text())
    for case in golden["cases"]:
        curves = [
            RateCurve.of(np.array(case[side]["rate"]), np.array(case[side]["dist"])) for side in ("anchor", "test")
        ]
        for delta, name, overlap in (
            (bd_rate, "bd_rate_percent", "overlap_quality"),
            (bd_quality, "bd_psnr", "overlap_log_rate"),
        ):
            expected = case[name][interpolation]
            if expected is None:
                with pytest.raises(RateCurveError, match="share nothing"):
                    delta(*curves, min_overlap=0)
                continue
            found = delta(*curves, interpolation=interpolation, min_overlap=0)
            assert found.value == pytest.approx(expected, rel=1e-8, abs=1e-8), case["name"]
            assert found.overlap == pytest.approx(case[overlap], abs=1e-12)
            gap = case[name]["pchip"] - case[name]["akima"]
            assert found.interpolation_gap == pytest.approx(gap, abs=1e-6 * (1 + abs(expected))), case["name"]


def test_a_fifth_less_rate_at_equal_quality_is_minus_twenty_percent() -> None:
    found = bd_rate(ANCHOR, RateCurve.of(0.8 * RATES, QUALITIES))
    assert found.value == pytest.approx(-20, abs=1e-9)
    assert found.notes == ()
    assert bd_quality(ANCHOR, RateCurve.of(RATES, QUALITIES + 1.5)).value == pytest.approx(1.5, abs=1e-9)


@pytest.mark.slow
@given(st.floats(0.1, 1e4))
def test_the_unit_of_the_rates_changes_nothing(scale: float) -> None:
    curves = (RateCurve.of(scale * RATES, QUALITIES), RateCurve.of(scale * LOWER_RATES, BETTER))
    plain, scaled = bd_rate(ANCHOR, TEST).value, bd_rate(*curves).value
    assert scaled == pytest.approx(plain, rel=1e-8)


def test_swapped_curves_undo_each_other() -> None:
    there, back = bd_rate(ANCHOR, TEST).value, bd_rate(TEST, ANCHOR).value
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1, abs=1e-9)


def test_points_may_come_in_any_order() -> None:
    order = [2, 0, 3, 1]
    assert bd_rate(RateCurve.of(RATES[order], QUALITIES[order]), TEST) == bd_rate(ANCHOR, TEST)


@pytest.mark.parametrize(
    ("rates", "qualities", "reason"),
    [
        ([400.0], [30.0], "at least 2 rates, not 1"),
        ([400.0, 800, 800, 1600], [30.0, 31, 32, 33], r"from \(800, 31\) to \(800, 32\)"),
        ([400.0, 800, 1600], [30.0, 33, 32.5], r"from \(800, 33\) to \(1600, 32.5\)"),
        ([0.0, 800, 1600], [30.0, 33, 35], r"rates above 0, not \(0, 30\)$"),
        ([400.0, 800, 1600], [30.0, np.nan, 35], r"finite .*not \(800, nan\)$"),
        ([9000.0, 18000], [38.0, 45], "share 4% of their range of quality, less than 50%"),
        ([9000.0, 18000], [38.6, 45], "share nothing"),
    ],
)
def test_curves_without_a_meaning_are_refused(rates: list[float], qualities: list[float], reason: str) -> None:
    with pytest.raises(RateCurveError, match=reason):
        bd_rate(ANCHOR, RateCurve.of(np.array(rates), np.array(qualities)))


def test_rates_and_qualities_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="one quality for each rate"):
        RateCurve.of(RATES, QUALITIES[:3])
    with pytest.raises(ValueError, match="one quality for each rate"):
        RateCurve.of(RATES[None], QUALITIES[None])


def test_two_points_make_a_curve() -> None:
    found = bd_quality(RateCurve.of(RATES[:2], QUALITIES[:2]), RateCurve.of(RATES[:2], QUALITIES[:2] + 1))
    assert (found.value, found.notes) == (pytest.approx(1), ("a curve has only 2 points",))


def test_points_that_make_no_curve_are_named() -> None:
    with pytest.raises(RateCurveError, match=r"from large \(800, 33\) to huge \(1600, 32.5\)"):
        RateCurve.of(np.array([1600.0, 400, 800]), np.array([32.5, 30, 33]), ("huge", "small", "large"))


def test_the_overlap_at_which_a_delta_is_refused_or_noted() -> None:
    """Straight lines of 10 points, of which the second begins so far up that the overlap is as wanted."""
    rates = np.geomspace(1.0, 512.0, 10)
    anchor = RateCurve.of(rates, np.arange(10.0))

    def above(overlap: float) -> RateCurve:
        # Both have 9 units of quality; shifted by s they share 9 − s of 9 + s.
        return RateCurve.of(rates, np.arange(10.0) + 9 * (1 - overlap) / (1 + overlap))

    with pytest.raises(RateCurveError, match="share 49% of their range of quality, less than 50%"):
        bd_rate(anchor, above(0.49))
    noted, good = bd_rate(anchor, above(0.51)), bd_rate(anchor, above(0.76))
    assert noted.overlap == pytest.approx(0.51)
    assert noted.notes == ("the curves share only 51% of their range of quality",)
    assert good.notes == ()


def test_what_weakens_a_delta_is_noted() -> None:
    assert bd_rate(RateCurve.of(RATES[:3], QUALITIES[:3]), TEST).notes == (
        "the curves share only 68% of their range of quality",
        "a curve has only 3 points",
    )
    saturating = RateCurve.of(np.array([1950.0, 2980, 4050, 5100]), np.array([90.4, 99.45, 99.96, 99.975]))
    other = RateCurve.of(np.array([2010.0, 3010, 3990, 5060]), np.array([91.05, 99.62, 99.65, 99.98]))
    found = bd_rate(saturating, other)
    assert abs(found.interpolation_gap) > 1
    assert found.notes[-1] == f"depends on the interpolation: pchip − akima = {found.interpolation_gap:+.1f} points"


def source_curves(generator: np.random.Generator, num_sources: int, gain: float) -> SourceCurves:
    """Curves whose level varies by video and by which, at equal rates, ``gain`` is added to the quality."""
    weights = np.ones((num_sources, 4))
    level = generator.normal(0, 2, (num_sources, 1)) + gain + generator.normal(0, 0.1, (num_sources, 1))
    return SourceCurves(np.tile(RATES, (num_sources, 1)), weights, QUALITIES + level, weights)


def test_the_jackknife_equals_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    one, other = source_curves(generator, 6, 0), source_curves(generator, 6, 0.5)
    found = delta_of_sources("quality", one, other)
    values = []
    for left_out in range(6):
        means = [
            np.mean([row for place, row in enumerate(curves.quality_sums) if place != left_out], axis=0)
            for curves in (one, other)
        ]
        values.append(bd_quality(RateCurve.of(RATES, means[0]), RateCurve.of(RATES, means[1])).value)
    spread = np.std(values) * np.sqrt(5)
    assert (found.low, found.high) == pytest.approx(
        (found.value - 2.5705818366 * spread, found.value + 2.5705818366 * spread), rel=1e-8
    )
    assert found.num_sources == 6


def test_the_scale_of_a_figure_applies_to_its_mean() -> None:
    """−log10(1 − x) of the mean curve, not the mean of −log10(1 − x)."""
    generator = np.random.default_rng(3)
    figures = np.sort(generator.uniform(0.5, 0.99, (6, 4)), axis=1)
    weights = generator.uniform(1, 3, (6, 4))

    def scale(values: np.ndarray) -> np.ndarray:
        return -np.log10(1 - values)

    sums = [figures * weights, (0.5 + figures / 2) * weights]
    curves = [SourceCurves(np.tile(RATES, (6, 1)), np.ones((6, 4)), part, weights, scale=scale) for part in sums]
    means = [RateCurve.of(RATES, scale(part.sum(axis=0) / weights.sum(axis=0))) for part in sums]
    found = delta_of_sources("quality", curves[0], curves[1])
    assert found.value == pytest.approx(bd_quality(*means).value, rel=1e-12)
    assert found.value == pytest.approx(np.log10(2), rel=1e-9)


@pytest.mark.slow
def test_intervals_cover_the_true_delta() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        level = generator.normal(0, 2, (8, 1))
        weights = np.ones((8, 4))
        curves = [
            SourceCurves(np.tile(RATES, (8, 1)), weights, QUALITIES + level + gain, weights)
            for gain in (0, 0.4 + generator.normal(0, 0.3, (8, 1)))
        ]
        found = delta_of_sources("quality", curves[0], curves[1])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.4 <= found.high
    # 95 % of 400, within three standard errors.
    assert 367 <= covered <= 393


def test_from_five_videos_on_there_is_an_interval() -> None:
    generator = np.random.default_rng(2)
    one, other = source_curves(generator, 5, 0), source_curves(generator, 5, 0.5)
    found = delta_of_sources("quality", one, other)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.notes == ()
    with pytest.raises(ValueError, match="rest on 5 and 4 videos"):
        delta_of_sources("quality", one, source_curves(generator, 4, 0))


def test_few_videos_or_a_video_that_carries_the_curve_give_no_interval() -> None:
    generator = np.random.default_rng(2)
    few = delta_of_sources("quality", source_curves(generator, 4, 0), source_curves(generator, 4, 0.5))
    assert (few.low, few.high, few.notes) == (None, None, ("S = 4, no interval",))
    one, other = source_curves(generator, 5, 0), source_curves(generator, 5, 0)
    other.quality_sums[:, 3] -= 4
    other.quality_sums[0, 3] += 40
    found: BjontegaardDelta = delta_of_sources("quality", one, other)
    assert found.low is None
    assert "no interval: without one of the videos quality doesn't rise" in found.notes[-1]


def test_a_mean_curve_is_that_of_all_videos_but_the_one_that_is_left_out() -> None:
    generator = np.random.default_rng(3)
    growing = np.arange(1.0, 5)
    rates, qualities = (np.cumsum(growing * generator.uniform(1, 2, (5, 1)), axis=1) for _ in range(2))
    weights, frames = np.repeat(generator.integers(1, 9, (2, 5, 1)).astype(float), 4, axis=2)
    curves = SourceCurves(rates, weights, qualities, frames)
    for without in (None, 0, 1, 4):
        kept = [video for video in range(5) if video != without]
        expected = RateCurve.of(rates[kept].sum(0) / weights[kept].sum(0), qualities[kept].sum(0) / frames[kept].sum(0))
        found = curves.mean_curve(without)
        assert found.rates == pytest.approx(expected.rates)
        assert found.qualities == pytest.approx(expected.qualities)
