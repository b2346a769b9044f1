"""Sweeps of a setting: their table, their points, and what is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from toklab.reports.charts.sweep import SweepPoint, draw_sweep, sweep_points, sweep_table
from toklab.reports.formats.tex.tables import plain_tabular
from toklab.reports.identity import Identities
from toklab.reports.paper.tables import plain_table
from toklab.reports.paper.venues import VENUES
from toklab.reports.schema import Figure, TableError


@pytest.fixture
def points(figure: Callable[..., Figure], systems: Callable[..., Identities]) -> list[SweepPoint]:
    """Two tokenizers by the number of steps; one has no time at its last point."""
    found = []
    for name, base in (("a", 30.0), ("b", 25.0)):
        for steps in (8, 1, 2):
            psnr = figure(tokenizer=name, value=base + steps / 10, low=base, high=base + 1, count=17)
            ssim = figure(tokenizer=name, metric="ssim", value=0.9)
            time = figure(tokenizer=name, metric="flicker", title="Latency", unit="s", value=0.5 * steps)
            timed = () if (name, steps) == ("b", 8) else (time,)
            found.append(SweepPoint(systems(["a", "b"])[name], steps, (psnr, ssim), time=timed))
    return found


def _lines(canvas: Axes) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]  # pyright: ignore
        for line in canvas.lines
    ]


def test_the_table_prints_each_point(points: list[SweepPoint]) -> None:
    table = sweep_table(points, "steps")
    assert table.columns == ("tokenizer", "steps", "PSNR (dB) ↑", "SSIM ↑", "Latency (s) ↓")
    assert table.rows[0] == ("a", "8", "30.80 [30.00, 31.00]", "0.9000", "4.0000")
    assert table.rows[3] == ("b", "8", "25.80 [25.00, 26.00]", "0.9000", "–")
    latex = plain_tabular(plain_table("sweep", (), table), VENUES["arxiv"])
    assert latex.count(r"\begin{tabular}{@{}lllll@{}}") == 1
    assert r"a & 8 & 30.80 {[}30.00, 31.00{]} & 0.9000 & 4.0000 \\" in latex


def test_points_are_one_row_a_figure(points: list[SweepPoint]) -> None:
    frame = sweep_points(points, "steps")
    assert len(frame) == 6 * 3 - 1
    first = frame.iloc[0]
    assert (first["tokenizer"], first["steps"], first["metric"], first["value"]) == ("a", 8, "psnr", 30.8)


def test_lines_go_by_the_setting_and_by_time(points: list[SweepPoint]) -> None:
    axes = draw_sweep(points, "steps").axes
    titles = [(canvas.get_xlabel(), canvas.get_ylabel()) for canvas in axes[:5]]
    assert titles == [
        ("steps", "PSNR (dB) ↑"),
        ("Latency (s)", "PSNR (dB) ↑"),
        ("steps", "SSIM ↑"),
        ("Latency (s)", "SSIM ↑"),
        ("steps", "Latency (s) ↓"),
    ]
    assert axes[0].get_xscale() == "log"
    assert _lines(axes[0]) == [[(1, 30.1), (2, 30.2), (8, 30.8)], [(1, 25.1), (2, 25.2), (8, 25.8)]]
    assert _lines(axes[1]) == [[(0.5, 30.1), (1, 30.2), (4, 30.8)], [(0.5, 25.1), (1, 25.2)]]
    assert [text.get_text() for text in axes[1].texts] == ["1", "2", "8", "1", "2"]
    assert not axes[5].axison


def test_bars_are_the_intervals_themselves(figure: Callable[..., Figure], systems: Callable[..., Identities]) -> None:
    """Also those that don't hold the figure, as a jackknife's need not."""
    ends = {1: (19.0, 22.0), 2: (20.5, 21.0), 4: (math.nan, math.nan)}
    points = [
        SweepPoint(systems(["a"])["a"], steps, (figure(value=20.0, low=low, high=high),))
        for steps, (low, high) in ends.items()
    ]
    (canvas,) = draw_sweep(points, "steps").axes
    (bars,) = (part for part in canvas.collections if isinstance(part, LineCollection))
    np.testing.assert_array_equal(bars.get_segments(), [[[1, 19], [1, 22]], [[2, 20.5], [2, 21]]])


def test_settings_that_start_at_zero_have_a_linear_axis(
    figure: Callable[..., Figure], systems: Callable[..., Identities]
) -> None:
    points = [SweepPoint(systems(["a"])["a"], seed, (figure(value=20.0 + seed),)) for seed in (0, 7)]
    (canvas,) = draw_sweep(points, "seed").axes
    assert canvas.get_xscale() == "linear"
    assert list(canvas.get_xticks()) == [0, 7]


def test_nothing_to_draw_is_refused(systems: Callable[..., Identities]) -> None:
    with pytest.raises(TableError, match="sweep of steps has no figure"):
        draw_sweep([SweepPoint(systems(["a"])["a"], 1, ())], "steps")
