"""The charts of a run beside its table: from the ledger's windows to tables of points, and their drawings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pandas as pd

from ...reports.charts.codebooks import draw_codebook_growth, draw_level_marginals
from ...reports.charts.curves import MOST_BANDS, draw_psnr_by_position
from ...reports.charts.dots import MOST_VIDEOS, draw_videos
from ...reports.charts.fronts import draw_front, front_points
from ...reports.charts.pictures import Chart, make_chart
from ...reports.charts.rates import draw_rate_distortion
from ...reports.charts.sweep import draw_sweep, sweep_points, sweep_table
from ...reports.identity import Identities, identify
from ...reports.schema import Figure
from ...reports.tables.columns import ARROWS
from ...reports.tables.named import NamedTable
from ..catalog.broken_metric import find_metric, guarded
from ..metrics.code_counts import common_tokens, growth_curve, marginals, total_counts
from ..metrics.codebook import CodebookUtilization
from ..metrics.interface import Unavailable
from ..metrics.psnr import FramePsnr, psnr_by_position
from ..metrics.sources import source_files
from .differences import position_differences, rate_differences
from .forest import paired_differences, quality_metrics
from .places import Place, places_of
from .rate_points import RATE
from .results import CellResults
from .sweep import find_sweeps

DISTORTIONS = {"psnr": "", "vmaf": "_vmaf"}
"""Metrics of the rate–distortion charts, and what their names end with."""

COSTS = {"throughput-decode": "decode", "macs": "macs"}
"""Metrics that quality is drawn against, and what the names of those charts end with."""


def run_charts(
    results: Sequence[CellResults],
    figures: Sequence[Figure],
    difference_to: str = "",
    left_out: list[str] | None = None,
    rate_deltas: Sequence[NamedTable] = (),
) -> list[Chart]:
    """Every chart that the measurements allow, apart for each dataset and protocol.

    PSNR by frame position and by video; paired differences; quality against bits per pixel, speed and multiply-adds,
    where at least two tokenizers have both; growth of the codebooks' utilization and their levels' shares, where codes
    were counted; rate, quality and time of every numeric setting that takes several values.

    Args:
        results: cells with their windows.
        figures: theirs; others are left out.
        difference_to: label or name of a tokenizer, the reference of paired differences: the charts by position and
            rate then have a counterpart each.
        left_out: takes sentences on what has no difference to that tokenizer.
        rate_deltas: tables of BD-rates, which stand below the charts of quality against bits.

    Raises:
        ComparisonError: if ``difference_to`` names several tokenizers of one place.
    """
    left_out = [] if left_out is None else left_out
    identities = identify(figures)
    charts: list[Chart] = []
    for place in places_of(results):
        zero = place.named(difference_to) if difference_to else None
        if difference_to and zero is None:
            left_out.append(f"No differences to {difference_to} {place.words}: it has no scored window there")
        here = [f for f in figures if (f.dataset, f.protocol_hash) == (place.dataset, place.protocol_hash)]
        charts += _positions(place, identities)
        if zero is not None:
            charts += position_differences(place, zero, identities, left_out)
        charts += _videos(place, identities)
        charts += paired_differences(place, zero, here, identities, left_out)
        charts += _rate_distortion(place, here, zero, identities, left_out, rate_deltas)
        charts += _fronts(place, [*here, *(figure for figure in figures if not figure.dataset)], identities)
        charts += _codebooks(place, identities)
        charts += _sweeps(place, identities)
    return charts


def _positions(place: Place, identities: Identities) -> Iterator[Chart]:
    points = position_table(place.results)
    if not points.empty:
        has_bands = len(set(points["label"])) <= MOST_BANDS and len(points["low"].dropna()) > 0
        bands = " Bands: 95 % intervals." if has_bands else ""
        yield make_chart(
            f"psnr_by_position{place.suffix}",
            "PSNR by frame position",
            f"PSNR by a frame's position in its window, {place.words}.{bands}",
            draw_psnr_by_position(points, identities),
            points,
        )


def _videos(place: Place, identities: Identities) -> Iterator[Chart]:
    """The first metric of quality that means something of a single video, video by video."""
    for name in quality_metrics(place):
        points = video_table(place.results, name)
        num_videos = len(set(points["source"]))
        if num_videos > 1:
            break
    else:
        return
    metric = find_metric(name)
    shown = f"; {MOST_VIDEOS} of {num_videos:,}, at even steps of their medians" if num_videos > MOST_VIDEOS else ""
    heading = f"{metric.title}{f' ({metric.unit})' if metric.unit else ''} {ARROWS[metric.direction]}".rstrip()
    yield make_chart(
        f"{name}_by_video{place.suffix}",
        f"{metric.title} by video",
        f"{metric.title} of each video, {place.words}, from the lowest median over systems to the highest{shown}.",
        draw_videos(points, heading, identities),
        points,
    )


def _codebooks(place: Place, identities: Identities) -> Iterator[Chart]:
    growth, shares = growth_table(place.results), marginals_table(place.results)
    if not growth.empty:
        yield make_chart(
            f"codebook{place.suffix}",
            "Codebook growth",
            f"Expected utilization of the codebooks among so many of the tokens, {place.words}.",
            draw_codebook_growth(growth, identities),
            growth,
        )
    if not shares.empty:
        yield make_chart(
            f"codebook_levels{place.suffix}",
            "Use of levels",
            f"Share of tokens at each level of scalar quantizers, {place.words}; lines mark equal shares.",
            draw_level_marginals(shares, identities),
            shares,
        )


def _sweeps(place: Place, identities: Identities) -> Iterator[Chart]:
    for sweep in find_sweeps(place.results, identities):
        yield make_chart(
            f"sweep_{sweep.setting}{place.suffix}",
            f"Sweep of {sweep.setting}",
            f"Rate, quality and time by {sweep.setting}, {place.words}; numbers beside points are its values.",
            draw_sweep(sweep.points, sweep.setting),
            sweep_points(sweep.points, sweep.setting),
            sweep_table(sweep.points, sweep.setting),
        )


def video_table(results: Sequence[CellResults], name: str) -> pd.DataFrame:
    """A metric of each video alone: ``label``, ``source`` (name of the video), ``value``.

    Without rows where the metric means nothing of a single video.
    """
    metric = find_metric(name)
    rows: list[tuple[str, str, float]] = []
    for result in results:
        windows = result.windows(metric) if name in result.cell.metrics else []
        means = guarded(metric, "source_means", lambda windows=windows: metric.source_means(windows))
        if isinstance(means, Unavailable):
            continue
        files = source_files(windows)
        rows += [(result.label, files[source][0], value) for source, value in means.items() if math.isfinite(value)]
    return pd.DataFrame(rows, columns=["label", "source", "value"])


def position_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """PSNR by frame position: ``label``, ``position`` from 0, ``psnr``, ``low`` and ``high`` in dB, ``windows``.

    Without rows where every window is one frame.
    """
    rows: list[tuple[Any, ...]] = []
    for result in results:
        curve = psnr_by_position(result.windows(FramePsnr()))
        columns = (curve.psnr, curve.low, curve.high, curve.count)
        rows += [(result.label, position, *values) for position, values in enumerate(zip(*columns, strict=True))]
    if all(position == 0 for _, position, *_ in rows):
        rows = []
    return pd.DataFrame(rows, columns=["label", "position", "psnr", "low", "high", "windows"])


def growth_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """Expected codebook use among some of the tokens, up to all of them.

    Columns: ``label``, ``tokens``, ``utilization`` and ``bound`` in percent, ``entries``, and ``compared_at``, the
    number of tokens at which the table compares the label with others; 0 where it doesn't.
    """
    metric = CodebookUtilization()
    counted = [(result, total_counts(windows)) for result in results if (windows := result.windows(metric))]
    in_table = [totals for result, totals in counted if metric.name in result.cell.metrics]
    smallest = common_tokens(in_table) if len(in_table) > 1 else 0
    rows: list[tuple[Any, ...]] = []
    for result, totals in counted:
        compared = smallest if metric.name in result.cell.metrics else 0
        rows += [
            (result.label, at.tokens, 100 * at.utilization, 100 * at.bound, sum(map(len, totals)), compared)
            for at in growth_curve(totals, [compared] if compared else [])
        ]
    return pd.DataFrame(rows, columns=["label", "tokens", "utilization", "bound", "entries", "compared_at"])


def marginals_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """Levels of scalar quantizers: ``label``, ``codebook``, ``dimension``, ``level`` from 0, ``share`` in percent."""
    rows: list[tuple[Any, ...]] = []
    for result in results:
        if windows := result.windows(CodebookUtilization()):
            rows += [
                (result.label, book, dimension, level, 100 * float(share))
                for book, dimensions in enumerate(marginals(windows))
                for dimension, shares in enumerate(dimensions)
                for level, share in enumerate(shares)
            ]
    return pd.DataFrame(rows, columns=["label", "codebook", "dimension", "level", "share"])


def _rate_distortion(
    place: Place,
    figures: Sequence[Figure],
    zero: CellResults | None,
    identities: Identities,
    left_out: list[str],
    rate_deltas: Sequence[NamedTable],
) -> Iterator[Chart]:
    found = {
        (figure.label, figure.metric): figure
        for figure in figures
        if figure.origin == "measured" and figure.is_available and figure.metric in (RATE.name, *DISTORTIONS)
    }
    for distortion, ending in DISTORTIONS.items():
        both = [label for label, metric in found if metric == distortion and (label, RATE.name) in found]
        if len(both) < 2:
            continue
        points = [(found[label, RATE.name], found[label, distortion]) for label in both]
        rows = [(rate.label, rate.value, quality.value, quality.low, quality.high) for rate, quality in points]
        title = points[0][1].title
        notes = bd_rates(place, distortion, rate_deltas)
        bars = " Bars: 95 % intervals." if any(quality.has_interval for _, quality in points) else ""
        yield make_chart(
            f"rate_distortion{ending}{place.suffix}",
            f"{title} by rate",
            f"{title} against bits per pixel, {place.words}; points of one codec are joined.{bars}",
            draw_rate_distortion(figures, distortion, place.dataset, identities, RATE.name, notes),
            pd.DataFrame(rows, columns=["label", RATE.name, distortion, "low", "high"]),
        )
        if zero is not None:
            name = f"rate_distortion_difference{ending}{place.suffix}"
            shown = list(itertools.chain(*points))
            yield from rate_differences(place, zero, distortion, shown, identities, name, left_out)


def bd_rates(place: Place, metric: str, tables: Sequence[NamedTable]) -> list[str]:
    """Sentences on the BD-rates of a place by a metric: ``BD-rate against H.264: AV1 −32.1 % [−35.0, −29.3].``"""
    sentences: dict[str, list[str]] = {}
    for table in tables:
        for row in cast(list[dict[str, Any]], table.values.to_dict("records")):
            is_here = (row["dataset"], row["protocol_hash"]) == (place.dataset, place.protocol_hash)
            if not is_here or (row["axis"], row["metric"]) != ("rate", metric) or math.isnan(row["value"]):
                continue
            ends = "" if math.isnan(row["low"]) else f" [{row['low']:+.1f}, {row['high']:+.1f}]"
            value = f"{row['value']:+.1f} %{ends}".replace("-", "\u2212")
            text = f"{row['curve']} {value}"
            sentences.setdefault(row["anchor"], []).append(text)
    return [f"BD-rate against {anchor}: {'; '.join(found)}." for anchor, found in sentences.items()]


def _fronts(place: Place, figures: Sequence[Figure], identities: Identities) -> Iterator[Chart]:
    """The first metric of quality against speed and effort, each under the conditions of most systems."""
    names = [name for name in quality_metrics(place) if any(f.metric == name and f.is_available for f in figures)]
    if not names:
        return
    for cost, ending in COSTS.items():
        points = front_points(figures, cost, names[0])
        if len(points) < 2:
            continue
        of_cost, of_quality = (next(f for f in figures if f.metric == name) for name in (cost, names[0]))
        elsewhere = {f.label for f in figures if f.metric.startswith(f"{cost}@") and f.is_available}
        other = [identities[label].short for label in identities if label in elsewhere]
        yield make_chart(
            f"front_{ending}{place.suffix}",
            f"{of_quality.title} against {of_cost.title}",
            f"{of_quality.title} against {_cost_in_words(of_cost)}, {place.words}. Ringed and joined: systems "
            "that no other one of their group beats in one figure without losing in the other, intervals aside."
            + (f" Measured under other conditions and not shown: {', '.join(other)}." if other else ""),
            draw_front(points, of_cost, of_quality, identities),
            points,
        )


def _cost_in_words(figure: Figure) -> str:
    return f"{figure.title}{f' in {figure.unit}' if figure.unit else ''}"
