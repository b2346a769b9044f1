"""The charts of a run beside its table: from the ledger's windows to tables of points, and their drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ...reports.charts.curves import (
    draw_codebook_growth,
    draw_level_marginals,
    draw_psnr_by_position,
    draw_rate_distortion,
)
from ...reports.charts.pictures import Chart
from ...reports.charts.sweep import draw_sweep, sweep_points, sweep_table
from ...reports.schema import Figure
from ..metrics.codebook import CodebookUtilization, growth_curve, marginals
from ..metrics.psnr import FramePsnr, psnr_by_position
from .results import CellResults
from .sweep import find_sweeps

RATE = "bpp"
DISTORTIONS = {"psnr": "", "vmaf": "_vmaf"}
"""Metrics of the rate–distortion charts, and what their names end with."""


def run_charts(results: Sequence[CellResults], figures: Sequence[Figure]) -> list[Chart]:
    """Every chart that the measurements allow, apart for each dataset and protocol.

    PSNR by frame position; growth of the codebooks' utilization and their levels' shares, where codes were counted;
    PSNR against bits per pixel, where at least two tokenizers have both; rate, quality and time of every numeric
    setting that takes several values.

    Args:
        results: cells with their windows.
        figures: theirs; others are left out.
    """
    groups: dict[tuple[str, str], list[CellResults]] = {}
    for result in results:
        groups.setdefault((result.dataset, result.cell.protocol_hash), []).append(result)
    charts: list[Chart] = []
    suffixes: list[str] = []
    for (dataset, protocol_hash), group in groups.items():
        suffix, place = "", f"on {dataset}, protocol {group[0].cell.protocol['name']}"
        if len(groups) > 1:
            several = sum(name == dataset for name, _ in groups) > 1
            suffix = re.sub(r"[^A-Za-z0-9]+", "-", f"-{dataset}-{protocol_hash if several else ''}").rstrip("-")
            alike = suffixes.count(suffix)
            suffixes.append(suffix)
            suffix += f"-{alike + 1}" if alike else ""
        charts += _curves(group, suffix, place)
        here = [figure for figure in figures if (figure.dataset, figure.protocol_hash) == (dataset, protocol_hash)]
        charts += _rate_distortion(here, dataset, suffix, place)
        charts += _sweeps(group, suffix, place)
    return charts


def _curves(group: Sequence[CellResults], suffix: str, place: str) -> Iterator[Chart]:
    drawn = (
        (
            "psnr_by_position",
            f"PSNR by a frame's position in its window, {place}, with 95 % intervals.",
            position_table(group),
            draw_psnr_by_position,
        ),
        (
            "codebook",
            f"Utilization of the codebooks as the evaluation set grows, {place}.",
            growth_table(group),
            draw_codebook_growth,
        ),
        (
            "codebook_levels",
            f"Share of tokens at each level of scalar quantizers, {place}; lines mark equal shares.",
            marginals_table(group),
            draw_level_marginals,
        ),
    )
    for name, caption, points, draw in drawn:
        if not points.empty:
            yield Chart(f"{name}{suffix}", caption, draw(points), points)


def _sweeps(group: Sequence[CellResults], suffix: str, place: str) -> Iterator[Chart]:
    for sweep in find_sweeps(group):
        yield Chart(
            f"sweep_{sweep.setting}{suffix}",
            f"Rate, quality and time by {sweep.setting}, {place}; numbers beside points are its values.",
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
    """Codebook use: ``label``, ``windows``, ``tokens``, ``utilization`` and ``bound`` in percent, ``entries``."""
    rows: list[tuple[Any, ...]] = []
    for result in results:
        if windows := result.windows(CodebookUtilization()):
            entries = int(windows[0].arrays["sizes"].sum())
            rows += [
                (result.label, point.windows, point.tokens, 100 * point.utilization, 100 * point.bound, entries)
                for point in growth_curve(windows)
            ]
    return pd.DataFrame(rows, columns=["label", "windows", "tokens", "utilization", "bound", "entries"])


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


def _rate_distortion(figures: Sequence[Figure], dataset: str, suffix: str, place: str) -> Iterator[Chart]:
    found = {
        (figure.label, figure.metric): figure
        for figure in figures
        if figure.origin == "measured" and figure.is_available and figure.metric in (RATE, *DISTORTIONS)
    }
    for distortion, ending in DISTORTIONS.items():
        both = [label for label, metric in found if metric == distortion and (label, RATE) in found]
        if len(both) < 2:
            continue
        points = [(found[label, RATE], found[label, distortion]) for label in both]
        rows = [(rate.label, rate.value, quality.value, quality.low, quality.high) for rate, quality in points]
        yield Chart(
            f"rate_distortion{ending}{suffix}",
            f"{points[0][1].title} against bits per pixel, {place}.",
            draw_rate_distortion(figures, distortion, dataset, RATE),
            pd.DataFrame(rows, columns=["label", RATE, distortion, "low", "high"]),
        )
