"""FVD of infinitely many windows, on normal features whose distance is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from metric_windows import feature_window, make_metric
from toklab.bench.metrics import extrapolation
from toklab.bench.metrics.extrapolation import can_extrapolate, extrapolate
from toklab.bench.metrics.feature_set import FeatureSet
from toklab.bench.metrics.frechet import frechet_distance
from toklab.bench.metrics.interface import MeasuredWindow
from toklab.bench.metrics.set_distance import FrechetDistance
from toklab.bench.statistics.intervals import student_quantile

RULE = FrechetDistance(0)


def normal_windows(count: int, size: int, noise: float, seed: int = 0, num_sources: int = 50) -> list[MeasuredWindow]:
    """Features N(0, diag e^(-i/16)), and the same with noise of that shape, a little shifted."""
    generator = np.random.default_rng(seed)
    deviations = np.exp(-np.arange(size) / 32)
    references = deviations * generator.normal(size=(count, size))
    made = references + deviations * (noise * generator.normal(size=(count, size)) + 0.05)
    return [
        feature_window(f"v{n % num_sources:03}", n // num_sources, x, y)
        for n, (x, y) in enumerate(zip(made, references, strict=True))
    ]


def population_distance(size: int, noise: float) -> float:
    deviations = np.exp(-np.arange(size) / 32)
    return float(np.square(0.05 * deviations).sum() + np.square(deviations * (np.hypot(1, noise) - 1)).sum())


@pytest.mark.slow
def test_it_comes_close_to_the_distance_of_the_population() -> None:
    truth = population_distance(64, 0.5)
    plain, limits = [], []
    for seed in range(5):
        features = FeatureSet.of(normal_windows(1000, 64, 0.5, seed), RULE)
        plain.append(features.distance() / truth)
        limits.append(extrapolate(features) / truth)
    # At 16 windows for each number FVD is a quarter too large; the spread of the limit is a few hundredths.
    assert np.mean(plain) > 1.15
    assert np.mean(limits) == pytest.approx(1, abs=0.06)


def explicit_limit(windows: Sequence[MeasuredWindow]) -> float:
    """The same by plain loops."""
    sizes = [round(len(windows) * (7 + step) / 14) for step in range(8)]
    points = []
    for size in sizes:
        for draw in range(3):

            def key(window: MeasuredWindow, draw: int = draw) -> bytes:
                return hashlib.sha256(f"{draw}:{window.source}:{window.window}".encode()).digest()

            chosen = sorted(windows, key=key)[:size]
            x, y = (np.stack([of(w)["features"] for w in chosen]) for of in (_made, _reference))
            points.append((1 / size, frechet_distance(x, y)))
    inverses, values = np.array(points).T
    limit = np.polyfit(inverses, values, 1)[1]
    return float(limit)


def _made(window: MeasuredWindow) -> dict[str, np.ndarray]:
    return dict(window.arrays)


def _reference(window: MeasuredWindow) -> dict[str, np.ndarray]:
    return dict(window.reference_arrays)


def test_value_and_interval_are_those_of_the_whole_procedure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extrapolation, "MIN_FEATURES", 60)
    windows = normal_windows(84, 3, 0.5, num_sources=6)
    metric = make_metric("fvd-i3d")
    outcome = metric.extrapolated(windows[::-1], with_interval=True)
    assert outcome is not None
    assert outcome.value == pytest.approx(explicit_limit(windows), rel=1e-6)
    sources = sorted({window.source for window in windows})
    left = np.array([explicit_limit([w for w in windows if w.source != name]) for name in sources])
    half = student_quantile(0.975, 5) * np.sqrt(5 / 6 * np.square(left - left.mean()).sum())
    expected = max(0.0, outcome.value - half), outcome.value + half
    assert (outcome.low, outcome.high) == pytest.approx(expected, rel=1e-6)
    assert outcome.note == "extrapolated to infinitely many windows from N = 42 to 84"
    assert outcome.interval_note == "the interval is of the extrapolation from N = 84"
    plain = metric.extrapolated(windows, with_interval=False)
    assert plain is not None
    assert (plain.value, plain.low, plain.high) == (outcome.value, None, None)


def test_the_note_names_the_smallest_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extrapolation, "MIN_FEATURES", 60)
    outcome = make_metric("fvd-i3d").extrapolated(normal_windows(63, 3, 0.5), with_interval=False)
    assert outcome is not None
    # Half of 63, rounded to even.
    assert outcome.note == "extrapolated to infinitely many windows from N = 32 to 63"
    assert (outcome.interval_note, outcome.num_sources) == ("", 50)


@pytest.mark.parametrize(
    ("count", "size", "offered"), [(999, 4, False), (1000, 4, True), (1000, 401, False), (1000, 400, True)]
)
def test_it_is_not_offered_below_the_limits(count: int, size: int, offered: bool) -> None:
    features = FeatureSet.of(normal_windows(count, size, 0.5), RULE)
    assert can_extrapolate(features) == offered
    if not offered:
        with pytest.raises(ValueError, match="too few to extrapolate"):
            extrapolate(features)


def test_only_large_sets_of_frechet_distances_have_it() -> None:
    assert make_metric("fvd-i3d").extrapolated(normal_windows(100, 4, 0.5), with_interval=False) is None
    assert make_metric("fvd-i3d").extrapolated([], with_interval=False) is None
    large = normal_windows(1000, 4, 0.5)
    assert make_metric("fvd-i3d").extrapolated(large, with_interval=False) is not None
    assert make_metric("jedi").extrapolated(large, with_interval=False) is None
