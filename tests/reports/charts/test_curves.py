import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from toklab.reports.charts.curves import draw_psnr_by_position, draw_rate_distortion
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
