"""Metrics whose code fails: a reason in their place, and the other metrics go on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

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
    watched_metrics,
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
    exits = ExitsInComparison()
    outcome = guarded(exits, "compare_systems", lambda: exits.compare_systems([WINDOWS] * 2))
    assert isinstance(outcome, Unavailable)
    assert outcome.is_broken
    assert outcome.reason == "the metric's own code fails: SystemExit: 0"
    outcome = guarded(Frames(), "compare_systems", lambda: Frames().compare_systems([WINDOWS] * 2))
    assert isinstance(outcome, Unavailable)
    assert not outcome.is_broken


def test_the_list_of_metrics_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", plugins_variable())
    listed = listing("metrics").text()
    assert "number of frames" in listed
    assert "psnr" in listed
    assert "it has no title" in listed
    found = availability(Availability())
    assert found is not None
    assert found.reason == "the metric's own code fails: SystemExit: 0"


def test_every_call_of_a_metric_is_heard_of_and_a_metric_that_is_given_up_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", plugins_variable())
    heard: list[tuple[str, str]] = []

    def hears(name: str, step: str) -> AbstractContextManager[None]:
        heard.append((name, step))
        return nullcontext()

    with watched_metrics(hears, {"exits-in-aggregate": "aggregate took more than 5 s"}):
        metric = find_metric("frames")
        availability(metric)
        figure(metric, WINDOWS, {})
        guarded(metric, "compare_systems", lambda: metric.compare_systems([WINDOWS] * 2))
        left_alone = find_metric("exits-in-aggregate")
    assert heard == [
        ("frames", step) for step in ("import or construction", "unavailable", "aggregate", "compare_systems")
    ]
    assert left_alone.unavailable() == Unavailable(
        "the metric's own code fails: aggregate took more than 5 s",
        "fix the plugin, or run without the metric",
        is_broken=True,
    )
    assert not isinstance(find_metric("exits-in-aggregate"), BrokenMetric)
    assert len(heard) == 4


def test_only_what_a_metric_may_raise_is_no_fault() -> None:
    assert not is_fault(failure_reason(MetricError("too few frames")))
    assert not is_fault(failure_reason(TooShort("too few frames")))
    assert not is_fault("")
    assert is_fault(failure_reason(ValueError("a mistake")))
    assert is_fault(failure_reason(MemoryError()))
