"""Metrics behind the boundary: what their code raises is a reason, and everything else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from ..metrics.interface import Estimate, MeasuredWindow, Metric, MetricError, Unavailable
from .catalog import metrics
from .plugin_code import describe, plugin_code
from .registry import RegistryError

T = TypeVar("T")

CODE_FAILS = "the metric's own code fails"
"""How the reason begins where a metric is unavailable because its code raised something."""
NO_MEMORY = "out of memory while it was measured"
"""How the reason begins where a window lacks a measurement because memory ran out."""
NOT_AGAIN = "not computed again"
"""How it begins where a window with a score lacks a measurement because a later run couldn't compute it."""
HINT = "fix the plugin, or run without the metric"
REQUIRED = ("name", "title", "direction", "range", "display_range", "needs", "convention", "measurement")
"""Attributes of a metric that have no default."""


@dataclass(frozen=True)
class _Watch:
    """Who hears of a process's metrics, and which it must leave alone: nobody and none, unless it is supervised."""

    hears: Callable[[str, str], AbstractContextManager[None]] = lambda name, step: nullcontext()
    given_up: Mapping[str, str] = field(default_factory=dict)


_watch = _Watch()


@contextmanager
def watched_metrics(
    hears: Callable[[str, str], AbstractContextManager[None]], given_up: Mapping[str, str]
) -> Iterator[None]:
    """Let somebody hear of every call of a metric's code inside.

    Args:
        hears: is given the metric's name and what is called of it, round each call.
        given_up: names of metrics whose code isn't to be called again, and why.
    """
    global _watch
    before, _watch = _watch, _Watch(hears, given_up)
    try:
        yield
    finally:
        _watch = before


@contextmanager
def metric_code(name: str, step: str) -> Iterator[None]:
    """Call a metric's code inside: as :func:`plugin_code`, and whoever watches this process's metrics hears of it.

    Args:
        name: of the metric.
        step: what is called: ``measure``.
    """
    with plugin_code(), _watch.hears(name, step):
        yield


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
    if reason := _watch.given_up.get(name):
        return BrokenMetric(name, f"{CODE_FAILS}: {reason}")
    try:
        with metric_code(name, "import or construction"):
            metric = metrics().get(name)()
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
        with metric_code(metric.name, "unavailable"):
            return metric.unavailable()
    except Exception as error:
        return code_fails(error)


def figure(metric: Metric, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
    """The metric's figure over some windows, or why there is none."""
    try:
        with metric_code(metric.name, "aggregate"):
            outcome = metric.aggregate(windows, facts)
    except Exception as error:
        return code_fails(error)
    if not isinstance(outcome, (Estimate, Unavailable)):
        return code_fails(TypeError(f"aggregate gives a {type(outcome).__name__}, no Estimate"))
    return outcome


def guarded(metric: Metric, step: str, call: Callable[[], T]) -> T | Unavailable:
    """What a call of a metric's code gives, or that the code fails; ``step`` names the method."""
    try:
        with metric_code(metric.name, step):
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
    return bool(reason) and not reason.startswith(f"{MetricError.__name__}: ") and not may_pass(reason)


def may_pass(reason: str) -> bool:
    """Whether a kept reason is no fault of the metric or the window: `--retry-failed` may get over it."""
    return reason.startswith((NO_MEMORY, NOT_AGAIN))
