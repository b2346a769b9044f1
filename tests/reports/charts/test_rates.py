"""Quality against bits, and its differences at equal rate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from toklab.reports.charts.rates import draw_rate_differences, draw_rate_distortion
from toklab.reports.identity import identify
from toklab.reports.schema import Figure, TableError

Build = Callable[..., list[Figure]]


@pytest.fixture
def rated(figure: Callable[..., Figure]) -> Build:
    def build(name: str, rate: float, psnr: float, system: str = "", **fields: str) -> list[Figure]:
        facts = {"tokenizer": name, "system": system or name} | fields
        quality = figure(value=psnr, low=psnr - 1, high=psnr + 2, **facts)
        return [quality, figure(metric="flicker", value=rate, **facts)]

    return build


@pytest.fixture
def measured(rated: Build) -> list[Figure]:
    codec = [row for rate in (0.3, 0.1, 0.2) for row in rated(f"h264-{rate}", rate, 30 + rate, "H.264")]
    return [*(replace(row, regularizer="codec") for row in codec), *rated("a", 0.15, 31.0)]


def lines(canvas: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in canvas.lines if not str(line.get_label()).startswith("_")}


def test_the_points_of_a_codec_are_joined(measured: list[Figure], figure: Callable[..., Figure]) -> None:
    figures = [*measured, figure(tokenizer="no rate", value=20.0)]
    identities = identify(figures)
    drawing = draw_rate_distortion(figures, "psnr", "sample", identities, rate="flicker", notes=["BD-rate: none."])
    (canvas,) = drawing.axes
    drawn = lines(canvas)
    assert list(drawn) == ["H.264", "a"]
    np.testing.assert_array_equal(np.asarray(drawn["H.264"].get_xdata()), [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(np.asarray(drawn["H.264"].get_ydata()), [30.1, 30.2, 30.3])
    assert drawn["H.264"].get_linestyle() != "None"
    assert drawn["a"].get_linestyle() == "None"
    assert drawn["a"].get_markeredgecolor() == identities["a"].colour
    assert canvas.get_xscale() == "log"
    assert {"H.264", "a", "PSNR (dB) ↑", "BD-rate: none."} <= {text.get_text() for text in drawing.texts}


def test_codecs_anchor_every_panel(
    measured: list[Figure], rated: Build, assert_printable: Callable[[Drawing], None]
) -> None:
    others = [row for n in range(6) for row in rated(f"s{n}", 0.1 * n + 0.1, 25.0 + n, group=f"continuous-{n % 2}")]
    figures = [*(replace(row, group="discrete") for row in measured), *others]
    drawing = draw_rate_distortion(figures, "psnr", "sample", identify(figures), rate="flicker", notes=["Note. " * 40])
    assert [set(lines(canvas)) for canvas in drawing.axes] == [
        {"H.264", "a"}, {"H.264", "s0", "s2", "s4"}, {"H.264", "s1", "s3", "s5"},
    ]  # fmt: skip
    assert_printable(drawing)


def test_two_protocols_and_nothing_are_refused(rated: Build) -> None:
    mixed = [*rated("a", 0.1, 30.0), *rated("b", 0.1, 30.0, protocol_hash="bb")]
    with pytest.raises(TableError, match="mixes the protocols vidtok"):
        draw_rate_distortion(mixed, "psnr", "sample", identify(mixed), rate="flicker")
    with pytest.raises(TableError, match="finds no tokenizer that has both"):
        draw_rate_distortion([], "psnr", "sample", identify([]))


DIFFERENCES = ["line", "label", "rate", "difference", "low", "high"]


def test_codecs_are_lines_with_bands_and_others_points_with_bars(measured: list[Figure]) -> None:
    rows = [
        ("H.264", "h264-0.2", 0.2, 2.0, 1.0, 3.0),
        ("H.264", "h264-0.1", 0.1, 1.0, 0.5, 1.5),
        ("a", "a", 0.1, -1.0, -1.5, -0.5),
    ]
    frame = pd.DataFrame(rows, columns=DIFFERENCES)
    identities = identify(measured)
    zero = ("Z", identities["h264-0.3"])
    drawing = draw_rate_differences(frame, identities, zero, measured[1], measured[0])
    (canvas,) = drawing.axes
    drawn = lines(canvas)
    np.testing.assert_array_equal(np.asarray(drawn["H.264"].get_xdata()), [0.1, 0.2])
    np.testing.assert_array_equal(np.asarray(drawn["H.264"].get_ydata()), [1, 2])
    assert {"zero: Z", "H.264", "a"} <= {text.get_text() for text in drawing.texts}
    assert sum(isinstance(part, PolyCollection) for part in canvas.collections) == 1
    (bar,) = (part for part in canvas.collections if isinstance(part, LineCollection))
    np.testing.assert_array_equal(bar.get_segments()[0], [[0.1, -1.5], [0.1, -0.5]])
    frame.loc[2, ["low", "high"]] = math.nan
    (canvas,) = draw_rate_differences(frame, identities, zero, measured[1], measured[0]).axes
    assert not any(isinstance(part, LineCollection) for part in canvas.collections)


def test_points_of_one_rate_have_an_axis_around_them(measured: list[Figure]) -> None:
    frame = pd.DataFrame([("a", "a", 0.1, -1.0, -1.5, -0.5)], columns=DIFFERENCES)
    identities = identify(measured)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw_rate_differences(frame, identities, ("a", identities["a"]), measured[1], measured[0])
        drawing.draw_without_rendering()
    assert drawing.axes[0].get_xlim() == pytest.approx((0.05, 0.2))
