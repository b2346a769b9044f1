"""Metrics whose code fails: a reason in their place, and the other metrics go on."""

from __future__ import annotations

import numpy as np
import pytest
from hostile_plugins import ExitsInAggregate, ExitsInComparison, Frames, plugins_variable
from toklab.bench.catalog.broken_metric import (
    BrokenMetric,
    availability,
    failure_reason,
    figure,
    find_metric,
    guarded,
    is_fault,
)
from toklab.bench.inventory.listing import listing
from toklab.bench.metrics.interface import Estimate, MeasuredWindow, Metric, MetricError, Unavailable

WINDOWS = [MeasuredWindow(source, 0, 17, {"frames": np.full(1, 17)}) for source in ("a", "b")]


class TooShort(MetricError):
    """A plugin's own kind of the error that metrics may raise."""


class Availability(Frames):
    """Ends the program when it is asked whether it can run."""

    def unavailable(self) -> Unavailable | None:
        raise SystemExit(0)


class Nothing(Frames):
    """Forgets to return its figure."""

    def aggregate(self, windows: object, facts: object) -> Estimate:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "no metric is called 'nowhere'"),
        ("exits", "doesn't work: SystemExit: 0"),
        ("construction", "the metric's own code fails: SystemExit: 0"),
        ("tokenizer", "it is made of a ChangesEverything, no Metric"),
        ("without-a-title", "it has no title"),
    ],
)
def test_a_metric_that_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    added = [
        "metrics.exits=hostile_import:Metric",
        "metrics.construction=hostile_plugins:ExitsInConstruction",
        "metrics.tokenizer=hostile_plugins:ChangesEverything",
    ]
    monkeypatch.setenv("TOKLAB_PLUGINS", ",".join([plugins_variable(), *added]))
    metric = find_metric(name)
    assert isinstance(metric, BrokenMetric)
    assert reason in metric.why.reason
    assert metric.why.is_broken
    assert metric.aggregate(WINDOWS, {}) == metric.unavailable() == metric.why
    assert find_metric("frames").aggregate(WINDOWS, {}) == Estimate(34.0, 2, "windows")


def test_a_figure_that_fails_is_a_reason() -> None:
    def reason(metric: Metric) -> str:
        outcome = figure(metric, WINDOWS, {})
        assert isinstance(outcome, Unavailable)
        assert outcome.is_broken
        return outcome.reason

    assert reason(ExitsInAggregate()) == "the metric's own code fails: SystemExit: 0"
    assert "aggregate gives a NoneType" in reason(Nothing())
    assert figure(Frames(), WINDOWS, {}) == Estimate(34.0, 2, "windows")


def test_a_comparison_that_fails_is_a_reason() -> None:
    outcome = guarded(lambda: ExitsInComparison().compare_systems([WINDOWS, WINDOWS]))
    assert isinstance(outcome, Unavailable)
    assert outcome.is_broken
    assert outcome.reason == "the metric's own code fails: SystemExit: 0"
    outcome = guarded(lambda: Frames().compare_systems([WINDOWS, WINDOWS]))
    assert isinstance(outcome, Unavailable)
    assert not outcome.is_broken


def test_the_list_of_metrics_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", plugins_variable())
    listed = listing("metrics")
    assert "number of frames" in listed
    assert "psnr" in listed
    assert "it has no title" in listed
    found = availability(Availability())
    assert found is not None
    assert found.reason == "the metric's own code fails: SystemExit: 0"


def test_only_what_a_metric_may_raise_is_no_fault() -> None:
    assert not is_fault(failure_reason(MetricError("too few frames")))
    assert not is_fault(failure_reason(TooShort("too few frames")))
    assert not is_fault("")
    assert is_fault(failure_reason(ValueError("a mistake")))
    assert is_fault(failure_reason(MemoryError()))
