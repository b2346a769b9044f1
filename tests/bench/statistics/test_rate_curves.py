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


@pytest.mark.goldens
@pytest.mark.parametrize("interpolation", ["akima", "pchip"])
def test_deltas_equal_the_official_package(shared: Path, interpolation: Any) -> None:
    golden = json.loads((shared / "goldens" / "metrics_2" / "bd_rate.json").read_text())
    for case in golden["cases"]:
        curves = [np.array(case[side][axis]) for side in ("anchor", "test") for axis in ("rate", "dist")]
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


def test_a_fifth_less_rate_at_equal_quality_is_minus_twenty_percent() -> None:
    found = bd_rate(RATES, QUALITIES, 0.8 * RATES, QUALITIES)
    assert found.value == pytest.approx(-20, abs=1e-9)
    assert found.notes == ()
    assert bd_quality(RATES, QUALITIES, RATES, QUALITIES + 1.5).value == pytest.approx(1.5, abs=1e-9)


@given(st.floats(0.1, 1e4))
def test_the_unit_of_the_rates_changes_nothing(scale: float) -> None:
    plain, scaled = (bd_rate(s * RATES, QUALITIES, s * LOWER_RATES, BETTER).value for s in (1, scale))
    assert scaled == pytest.approx(plain, rel=1e-8)


def test_swapped_curves_undo_each_other() -> None:
    there = bd_rate(RATES, QUALITIES, LOWER_RATES, BETTER).value
    back = bd_rate(LOWER_RATES, BETTER, RATES, QUALITIES).value
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1, abs=1e-9)


def test_points_may_come_in_any_order() -> None:
    order = [2, 0, 3, 1]
    assert bd_rate(RATES[order], QUALITIES[order], LOWER_RATES, BETTER) == bd_rate(
        RATES, QUALITIES, LOWER_RATES, BETTER
    )


@pytest.mark.parametrize(
    ("rates", "qualities", "reason"),
    [
        ([400.0], [30.0], "at least 2 rates, not 1"),
        ([400.0, 800, 800, 1600], [30.0, 31, 32, 33], r"from \(800, 31\) to \(800, 32\)"),
        ([400.0, 800, 1600], [30.0, 33, 32.5], r"from \(800, 33\) to \(1600, 32.5\)"),
        ([0.0, 800, 1600], [30.0, 33, 35], "rates above 0"),
        ([400.0, 800, 1600], [30.0, np.nan, 35], "finite"),
        ([9000.0, 18000], [38.0, 45], "share 4% of their range of quality; 50% are needed"),
        ([9000.0, 18000], [38.6, 45], "share nothing"),
    ],
)
def test_curves_without_a_meaning_are_refused(rates: list[float], qualities: list[float], reason: str) -> None:
    with pytest.raises(RateCurveError, match=reason):
        bd_rate(RATES, QUALITIES, np.array(rates), np.array(qualities))


def test_what_weakens_a_delta_is_noted() -> None:
    assert bd_rate(RATES[:3], QUALITIES[:3], LOWER_RATES, BETTER).notes == (
        "the curves share only 68% of their range",
        "a curve has only 3 points",
    )
    saturating = np.array([1950.0, 2980, 4050, 5100]), np.array([90.4, 99.45, 99.96, 99.975])
    found = bd_rate(*saturating, np.array([2010.0, 3010, 3990, 5060]), np.array([91.05, 99.62, 99.65, 99.98]))
    assert any(note.startswith("depends on the interpolation") for note in found.notes)


def source_curves(generator: np.random.Generator, num_sources: int, gain: float) -> SourceCurves:
    """Curves whose level varies by video and by which, at equal rates, ``gain`` is added to the quality."""
    weights = np.ones((num_sources, 4))
    level = generator.normal(0, 2, (num_sources, 1)) + gain + generator.normal(0, 0.1, (num_sources, 1))
    return SourceCurves(np.tile(RATES, (num_sources, 1)), weights, QUALITIES + level, weights)


def test_the_jackknife_equals_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    one, other = source_curves(generator, 6, 0), source_curves(generator, 6, 0.5)
    found = delta_of_sources(bd_quality, one, other)
    values = []
    for left_out in range(6):
        means = [
            np.mean([row for place, row in enumerate(curves.quality_sums) if place != left_out], axis=0)
            for curves in (one, other)
        ]
        values.append(bd_quality(RATES, means[0], RATES, means[1]).value)
    spread = np.std(values) * np.sqrt(5)
    assert (found.low, found.high) == pytest.approx(
        (found.value - 2.5705818366 * spread, found.value + 2.5705818366 * spread), rel=1e-8
    )
    assert found.num_sources == 6


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
        found = delta_of_sources(bd_quality, curves[0], curves[1])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.4 <= found.high
    # 95 % of 400, within three standard errors.
    assert 367 <= covered <= 393


def test_few_videos_or_a_video_that_carries_the_curve_give_no_interval() -> None:
    generator = np.random.default_rng(2)
    few = delta_of_sources(bd_quality, source_curves(generator, 4, 0), source_curves(generator, 4, 0.5))
    assert (few.low, few.high, few.notes) == (None, None, ("S = 4, no interval",))
    one, other = source_curves(generator, 5, 0), source_curves(generator, 5, 0)
    other.quality_sums[:, 3] -= 4
    other.quality_sums[0, 3] += 40
    found: BjontegaardDelta = delta_of_sources(bd_quality, one, other)
    assert found.low is None
    assert "no interval: without one of the videos quality doesn't rise" in found.notes[-1]
