"""Paired differences between two tokenizers."""

from __future__ import annotations

import numpy as np
import pytest
from metric_windows import flicker_windows, make_metric
from toklab.bench.analysis.paired_difference import PairedDifference, paired_difference
from toklab.bench.metrics.interface import Unavailable


def test_difference_on_shared_windows_only() -> None:
    a = flicker_windows({("a", 0): 0.1, ("b", 0): 0.2, ("c", 0): 0.9})
    b = flicker_windows({("b", 0): 0.5, ("a", 0): 0.2, ("d", 0): 0.9})
    outcome = paired_difference(make_metric("flicker"), a, b, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert (outcome.value_a, outcome.value_b) == pytest.approx((0.15, 0.35))
    assert outcome.difference == pytest.approx(-0.2)
    assert (outcome.windows_shared, outcome.sources_shared) == (2, 2)
    assert outcome.probability_a_better == 1


def test_a_constant_gain_is_certain_however_much_videos_differ() -> None:
    values = np.random.default_rng(1).uniform(size=10)
    a = flicker_windows({(f"v{i}", 0): v for i, v in enumerate(values)})
    b = flicker_windows({(f"v{i}", 0): v + 0.01 for i, v in enumerate(values)})
    outcome = paired_difference(make_metric("flicker"), a, b, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert (outcome.low, outcome.high) == pytest.approx((-0.01, -0.01))


def test_equal_tokenizers_are_better_half_of_the_time() -> None:
    a = flicker_windows({("a", 0): 0.1, ("b", 0): 0.2})
    outcome = paired_difference(make_metric("flicker"), a, a, {}, {})
    assert isinstance(outcome, PairedDifference)
    assert outcome.probability_a_better == 0.5
    assert (outcome.low, outcome.high) == (0, 0)


def test_nothing_shared() -> None:
    outcome = paired_difference(
        make_metric("flicker"), flicker_windows({("a", 0): 0.1}), flicker_windows({("b", 0): 0.1}), {}, {}
    )
    assert isinstance(outcome, Unavailable)
    assert "no measured window" in outcome.reason


def test_model_figures_need_no_windows() -> None:
    outcome = paired_difference(make_metric("params"), [], [], {"params_total": 3e6}, {"params_total": 1e6})
    assert isinstance(outcome, PairedDifference)
    assert outcome.difference == pytest.approx(2)
    assert outcome.low is None
