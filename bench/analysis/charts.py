"""The charts of a run beside its table: from the ledger's windows to tables of points, and their drawings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ...reports.charts.codebooks import draw_codebook_growth, draw_level_marginals
from ...reports.charts.curves import draw_psnr_by_position, draw_rate_distortion
from ...reports.charts.pictures import Chart
from ...reports.charts.sweep import draw_sweep, sweep_points, sweep_table
from ...reports.schema import Figure
from ..metrics.codebook import CodebookUtilization, common_tokens, growth_curve, marginals, total_counts
from ..metrics.psnr import FramePsnr, psnr_by_position
from .differences import position_differences, rate_differences
from .places import Place, places_of
from .rate_points import RATE
from .results import CellResults
from .sweep import find_sweeps

DISTORTIONS = {"psnr": "", "vmaf": "_vmaf"}
"""Metrics of the rate–distortion charts, and what their names end with."""


def run_charts(
    results: Sequence[CellResults],
    figures: Sequence[Figure],
    difference_to: str = "",
    left_out: list[str] | None = None,
) -> list[Chart]:
    """Every chart that the measurements allow, apart for each dataset and protocol.

    PSNR by frame position; growth of the codebooks' utilization and their levels' shares, where codes were counted;
    PSNR against bits per pixel, where at least two tokenizers have both; rate, quality and time of every numeric
    setting that takes several values.

    Args:
        results: cells with their windows.
        figures: theirs; others are left out.
        difference_to: label or name of a tokenizer: the charts by position and rate then have a counterpart each, with
            the paired differences to it.
        left_out: takes sentences on what has no difference to that tokenizer.

    Raises:
        ComparisonError: if ``difference_to`` names several tokenizers of one place.
    """
    left_out = [] if left_out is None else left_out
    charts: list[Chart] = []
    for place in places_of(results):
        zero = place.named(difference_to) if difference_to else None
        if difference_to and zero is None:
            left_out.append(f"No differences to {difference_to} {place.words}: it has no scored window there")
        here = [f for f in figures if (f.dataset, f.protocol_hash) == (place.dataset, place.protocol_hash)]
        charts += _curves(place)
        if zero is not None:
            charts += position_differences(place, zero, left_out)
        charts += _rate_distortion(place, here, zero, left_out)
        charts += _sweeps(place)
    return charts


def _curves(place: Place) -> Iterator[Chart]:
    drawn = (
        (
            "psnr_by_position",
            f"PSNR by a frame's position in its window, {place.words}, with 95 % intervals.",
            position_table(place.results),
            draw_psnr_by_position,
        ),
        (
            "codebook",
            f"Expected utilization of the codebooks among so many of the tokens, {place.words}.",
            growth_table(place.results),
            draw_codebook_growth,
        ),
        (
            "codebook_levels",
            f"Share of tokens at each level of scalar quantizers, {place.words}; lines mark equal shares.",
            marginals_table(place.results),
            draw_level_marginals,
        ),
    )
    for name, caption, points, draw in drawn:
        if not points.empty:
            yield Chart(f"{name}{place.suffix}", caption, draw(points), points)


def _sweeps(place: Place) -> Iterator[Chart]:
    for sweep in find_sweeps(place.results):
        yield Chart(
            f"sweep_{sweep.setting}{place.suffix}",
            f"Rate, quality and time by {sweep.setting}, {place.words}; numbers beside points are its values.",
            draw_sweep(sweep.points, sweep.setting),
            sweep_points(sweep.points, sweep.setting),
            sweep_table(sweep.points, sweep.setting),
        )


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
    place: Place, figures: Sequence[Figure], zero: CellResults | None, left_out: list[str]
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
        yield Chart(
            f"rate_distortion{ending}{place.suffix}",
            f"{points[0][1].title} against bits per pixel, {place.words}.",
            draw_rate_distortion(figures, distortion, place.dataset, RATE.name),
            pd.DataFrame(rows, columns=["label", RATE.name, distortion, "low", "high"]),
        )
        if zero is not None:
            name = f"rate_distortion_difference{ending}{place.suffix}"
            yield from rate_differences(place, zero, distortion, list(itertools.chain(*points)), name, left_out)
