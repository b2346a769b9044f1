"""Metrics behind the boundary: what their code raises is a reason, and everything else goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ..metrics.interface import Estimate, MeasuredWindow, Metric, MetricError, Unavailable
from .catalog import metrics
from .plugin_code import describe, plugin_code
from .registry import RegistryError

T = TypeVar("T")

CODE_FAILS = "the metric's own code fails"
"""How the reason begins where a metric is unavailable because its code raised something."""
HINT = "fix the plugin, or run without the metric"
REQUIRED = ("name", "title", "direction", "range", "display_range", "needs", "convention", "measurement")
"""Attributes of a metric that have no default."""


class BrokenMetric(Metric):
    """Stands for a metric that can't be imported or made, or isn't there any more."""

    direction = "none"
    range = display_range = (0.0, 1.0)
    needs = "pairs"
    convention = ""

    def __init__(self, name: str, reason: str):
        self.name = self.title = self.measurement = name
        self.why = Unavailable(reason, HINT, is_broken=True)

    def unavailable(self) -> Unavailable:
        """Why it can't run."""
        return self.why

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Unavailable:
        """Why there is no figure."""
        return self.why


def find_metric(name: str) -> Metric:
    """The metric of a name; one that can't be had is a :class:`BrokenMetric` that says why."""
    try:
        factory = metrics().get(name)
        with plugin_code():
            metric = factory()
            lacking = [required for required in (*REQUIRED, "measurement_key") if not hasattr(metric, required)]
    except RegistryError as error:
        return BrokenMetric(name, str(error))
    except Exception as error:
        return BrokenMetric(name, f"{CODE_FAILS}: {describe(error)}")
    if not isinstance(metric, Metric):
        return BrokenMetric(name, f"{CODE_FAILS}: it is made of a {type(metric).__name__}, no Metric")
    return BrokenMetric(name, f"{CODE_FAILS}: it has no {', '.join(lacking)}") if lacking else metric


def availability(metric: Metric) -> Unavailable | None:
    """Why a metric can't run here; ``None`` if it can."""
    try:
        with plugin_code():
            return metric.unavailable()
    except Exception as error:
        return code_fails(error)


def figure(metric: Metric, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
    """The metric's figure over some windows, or why there is none."""
    try:
        with plugin_code():
            outcome = metric.aggregate(windows, facts)
    except Exception as error:
        return code_fails(error)
    if not isinstance(outcome, (Estimate, Unavailable)):
        return code_fails(TypeError(f"aggregate gives a {type(outcome).__name__}, no Estimate"))
    return outcome


def guarded(call: Callable[[], T]) -> T | Unavailable:
    """What a method of a metric gives, or that its code fails."""
    try:
        with plugin_code():
            return call()
    except Exception as error:
        return code_fails(error)


def code_fails(error: Exception) -> Unavailable:
    """What a metric is whose code raised something."""
    return Unavailable(f"{CODE_FAILS}: {describe(error)}", HINT, is_broken=True)


def failure_reason(error: Exception) -> str:
    """What is kept of a window that a metric couldn't measure."""
    return f"{MetricError.__name__}: {error}" if isinstance(error, MetricError) else describe(error)


def is_fault(reason: str) -> bool:
    """Whether a kept reason says that the metric's code fails, and not that the window can't be measured."""
    return bool(reason) and not reason.startswith(f"{MetricError.__name__}: ")
