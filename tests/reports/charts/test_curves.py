import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle
from toklab.reports.charts.curves import (
    draw_codebook_growth,
    draw_level_marginals,
    draw_psnr_by_position,
    draw_rate_distortion,
)
from toklab.reports.schema import TableError


@pytest.fixture
def positions():
    rows = [
        (label, i, base - i, base - i - 0.5, math.nan) for label, base in (("a", 30.0), ("b", 25.0)) for i in (2, 0, 1)
    ]
    return pd.DataFrame(rows, columns=["label", "position", "psnr", "low", "high"])


@pytest.fixture
def rated(figure):
    def build(name, rate, psnr, **fields):
        quality = figure(tokenizer=name, system=name, value=psnr, low=psnr - 1, high=psnr + 2, **fields)
        bits = {"metric": "flicker", "value": rate} | fields
        return [quality, figure(tokenizer=name, system=name, **bits)]

    return build


def test_positions_are_drawn_in_order(positions):
    (canvas,) = draw_psnr_by_position(positions).axes
    np.testing.assert_array_equal(np.asarray(canvas.lines[0].get_xdata()), [0, 1, 2])
    np.testing.assert_array_equal(np.asarray(canvas.lines[1].get_ydata()), [25, 24, 23])
    with pytest.raises(TableError, match="lacks the columns psnr"):
        draw_psnr_by_position(positions.drop(columns="psnr"))


@pytest.mark.parametrize("number", [2, 21, 40])
def test_the_legend_of_many_lines_stays_on_the_picture(number: int) -> None:
    rows = [
        {"label": f"system {i}", "position": 0, "psnr": 20.0 + i, "low": math.nan, "high": math.nan}
        for i in range(number)
    ]
    figure = draw_psnr_by_position(pd.DataFrame(rows))
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= figure.bbox.height


def test_rate_distortion_has_a_point_for_each_tokenizer_with_both_figures(rated, figure):
    figures = [*rated("a", 0.1, 30.0), *rated("b", 0.3, 33.0), figure(tokenizer="no rate", value=20.0)]
    (canvas,) = draw_rate_distortion(figures, "psnr", "sample", rate="flicker").axes
    handles, labels = canvas.get_legend_handles_labels()
    assert labels == ["a", "b"]
    assert len(handles) == 2
    assert canvas.get_xscale() == "log"
    assert canvas.get_ylabel() == "PSNR (dB) ↑"


def test_rate_distortion_joins_the_points_of_a_codec(rated):
    measured = [row for rate in (0.3, 0.1, 0.2) for row in rated(f"h264-{rate}", rate, 30 + rate)]
    codec = [replace(row, system="H.264", regularizer="codec") for row in measured]
    figures = [*codec, *rated("a", 0.15, 31.0)]
    (canvas,) = draw_rate_distortion(figures, "psnr", "sample", rate="flicker").axes
    handles, labels = canvas.get_legend_handles_labels()
    assert labels == ["H.264", "a"]
    containers = [handle for handle in handles if isinstance(handle, ErrorbarContainer)]
    joined, alone = (container.lines[0] for container in containers)
    np.testing.assert_array_equal(np.asarray(joined.get_xdata()), [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(np.asarray(joined.get_ydata()), [30.1, 30.2, 30.3])
    assert joined.get_linestyle() == "--"
    assert alone.get_linestyle() == "None"


def test_rate_distortion_refuses_two_protocols_and_nothing(rated):
    mixed = [*rated("a", 0.1, 30.0), *rated("b", 0.1, 30.0, protocol_hash="bb")]
    with pytest.raises(TableError, match="mixes the protocols vidtok"):
        draw_rate_distortion(mixed, "psnr", "sample", rate="flicker")
    with pytest.raises(TableError, match="finds no tokenizer that has both"):
        draw_rate_distortion([], "psnr", "sample")


@pytest.fixture
def growth():
    rows = [
        (label, tokens, min(100.0, 10.0 * tokens) / share, min(100.0, 10.0 * tokens), 10)
        for label, share in (("a", 1), ("b", 2))
        for tokens in (20, 5, 1)
    ]
    return pd.DataFrame(rows, columns=["label", "tokens", "utilization", "bound", "entries"])


def test_codebook_growth_stays_below_one_limit_for_each_size(growth):
    (canvas,) = draw_codebook_growth(growth).axes
    _, labels = canvas.get_legend_handles_labels()
    assert labels == ["limit, 10 entries", "a", "b"]
    np.testing.assert_array_equal(np.asarray(canvas.lines[1].get_xdata()), [1, 5, 20])
    np.testing.assert_array_equal(np.asarray(canvas.lines[2].get_ydata()), [5, 25, 50])
    assert canvas.get_xscale() == "log"
    with pytest.raises(TableError, match="lacks the columns entries"):
        draw_codebook_growth(growth.drop(columns="entries"))


def test_level_marginals_have_a_bar_for_each_level_of_each_codebook():
    rows = [
        ("a", book, dim, level, 100 / levels)
        for book in (0, 1)
        for dim, levels in enumerate((2, 3))
        for level in range(levels)
    ]
    frame = pd.DataFrame(rows, columns=["label", "codebook", "dimension", "level", "share"])
    panels = draw_level_marginals(frame).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["a, codebook 0", "a, codebook 1"]
    for panel in panels:
        heights = [bar.get_height() for bar in panel.patches if isinstance(bar, Rectangle)]
        assert heights == pytest.approx([50, 50, 100 / 3, 100 / 3, 100 / 3])
    with pytest.raises(TableError, match="no row"):
        draw_level_marginals(frame.iloc[:0])
