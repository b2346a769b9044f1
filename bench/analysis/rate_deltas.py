"""Bjøntegaard deltas between the rate curves of a run: what is saved of rate, and gained of quality.

A delta is that of the mean curves over the videos that both systems share; the mean of the videos' own deltas would be
another convention. Curves are compared where they count bits in one way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from ...reports.tables.named import NamedTable
from ...reports.tables.rate_deltas import COLUMNS, rate_delta_table
from ..catalog.broken_metric import find_metric, guarded
from ..metrics.interface import Metric, Unavailable
from ..metrics.ratio import RatioMetric
from ..statistics.rate_curves import Axis, BjontegaardDelta, RateCurveError, SourceCurves, delta_of_sources
from .cell_results import CellResults
from .places import Place, places_of
from .rate_points import RATE, SharedPoints, SystemCurve, find_curves, rate_points, share_points
from .shared_windows import Contestant
from .sweep import QUALITY_NEEDS

LOGARITHMIC_DECIMALS = 3
"""Digits of deltas of −log10(1 − value)."""


def rate_delta_tables(
    results: Sequence[CellResults], difference_to: str = "", left_out: list[str] | None = None
) -> list[NamedTable]:
    """A table of deltas for each dataset and protocol with at least two curves that count bits in one way.

    Args:
        results: cells with their windows.
        difference_to: label or name of a tokenizer, whose curve is the anchor; else, and where bits are counted in
            another way than its own, it is the first curve.
        left_out: takes sentences on curves that have no counterpart.

    Raises:
        ComparisonError: if ``difference_to`` names several tokenizers of one place.
    """
    tables = []
    for place in places_of(results):
        zero = place.named(difference_to) if difference_to else None
        curves = find_curves(rate_points(place.results))
        pairs, alone = _pairs([curve for curve in curves if len(curve.points) > 1], zero)
        if left_out is not None:
            left_out += [
                f"No BD-rate of {curve.name} {place.words}: no other curve counts its bits by {curve.convention}"
                for curve in alone
            ]
        rows = [row for anchor, curve in pairs for row in _rows(place, anchor, curve)]
        if rows:
            tables.append(_table(place, rows, curves, pairs))
    return tables


def _pairs(
    curves: Sequence[SystemCurve], zero: CellResults | None
) -> tuple[list[tuple[SystemCurve, SystemCurve]], list[SystemCurve]]:
    """Anchors with what is compared with them; curves that have no counterpart, where there are several curves."""
    pairs: list[tuple[SystemCurve, SystemCurve]] = []
    alone: list[SystemCurve] = []
    for convention in dict.fromkeys(curve.convention for curve in curves):
        alike = [curve for curve in curves if curve.convention == convention]
        chosen = [curve for curve in alike if any(point.result is zero for point in curve.points)]
        anchor = (chosen or alike)[0]
        pairs += [(anchor, curve) for curve in alike if curve is not anchor]
        if len(alike) == 1 and len(curves) > 1:
            alone.append(anchor)
    return pairs, alone


def _table(
    place: Place,
    rows: list[dict[str, Any]],
    curves: Sequence[SystemCurve],
    pairs: Sequence[tuple[SystemCurve, SystemCurve]],
) -> NamedTable:
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    remarks = [curve.remark for pair in pairs for curve in pair]
    if single := [curve.points[0].label for curve in curves if len(curve.points) == 1]:
        remarks.append(f"of one rate, so without deltas: {', '.join(single)}")
    caption = (
        f"Bjøntegaard deltas of mean curves over shared videos, {place.words}, interpolated by Akima's splines. "
        "bd-rate: bits per pixel at equal quality, in percent of the anchor's; negative needs fewer. bd-quality: "
        "quality at equal bits per pixel; positive is better. Overlap: shared part of the range of quality, or of the "
        "logarithm of the rate. Intervals leave out one video after the other."
    )
    notes = [note for note in dict.fromkeys(remarks) if note]
    return NamedTable(f"bd_rate{place.suffix}", caption, rate_delta_table(frame, notes), frame)


def _rows(place: Place, anchor: SystemCurve, curve: SystemCurve) -> Iterator[dict[str, Any]]:
    """Both deltas by every metric of quality that a point of either curve was to be measured by."""
    points = (*anchor.points, *curve.points)
    for name in dict.fromkeys(name for point in points for name in point.result.cell.metrics):
        metric = find_metric(name)
        if not isinstance(metric, RatioMetric) or metric.needs not in QUALITY_NEEDS or metric.direction == "none":
            continue
        lacking = [point.label for point in points if not Contestant.of(point.result, metric).windows]
        if len(lacking) == len(points):
            # The table of all figures says why.
            continue
        quality, scale = quality_scale(metric)
        shared = share_points(points, metric)
        curves: tuple[SourceCurves, SourceCurves] | str = f"not measured for {', '.join(lacking)}"
        if not lacking:
            curves = _source_curves(shared, metric, anchor, curve, scale)
        for axis in get_args(Axis):
            yield {
                "dataset": place.dataset,
                "protocol": place.protocol,
                "protocol_hash": place.protocol_hash,
                "convention": curve.convention,
                "curve": curve.name,
                "anchor": anchor.name,
                "axis": axis,
                "metric": name,
                "quality": quality,
                "name": f"bd-{axis}({quality})",
                **_units(axis, metric),
                "points": len(curve.points),
                "anchor_points": len(anchor.points),
                "windows": shared.shared.num_windows,
                "videos": shared.shared.num_sources,
                **_delta(axis, metric, curves, shared),
            }


def quality_scale(metric: Metric) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """The name of the scale on which a metric enters a delta, and the function from its figures: higher is better.

    Metrics of which lower figures are better are negated. Those that saturate enter as −log10(1 − value / best), where
    equal steps are equal ratios of what is missing.
    """
    best = metric.saturates_at
    if best is not None:
        name = f"−log10(1−{metric.name})" if best == 1 else f"−log10(1−{metric.name}/{best:g})"

        def logarithmic(figures: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return -np.log10(1 - figures / best)

        return name, logarithmic
    return (f"−{metric.name}", np.negative) if metric.direction == "lower" else (metric.name, np.positive)


def _units(axis: Axis, metric: Metric) -> dict[str, Any]:
    if axis == "rate":
        return {"unit": "%", "decimals": 1}
    if metric.saturates_at is not None:
        return {"unit": "", "decimals": LOGARITHMIC_DECIMALS}
    return {"unit": metric.unit, "decimals": metric.decimals}


def _source_curves(
    shared: SharedPoints,
    metric: RatioMetric,
    anchor: SystemCurve,
    curve: SystemCurve,
    scale: Callable[[np.ndarray], np.ndarray],
) -> tuple[SourceCurves, SourceCurves] | str:
    """Both curves by video, on what all their points share; or why there are none."""
    if not shared.shared.num_windows:
        return "the points share no measured window"
    qualities = guarded(
        metric, "source_sums", lambda: [metric.source_sums(windows) for windows in shared.shared.windows]
    )
    if isinstance(qualities, Unavailable):
        return qualities.reason
    rates = [RATE.source_sums(windows) for windows in shared.rates]
    made, start = [], 0
    for system in (anchor, curve):
        part = slice(start, start + len(system.points))
        start = part.stop
        sums = [np.stack(columns, axis=1) for pairs in (rates, qualities) for columns in zip(*pairs[part], strict=True)]
        names = tuple(point.label for point in system.points)
        made.append(SourceCurves(*sums, names=names, scale=lambda ratios: scale(metric.link.value(ratios))))
    return made[0], made[1]


def _delta(
    axis: Axis, metric: Metric, curves: tuple[SourceCurves, SourceCurves] | str, shared: SharedPoints
) -> dict[str, Any]:
    found = dict.fromkeys(("value", "low", "high", "overlap", "interpolation_gap"), math.nan)
    delta = curves if isinstance(curves, str) else guarded(metric, "link", lambda: _delta_or_reason(axis, *curves))
    if isinstance(delta, Unavailable):
        delta = delta.reason
    if isinstance(delta, str):
        return {**found, "note": f"none: {delta}"}
    notes = [*delta.notes, shared.shared.note]
    return {
        "value": delta.value,
        "low": math.nan if delta.low is None else delta.low,
        "high": math.nan if delta.high is None else delta.high,
        "overlap": delta.overlap,
        "interpolation_gap": delta.interpolation_gap,
        "note": "; ".join(filter(None, notes)),
    }


def _delta_or_reason(axis: Axis, anchor: SourceCurves, test: SourceCurves) -> BjontegaardDelta | str:
    try:
        return delta_of_sources(axis, anchor, test)
    except RateCurveError as error:
        return str(error)
