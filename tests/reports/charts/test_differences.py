from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from toklab.reports.charts.curves import draw_psnr_by_position, draw_rate_distortion
from toklab.reports.charts.differences import draw_position_differences, draw_rate_differences
from toklab.reports.schema import TableError


def positions(low: float = -1.0, high: float = 1.0) -> pd.DataFrame:
    rows = [
        (label, i, base + i, base + low + i, base + high + i)
        for label, base in (("b", 1.0), ("c", -2.0))
        for i in (1, 0)
    ]
    return pd.DataFrame(rows, columns=["label", "position", "difference", "low", "high"])


def test_systems_keep_their_colours_beside_a_zero_line() -> None:
    own = pd.DataFrame(
        [(label, i, 30.0, 29.0, 31.0) for label in "abc" for i in (0, 1)],
        columns=["label", "position", "psnr", "low", "high"],
    )
    (plain,) = draw_psnr_by_position(own).axes
    (canvas,) = draw_position_differences(positions(), ["a", "b", "c"], "a").axes
    assert canvas.get_legend_handles_labels()[1] == ["zero: a", "b", "c"]
    looks = [[(line.get_color(), line.get_marker()) for line in axes.lines] for axes in (plain, canvas)]
    assert looks[0][1:] == looks[1][1:]
    assert looks[0][0][0] == looks[1][0][0]
    np.testing.assert_array_equal(np.asarray(canvas.lines[1].get_xdata()), [0, 1])
    np.testing.assert_array_equal(np.asarray(canvas.lines[1].get_ydata()), [1, 2])
    assert canvas.get_ylabel() == "PSNR difference (dB) ↑"
    bands = [np.asarray(band.get_paths()[0].vertices)[:, 1] for band in canvas.collections]
    assert [(band.min(), band.max()) for band in bands] == [(0, 3), (-3, 0)]
    with pytest.raises(TableError, match="lacks the columns difference"):
        draw_position_differences(positions().drop(columns="difference"), ["a", "b", "c"], "a")


def test_without_intervals_there_is_no_band() -> None:
    (canvas,) = draw_position_differences(positions(math.nan, math.nan), ["a", "b", "c"], "a").axes
    assert [len(band.get_paths()) for band in canvas.collections] == [0, 0]
    assert len(canvas.lines) == 3


@pytest.fixture
def rated(figure):
    return [
        figure(tokenizer=name, label=name, system=system, regularizer=kind, metric=metric, value=value)
        for name, system, kind, rate, psnr in (
            ("a-1", "A", "codec", 0.1, 30.0),
            ("b-1", "B", "codec", 0.1, 31.0),
            ("b-2", "B", "codec", 0.2, 33.0),
            ("m", "M", "fsq", 0.1, 29.0),
        )
        for metric, value in (("flicker", rate), ("psnr", psnr))
    ]


def test_codecs_are_lines_with_bands_and_others_points_with_bars(rated) -> None:
    rows = [("B", 0.2, 2.0, 1.0, 3.0), ("B", 0.1, 1.0, 0.5, 1.5), ("m", 0.1, -1.0, -1.5, -0.5)]
    frame = pd.DataFrame(rows, columns=["line", "rate", "difference", "low", "high"])
    lines = {"A": "A", "B": "B", "m": "M"}
    (canvas,) = draw_rate_differences(frame, lines, "A", rated[0], rated[1]).axes
    (plain,) = draw_rate_distortion(rated, "psnr", "sample", "flicker").axes
    handles, labels = canvas.get_legend_handles_labels()
    assert labels == ["zero: A", "B", "m"]
    plain_handles = plain.get_legend_handles_labels()[0]
    drawn = [handle.lines[0] for handle in plain_handles if isinstance(handle, ErrorbarContainer)]
    zero, line, point = (handle for handle in handles if isinstance(handle, Line2D))
    assert [to_hex(one.get_color()) for one in (zero, line, point)] == [to_hex(one.get_color()) for one in drawn]
    np.testing.assert_array_equal(np.asarray(line.get_xdata()), [0.1, 0.2])
    np.testing.assert_array_equal(np.asarray(line.get_ydata()), [1, 2])
    assert [one.get_linestyle() for one in (zero, line, point)] == ["-", "--", "None"]
    assert sum(isinstance(part, PolyCollection) for part in canvas.collections) == 1
    (bar,) = (part for part in canvas.collections if isinstance(part, LineCollection))
    np.testing.assert_array_equal(bar.get_segments()[0], [[0.1, -1.5], [0.1, -0.5]])
    frame.loc[2, ["low", "high"]] = math.nan
    (canvas,) = draw_rate_differences(frame, lines, "A", rated[0], rated[1]).axes
    assert not any(isinstance(part, LineCollection) for part in canvas.collections)


def test_points_of_one_rate_have_an_axis_around_them(rated) -> None:
    frame = pd.DataFrame([("m", 0.1, -1.0, -1.5, -0.5)], columns=["line", "rate", "difference", "low", "high"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw_rate_differences(frame, {"A": "A", "m": "M"}, "A", rated[0], rated[1])
        drawing.draw_without_rendering()
    assert drawing.axes[0].get_xlim() == pytest.approx((0.05, 0.2))
