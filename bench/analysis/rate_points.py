"""Tokenizers as points of rate and quality, and which of them make one curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.bits import BitsPerPixel, bits_conventions
from ..metrics.interface import MeasuredWindow, Metric
from .cell_results import CellResults
from .shared_windows import Contestant, SharedWindows, share_windows

RATE = BitsPerPixel()
"""The metric that points are placed by."""

CODEC = "codec"
MODEL_FREE = (CODEC, "resize")
"""Regularizers of systems that have no models: one program gives all their rates."""


@dataclass(frozen=True, eq=False)
class RatePoint:
    """A tokenizer at its rate."""

    result: CellResults
    measured: Contestant
    """Its usable windows by their bits."""
    convention: str
    """How its bits are counted."""

    @property
    def label(self) -> str:
        """Of the tokenizer."""
        return self.result.label

    @property
    def rate(self) -> float:
        """Bits per pixel of all its windows."""
        return rate_of(self.measured.windows)


@dataclass(frozen=True, eq=False)
class SystemCurve:
    """One system at one or several rates, by one convention of counting bits."""

    name: str
    """Unique among the curves of a place."""
    convention: str
    points: tuple[RatePoint, ...]

    @property
    def remark(self) -> str:
        """What a reader must know of how the curve came about."""
        if len(self.points) < 2 or self.points[0].result.cell.spec.get("regularizer") in MODEL_FREE:
            return ""
        return f"the points of {self.name} are different models: {', '.join(point.label for point in self.points)}"


@dataclass(frozen=True, eq=False)
class SharedPoints:
    """Windows that several points share, with what was measured of quality and of bits there."""

    shared: SharedWindows
    """Windows of quality, for each point."""
    rates: tuple[Sequence[MeasuredWindow], ...]
    """Windows of bits, for each point."""


def rate_points(results: Sequence[CellResults]) -> list[RatePoint]:
    """The cells of one place whose bits were counted, all windows of a cell in one way."""
    found = []
    for result in results:
        measured = Contestant.of(result, RATE)
        conventions = bits_conventions(measured.windows)
        if len(conventions) == 1:
            found.append(RatePoint(result, measured, conventions.pop()))
    return found


def rate_of(windows: Sequence[MeasuredWindow]) -> float:
    """Bits per pixel of windows that were measured by :data:`RATE`."""
    bits, pixels = RATE.source_sums(windows)
    return math.fsum(bits) / math.fsum(pixels) if len(pixels) else 0.0


def find_curves(points: Sequence[RatePoint]) -> list[SystemCurve]:
    """The curves of one place, those of a single point included, in the order of their first points.

    A codec at several rates is one curve. So are tokenizers of one system that differ in codebook or channels alone.
    """
    members: dict[tuple[object, ...], list[RatePoint]] = {}
    for point in points:
        members.setdefault(_curve_key(point), []).append(point)
    systems = Counter(_system(curve[0]) for curve in members.values())
    names = [
        _system(curve[0]) if systems[_system(curve[0])] == 1 else _long_name(curve[0]) for curve in members.values()
    ]
    return [
        SystemCurve(name if names.count(name) == 1 else curve[0].label, curve[0].convention, tuple(curve))
        for name, curve in zip(names, members.values(), strict=True)
    ]


def share_points(points: Sequence[RatePoint], metric: Metric) -> SharedPoints:
    """The windows on which all points have both bits and the metric."""
    contestants = []
    for point in points:
        measured = Contestant.of(point.result, metric)
        contestants.append(measured.part(np.isin(measured.index, point.measured.index)))
    shared = share_windows(contestants, range(len(points)))
    rates = []
    for point, part in zip(points, shared.parts, strict=True):
        rates.append(point.measured.part(np.isin(point.measured.index, part.index)).windows)
    return SharedPoints(shared, tuple(rates))


def _curve_key(point: RatePoint) -> tuple[object, ...]:
    cell, spec = point.result.cell, point.result.cell.spec
    # The label without the tokenizer's name: settings that were changed, and the weights where a label has several.
    settings = point.label.removeprefix(cell.tokenizer)
    if spec.get("regularizer") == CODEC:
        return (_system(point), CODEC, settings, point.convention)
    shape = [spec.get(name) for name in ("regularizer", "causal", "temporal_compression", "spatial_compression")]
    return (_system(point), *shape, settings, point.convention)


def _system(point: RatePoint) -> str:
    return str(point.result.cell.spec.get("title", point.result.cell.tokenizer))


def _long_name(point: RatePoint) -> str:
    cell, spec = point.result.cell, point.result.cell.spec
    regularizer = str(spec.get("regularizer", ""))
    parts = [_system(point), regularizer if regularizer in MODEL_FREE else regularizer.upper()]
    time, space = spec.get("temporal_compression"), spec.get("spatial_compression")
    if time and space:
        parts.append(f"{time}×{space}×{space}")
    if not spec.get("causal", True):
        parts.append("not causal")
    return " ".join(filter(None, parts)) + point.label.removeprefix(cell.tokenizer)
