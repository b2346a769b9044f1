import math

import numpy as np
import pandas as pd
import pytest
from toklab.reports.curves import draw_psnr_by_position, draw_rate_distortion
from toklab.reports.schema import TableError, results_frame


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


def test_rate_distortion_has_a_point_for_each_tokenizer_with_both_figures(rated, figure):
    frame = results_frame([*rated("a", 0.1, 30.0), *rated("b", 0.3, 33.0), figure(tokenizer="no rate", value=20.0)])
    (canvas,) = draw_rate_distortion(frame, "psnr", "sample", rate="flicker").axes
    handles, labels = canvas.get_legend_handles_labels()
    assert labels == ["a", "b"]
    assert len(handles) == 2
    assert canvas.get_xscale() == "log"
    assert canvas.get_ylabel() == "PSNR (dB) ↑"


def test_rate_distortion_refuses_two_protocols_and_nothing(rated):
    mixed = [*rated("a", 0.1, 30.0), *rated("b", 0.1, 30.0, protocol_hash="bb")]
    with pytest.raises(TableError, match="mixes the protocols vidtok"):
        draw_rate_distortion(results_frame(mixed), "psnr", "sample", rate="flicker")
    with pytest.raises(TableError, match="finds no tokenizer that has both"):
        draw_rate_distortion(results_frame([]), "psnr", "sample")
