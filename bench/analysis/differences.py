"""Paired differences to one tokenizer: by frame position, and at equal rate.

Each tokenizer is paired with that one alone, on the windows that both share, by source video. Every interval stands for
itself: it isn't simultaneous with those of other positions, rates or tokenizers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ...reports.charts.curves import draw_position_differences
from ...reports.charts.pictures import Chart, make_chart
from ...reports.charts.rates import draw_rate_differences, line_name
from ...reports.identity import Identity
from ...reports.schema import Figure
from ..catalog.broken_metric import find_metric, guarded
from ..metrics.interface import Metric, Unavailable
from ..metrics.psnr import FramePsnr, psnr_difference_by_position
from ..statistics.intervals import Interval
from .cell_results import CellResults
from .places import Place
from .rate_points import RATE, RatePoint, SystemCurve, find_curves, rate_of, rate_points, share_points
from .shared_windows import Contestant, SharedWindows, share_windows

EQUAL_RATE = 0.97
"""The lower of two rates over the higher from which on they are equal: codecs keep to their target as closely."""

POSITION_COLUMNS = ("label", "to", "position", "difference", "low", "high", "windows", "videos", "note")
RATE_COLUMNS = (
    "line",
    "label",
    "to",
    "rate",
    "rate_of_to",
    "convention",
    "convention_of_to",
    "difference",
    "low",
    "high",
    "windows",
    "videos",
    "note",
)

EACH_ALONE = "Bands, drawn where a panel has up to three systems, hold 95 % at each position alone, and need 5 videos."


def position_differences(
    place: Place, zero: CellResults, identities: Mapping[str, Identity], left_out: list[str]
) -> Iterator[Chart]:
    """The chart of PSNR by frame position as paired differences to ``zero``, if any tokenizer can be paired with it.

    Args:
        place: where they were measured.
        zero: one of its cells.
        identities: of all labels.
        left_out: takes sentences on tokenizers that can't be paired.
    """
    rows: list[tuple[Any, ...]] = []
    unpaired: list[str] = []
    own = Contestant.of(zero, FramePsnr())
    for result in place.results:
        contestant = Contestant.of(result, FramePsnr())
        if not contestant.windows or result is zero:
            continue
        shared = share_windows([contestant, own], (0, 1))
        if not shared.num_windows:
            unpaired.append(result.label)
            continue
        for at in psnr_difference_by_position(*shared.windows):
            facts = (at.count, at.interval.num_sources, _note(at.interval, shared))
            rows.append((result.label, zero.label, at.position, *_numbers(at.interval), *facts))
    if unpaired:
        left_out.append(
            f"No difference by position to {zero.label} {place.words} of {', '.join(unpaired)}: "
            "no measured window is shared"
        )
    frame = pd.DataFrame(rows, columns=list(POSITION_COLUMNS))
    if all(position == 0 for _, _, position, *_ in rows):
        return
    caption = (
        f"Paired differences of PSNR to {identities[zero.label].short} by a frame's position in its window, "
        f"{place.words}, on shared windows. {EACH_ALONE}"
    )
    drawing = draw_position_differences(frame, identities, zero.label)
    name, title = f"psnr_by_position_difference{place.suffix}", "PSNR by frame position, paired differences"
    yield make_chart(name, title, caption, drawing, frame)


def rate_differences(
    place: Place,
    zero: CellResults,
    quality: str,
    figures: Sequence[Figure],
    identities: Mapping[str, Identity],
    name: str,
    left_out: list[str],
) -> Iterator[Chart]:
    """The chart of a metric against bits per pixel as paired differences at equal rate, if any rates are equal.

    Args:
        place: where it was measured.
        zero: a cell whose curve the differences are to; a tokenizer of one rate is a curve of one point.
        quality: name of the metric.
        figures: of the tokenizers that the chart without differences shows: both metrics of each, in its order.
        identities: of all labels.
        name: of the chart.
        left_out: takes sentences on tokenizers that have no counterpart.
    """
    metric = find_metric(quality)
    points = rate_points(place.results)
    shown = {figure.label: figure for figure in figures if figure.metric == quality}
    curve = next((curve for curve in find_curves(points) if any(point.result is zero for point in curve.points)), None)
    if curve is None or zero.label not in shown:
        left_out.append(f"No difference of {metric.title} at equal rate {place.words}: not measured for {zero.label}")
        return
    others = [point for point in points if point.label in shown and point not in curve.points]
    found = {point.label: _rate_difference(point, curve, metric) for point in others}
    rows = [{"line": line_name(shown[label]), "label": label, **row} for label, row in found.items() if row]
    if alone := [label for label, row in found.items() if not row]:
        left_out.append(
            f"No difference of {metric.title} to {curve.name} {place.words} of {', '.join(alone)}: no point of "
            f"{curve.name} has the same rate within {1 - EQUAL_RATE:.0%}, and windows in common"
        )
    if not rows:
        return
    frame = pd.DataFrame(rows, columns=list(RATE_COLUMNS))
    rate = next(figure for figure in figures if figure.metric == RATE.name)
    own = identities[curve.points[0].label]
    to = curve.name if len(curve.points) > 1 else own.short
    drawing = draw_rate_differences(frame, identities, (to, own), rate, shown[zero.label])
    title = f"{metric.title} at equal rate, paired differences"
    yield make_chart(name, title, _rate_caption(place, metric, curve, frame), drawing, frame)


def _rate_caption(place: Place, metric: Metric, curve: SystemCurve, frame: pd.DataFrame) -> str:
    caption = (
        f"Paired differences of {metric.title} to {curve.name} at equal bits per pixel (within {1 - EQUAL_RATE:.0%}), "
        f"{place.words}, on shared windows. Bands and bars hold 95 % at each rate alone, and need 5 videos."
    )
    conventions = sorted({*frame["convention"], *frame["convention_of_to"]})
    if len(conventions) > 1:
        caption += f" Bits are counted in several ways: {', '.join(conventions)}."
    return caption


def _rate_difference(point: RatePoint, curve: SystemCurve, metric: Metric) -> dict[str, Any] | None:
    """The difference to the point of a curve whose rate is nearest, if it is equal on the windows that both share."""
    to = max(curve.points, key=lambda other: _closeness(point.rate, other.rate))
    paired = share_points((point, to), metric)
    shared, rates = paired.shared, [rate_of(windows) for windows in paired.rates]
    if not shared.num_windows or _closeness(*rates) < EQUAL_RATE:
        return None
    family = guarded(metric, "compare_systems", lambda: metric.compare_systems(shared.windows))
    if isinstance(family, Unavailable):
        return None
    interval = family.differences[0].interval
    difference, low, high = _numbers(interval)
    return {
        "to": to.label,
        "rate": rates[0],
        "rate_of_to": rates[1],
        "convention": point.convention,
        "convention_of_to": to.convention,
        "difference": difference,
        "low": low,
        "high": high,
        "windows": shared.num_windows,
        "videos": shared.num_sources,
        "note": _note(interval, shared),
    }


def _closeness(one: float, other: float) -> float:
    """The lower of two rates over the higher, 0 to 1."""
    return min(one, other) / max(one, other) if max(one, other) > 0 else 0.0


def _note(interval: Interval, shared: SharedWindows) -> str:
    return "; ".join(filter(None, (interval.note, shared.note)))


def _numbers(interval: Interval) -> tuple[float, float, float]:
    low, high = interval.low, interval.high
    return interval.value, math.nan if low is None else low, math.nan if high is None else high
