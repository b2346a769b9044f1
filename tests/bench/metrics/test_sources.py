"""Intervals over measured windows, clustered by source video."""

from __future__ import annotations

import numpy as np
import pytest
from metric_windows import flicker_windows, make_metric
from toklab.bench.metrics.sources import bootstrap_interval


def test_interval_has_the_width_of_the_standard_error() -> None:
    generator = np.random.default_rng(0)
    values = generator.uniform(size=400)
    low, high = bootstrap_interval(
        make_metric("flicker"), flicker_windows({(f"v{i}", 0): v for i, v in enumerate(values)})
    )
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_windows_of_one_source_are_no_independent_evidence() -> None:
    generator = np.random.default_rng(0)
    means = generator.uniform(size=20)
    once = flicker_windows({(f"v{i}", 0): v for i, v in enumerate(means)})
    often = flicker_windows({(f"v{i}", k): v for i, v in enumerate(means) for k in range(25)})
    metric = make_metric("flicker")
    assert bootstrap_interval(metric, often) == pytest.approx(bootstrap_interval(metric, once))


def test_one_source_has_no_interval() -> None:
    assert bootstrap_interval(make_metric("flicker"), flicker_windows({("a", 0): 0.1, ("a", 1): 0.2})) == (None, None)
