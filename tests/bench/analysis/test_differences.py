"""Charts of paired differences to one tokenizer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_cells import Key, made_cell, rated_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.charts import run_charts
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.run_report import run_figures
from toklab.bench.metrics.psnr import decibels
from toklab.bench.statistics.families import paired_interval


def random_errors(seed: int, num_sources: int, num_windows: int = 2) -> dict[Key, float]:
    """Mean squared errors that differ much between videos."""
    generator = np.random.default_rng(seed)
    levels = np.random.default_rng(99).normal(-6, 2, num_sources)
    return {
        (f"v{source}.mp4", window): float(np.exp(levels[source] + generator.normal(0, 0.3)))
        for source in range(num_sources)
        for window in range(num_windows)
    }


def charts_of(cells: list[CellResults], to: str) -> tuple[dict[str, pd.DataFrame], list[str]]:
    left_out: list[str] = []
    charts = run_charts(cells, run_figures(cells, published=False), to, left_out)
    return {chart.name: chart.points for chart in charts}, left_out


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy()]


def test_positions_have_the_paired_interval_on_shared_windows() -> None:
    zero, other = random_errors(0, 9), random_errors(1, 9)
    del other["v3.mp4", 0], zero["v4.mp4", 0], zero["v4.mp4", 1]
    cells = [made_cell("zero", zero), made_cell("other", other)]
    charts, left_out = charts_of(cells, "zero")
    assert left_out == []
    shared = sorted(zero.keys() & other.keys())
    sources = sorted({source for source, _ in shared})
    sums = [
        np.array([sum(float(decibels(np.array(of[key]))) for key in shared if key[0] == source) for source in sources])
        for of in (other, zero)
    ]
    weights = np.array([sum(key[0] == source for key in shared) for source in sources], dtype=float)
    expected = paired_interval(sums[0], weights, sums[1], weights)
    found = rows_of(charts["psnr_by_position_difference"])
    assert [(row["label"], row["to"], row["position"]) for row in found] == [("other", "zero", 0), ("other", "zero", 1)]
    for row in found:
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(
            (expected.value, expected.low, expected.high), rel=1e-9
        )
        assert (row["windows"], row["videos"]) == (15, 8)
    # Videos differ far more than systems, so the paired band is much narrower than that of either system.
    own = charts["psnr_by_position"]
    assert (own["high"] - own["low"]).min() > 5 * (found[0]["high"] - found[0]["low"])


def test_without_a_request_there_is_no_difference() -> None:
    cells = [made_cell("a", random_errors(0, 6)), made_cell("b", random_errors(1, 6))]
    assert set(charts_of(cells, "")[0]) == {"psnr_by_position", "psnr_by_video", "paired_differences"}


def test_four_videos_have_differences_without_bands() -> None:
    cells = [made_cell("a", random_errors(0, 4)), made_cell("b", random_errors(1, 4))]
    found = rows_of(charts_of(cells, "a")[0]["psnr_by_position_difference"])
    assert [row["position"] for row in found] == [0, 1]
    for row in found:
        assert math.isfinite(row["difference"])
        assert math.isnan(row["low"])
        assert math.isnan(row["high"])
        assert row["videos"] == 4


def test_windows_of_other_lengths_are_paired_by_video() -> None:
    long = made_cell("long", random_errors(0, 6), num_frames=3)
    short = made_cell("short", random_errors(1, 6), num_frames=2)
    found = rows_of(charts_of([long, short], "long")[0]["psnr_by_position_difference"])
    assert [row["position"] for row in found] == [0, 1]
    assert {row["note"] for row in found} == {"windows differ in length and are paired by video"}


def test_what_cannot_be_paired_is_said() -> None:
    elsewhere = {(f"other {source}", window): error for (source, window), error in random_errors(1, 6).items()}
    cells = [made_cell("a", random_errors(0, 6)), made_cell("b", elsewhere)]
    charts, left_out = charts_of(cells, "a")
    assert "psnr_by_position_difference" not in charts
    assert left_out == [
        "No difference by position to a on videos, protocol p of b: no measured window is shared",
        "No paired differences to a on videos, protocol p: nothing can be compared with it",
    ]


def test_a_name_of_several_tokenizers_is_refused() -> None:
    cells = [made_cell(label, random_errors(0, 6)) for label in ("t", "t (seed=1)")]
    for cell in cells:
        object.__setattr__(cell.cell, "tokenizer", "card")
    with pytest.raises(ComparisonError, match=r"'card' is several tokenizers on videos.*'t', 't \(seed=1\)'"):
        charts_of(cells, "card")


def codec(label: str, system: str, rate: float, gain: float, *, seed: int = 0, **fields: Any) -> CellResults:
    errors = {key: error / 10 ** (gain / 10) for key, error in random_errors(seed, 6).items()}
    return rated_cell(label, errors, dict.fromkeys(errors, 1000 * rate), system=system, **fields)


def test_rates_within_three_percent_are_paired() -> None:
    cells = [
        codec("a-1", "A", 0.1, 0.0),
        codec("a-2", "A", 0.2, 4.0),
        codec("b-1", "B", 0.0972, 1.0, seed=1),
        codec("b-2", "B", 0.204, 4.5, seed=2),
        codec("b-3", "B", 0.22, 5.0),
        codec("model", "M", 0.1, -1.0, seed=3, convention="codes", regularizer="fsq"),
    ]
    charts, left_out = charts_of(cells, "a-2")
    found = {row["label"]: row for row in rows_of(charts["rate_distortion_difference"])}
    assert {label: (row["line"], row["to"]) for label, row in found.items()} == {
        "b-1": ("B", "a-1"),
        "b-2": ("B", "a-2"),
        "model": ("model", "a-1"),
    }
    assert (found["b-1"]["rate"], found["b-1"]["rate_of_to"]) == pytest.approx((0.0972, 0.1))
    assert (found["model"]["convention"], found["model"]["convention_of_to"]) == ("codes", "bitstream")
    means = {label: [float(decibels(np.array(error / 10 ** (gain / 10)))) for error in random_errors(seed, 6).values()]
             for label, gain, seed in (("b-1", 1.0, 1), ("a-1", 0.0, 0))}  # fmt: skip
    assert found["b-1"]["difference"] == pytest.approx(np.mean(means["b-1"]) - np.mean(means["a-1"]))
    assert found["b-1"]["low"] < found["b-1"]["difference"] < found["b-1"]["high"]
    assert left_out == [
        "No difference of PSNR to A on videos, protocol p of b-3: no point of A has the same rate within 3%, and "
        "windows in common"
    ]


def test_a_constant_gain_has_an_exact_band() -> None:
    cells = [codec("a", "A", 0.1, 0.0), codec("b", "B", 0.1, 0.0)]
    row = rows_of(charts_of(cells, "a")[0]["rate_distortion_difference"])[0]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    assert not math.isnan(row["rate"])
