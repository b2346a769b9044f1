"""Cluster bootstrap and paired differences."""

from __future__ import annotations

import numpy as np
import pytest
from metric_windows import make_metric, window_of
from toklab.bench.metrics.interface import MeasuredWindow, Unavailable
from toklab.bench.statistics.intervals import (
    PairedDifference,
    bootstrap_interval,
    paired_difference,
    percentile_interval,
    resample_counts,
    resampled_ratio,
)


def _flicker(values: dict[tuple[str, int], float]) -> list[MeasuredWindow]:
    """Windows of the metric whose figure is the plain mean of what is given."""
    return [window_of(source, index, errors=[value]) for (source, index), value in values.items()]


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


def test_interval_has_the_width_of_the_standard_error() -> None:
    generator = np.random.default_rng(0)
    values = generator.uniform(size=400)
    low, high = bootstrap_interval(make_metric("flicker"), _flicker({(f"v{i}", 0): v for i, v in enumerate(values)}))
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_windows_of_one_source_are_no_independent_evidence() -> None:
    generator = np.random.default_rng(0)
    means = generator.uniform(size=20)
    once = _flicker({(f"v{i}", 0): v for i, v in enumerate(means)})
    often = _flicker({(f"v{i}", k): v for i, v in enumerate(means) for k in range(25)})
    metric = make_metric("flicker")
    assert bootstrap_interval(metric, often) == pytest.approx(bootstrap_interval(metric, once))


def test_one_source_has_no_interval() -> None:
    assert bootstrap_interval(make_metric("flicker"), _flicker({("a", 0): 0.1, ("a", 1): 0.2})) == (None, None)


def test_percentiles() -> None:
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25, 975))


def test_difference_on_shared_windows_only() -> None:
    a = _flicker({("a", 0): 0.1, ("b", 0): 0.2, ("c", 0): 0.9})
    b = _flicker({("b", 0): 0.5, ("a", 0): 0.2, ("d", 0): 0.9})
    outcome = paired_difference(make_metric("flicker"), a, b, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert (outcome.value_a, outcome.value_b) == pytest.approx((0.15, 0.35))
    assert outcome.difference == pytest.approx(-0.2)
    assert (outcome.windows_shared, outcome.sources_shared) == (2, 2)
    assert outcome.probability_a_better == 1


def test_a_constant_gain_is_certain_however_much_videos_differ() -> None:
    values = np.random.default_rng(1).uniform(size=10)
    a = _flicker({(f"v{i}", 0): v for i, v in enumerate(values)})
    b = _flicker({(f"v{i}", 0): v + 0.01 for i, v in enumerate(values)})
    outcome = paired_difference(make_metric("flicker"), a, b, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert (outcome.low, outcome.high) == pytest.approx((-0.01, -0.01))


def test_equal_tokenizers_are_better_half_of_the_time() -> None:
    a = _flicker({("a", 0): 0.1, ("b", 0): 0.2})
    outcome = paired_difference(make_metric("flicker"), a, a, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert outcome.probability_a_better == 0.5
    assert (outcome.low, outcome.high) == (0, 0)


def test_nothing_shared() -> None:
    outcome = paired_difference(make_metric("flicker"), _flicker({("a", 0): 0.1}), _flicker({("b", 0): 0.1}), {}, {})
    assert isinstance(outcome, Unavailable)
    assert "no measured window" in outcome.reason


def test_model_figures_need_no_windows() -> None:
    outcome = paired_difference(make_metric("params"), [], [], {"params_total": 3e6}, {"params_total": 1e6})
    assert isinstance(outcome, PairedDifference)
    assert outcome.difference == pytest.approx(2)
    assert outcome.low is None
