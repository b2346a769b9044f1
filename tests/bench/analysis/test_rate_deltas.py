"""BD-rates and BD-qualities of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_cells import Key, rated_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.rate_deltas import quality_scale, rate_delta_tables
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.metrics.ssim import GaussianSsim
from toklab.reports.tables.named import NamedTable
from toklab.reports.tables.plain import to_markdown

RATES = (0.05, 0.1, 0.2, 0.4)


def curve(
    name: str,
    *,
    scale: float = 1.0,
    gain: float = 0.0,
    rates: tuple[float, ...] = RATES,
    num_sources: int = 6,
    noise: float = 0.0,
    **fields: Any,
) -> list[CellResults]:
    """Codecs of 1, 2, … times the bits that gain 3 dB each time they double.

    ``scale`` multiplies the bits and ``gain`` adds dB; ``noise`` varies both by video.
    """
    generator = np.random.default_rng(0)
    levels = np.random.default_rng(1).normal(0, 3, num_sources)
    cells = []
    for number, rate in enumerate(rates):
        errors: dict[Key, float] = {}
        bits: dict[Key, float] = {}
        for source in range(num_sources):
            decibels = 25 + levels[source] + 3 * np.log2(rate / RATES[0]) + gain + noise * generator.normal()
            for window in range(2):
                errors[f"v{source}.mp4", window] = 10 ** (-decibels / 10)
                bits[f"v{source}.mp4", window] = 1000 * rate * scale
        figures = {
            metric: {key: make(error) for key, error in errors.items()}
            for metric, make in (("ssim", lambda error: 1 - error), ("lpips_vgg", lambda error: error))
        }
        cells.append(rated_cell(f"{name}-{number}", errors, bits, system=name.upper(), **figures, **fields))
    return cells


def rows_of(table: NamedTable) -> dict[tuple[str, str], dict[str, Any]]:
    columns = list(table.values.columns)
    rows = [dict(zip(columns, row, strict=True)) for row in table.values.to_numpy()]
    return {(row["curve"], row["name"]): row for row in rows}


@pytest.mark.slow
def test_a_fifth_less_rate_is_minus_twenty_percent_by_every_metric() -> None:
    left_out: list[str] = []
    (table,) = rate_delta_tables([*curve("a"), *curve("b", scale=0.8)], left_out=left_out)
    assert (table.name, left_out) == ("bd_rate", [])
    rows = rows_of(table)
    assert list(dict.fromkeys(name for _, name in rows)) == [
        "bd-rate(psnr)",
        "bd-quality(psnr)",
        "bd-rate(−log10(1−ssim))",
        "bd-quality(−log10(1−ssim))",
        "bd-rate(−lpips-vgg)",
        "bd-quality(−lpips-vgg)",
    ]
    for name in ("psnr", "−log10(1−ssim)", "−lpips-vgg"):
        row = rows["B", f"bd-rate({name})"]
        assert (row["value"], row["low"], row["high"]) == pytest.approx((-20, -20, -20), abs=1e-6), name
        assert (row["overlap"], row["note"]) == (pytest.approx(1), "")
        assert (row["anchor"], row["unit"], row["convention"]) == ("A", "%", "bitstream")
        assert (row["points"], row["anchor_points"], row["windows"], row["videos"]) == (4, 4, 12, 6)


def test_a_gain_is_the_gain_of_the_mean_curve() -> None:
    (table,) = rate_delta_tables([*curve("a"), *curve("b", gain=1.5, noise=0.2)])
    row = rows_of(table)["B", "bd-quality(psnr)"]
    assert row["value"] == pytest.approx(1.5, abs=0.3)
    assert row["low"] < row["value"] < row["high"]
    assert row["unit"] == "dB"


def test_the_named_tokenizer_says_which_curve_is_the_anchor() -> None:
    cells = [*curve("a"), *curve("b", scale=0.8), *curve("c", scale=1.25)]
    anchors = {}
    for name in ("", "c-2"):
        (table,) = rate_delta_tables(cells, name)
        anchors[name] = {(row["curve"], row["anchor"]) for row in rows_of(table).values()}
    assert anchors == {"": {("B", "A"), ("C", "A")}, "c-2": {("A", "C"), ("B", "C")}}


def without_first_video(cell: CellResults) -> CellResults:
    """The same cell without the windows of one video."""
    return replace(cell, rows=[row for row in cell.rows if row.source != "v0.mp4"])


def test_windows_that_one_point_lacks_count_for_no_curve() -> None:
    anchor, test = curve("a"), curve("b", gain=1.0, noise=0.5)
    short = curve("b", gain=1.0, noise=0.5)
    short[2] = without_first_video(short[2])
    fewer = rows_of(rate_delta_tables([*anchor, *short])[0])["B", "bd-quality(psnr)"]
    whole = rows_of(rate_delta_tables([*anchor, *test])[0])["B", "bd-quality(psnr)"]
    assert (fewer["windows"], fewer["videos"], whole["videos"]) == (10, 5, 6)
    without = rows_of(rate_delta_tables([without_first_video(cell) for cell in (*anchor, *test)])[0])[
        "B", "bd-quality(psnr)"
    ]
    assert (fewer["value"], fewer["low"], fewer["high"]) == (without["value"], without["low"], without["high"])
    assert fewer["value"] != whole["value"]


def test_curves_that_count_bits_differently_are_never_compared() -> None:
    left_out: list[str] = []
    cells = [*curve("a"), *curve("b", convention="codes", regularizer="fsq")]
    assert rate_delta_tables(cells, left_out=left_out) == []
    assert left_out == [
        "No BD-rate of A on videos, protocol p: no other curve counts its bits by bitstream",
        "No BD-rate of B on videos, protocol p: no other curve counts its bits by codes",
    ]


def test_a_single_rate_is_a_point() -> None:
    assert rate_delta_tables([*curve("a"), *curve("b", rates=RATES[:1])]) == []
    (table,) = rate_delta_tables([*curve("a"), *curve("b", scale=0.9), *curve("c", rates=RATES[:1])])
    assert {row["curve"] for row in rows_of(table).values()} == {"B"}
    assert table.table.notes[-1] == "of one rate, so without deltas: c-0"


def test_models_of_one_system_are_named() -> None:
    fields: dict[str, Any] = {"convention": "codes", "regularizer": "fsq"}
    (table,) = rate_delta_tables([*curve("a", **fields), *curve("b", scale=0.8, **fields)])
    assert "the points of B are different models: b-0, b-1, b-2, b-3" in table.table.notes


def test_few_points_and_few_videos_are_noted_and_no_nan_is_printed() -> None:
    (table,) = rate_delta_tables(
        [*curve("a", num_sources=4), *curve("b", scale=0.8, rates=(0.05, 0.1, 0.4), num_sources=4)]
    )
    row = rows_of(table)["B", "bd-quality(psnr)"]
    assert row["note"] == "a curve has only 3 points; S = 4, no interval"
    text = to_markdown(table.table)
    assert "nan" not in text.lower()
    assert "(1) a curve has only 3 points" in table.table.notes
    printed = next(cells for cells in table.table.rows if cells[2] == "bd-quality(psnr)")
    assert printed[3:5] == ("+0.97 dB", "–")
    assert printed[-1] == "(1) (2)"


def test_curves_that_make_no_delta_say_why() -> None:
    bent = curve("b")
    bent[2] = curve("b", gain=-9.0)[2]
    (table,) = rate_delta_tables([*curve("a"), *bent, *curve("c", gain=30.0)])
    rows = rows_of(table)
    refused = rows["B", "bd-rate(psnr)"]
    assert np.isnan(refused["value"])
    assert "none: quality doesn't rise with the rate from b-1 (0.1, " in refused["note"]
    assert " to b-2 (0.2, " in refused["note"]
    assert rows["C", "bd-rate(psnr)"]["note"] == "none: the curves share nothing of their range of quality"
    assert rows["C", "bd-quality(psnr)"]["value"] == pytest.approx(30, abs=0.1)


def test_a_point_without_the_metric_is_named() -> None:
    cells = [*curve("a"), *curve("b", scale=0.8)]
    key = GaussianSsim().measurement_key
    kept = {place: {k: m for k, m in of.items() if k != key} for place, of in cells[5].measurements.items()}
    cells[5] = replace(cells[5], measurements=kept)
    rows = rows_of(rate_delta_tables(cells)[0])
    assert rows["B", "bd-rate(−log10(1−ssim))"]["note"] == "none: not measured for b-1"
    assert rows["B", "bd-rate(psnr)"]["value"] == pytest.approx(-20)


def test_scales_on_which_higher_is_better() -> None:
    figures = np.array([0.5, 0.9])
    for name, written, scaled in (
        ("psnr", "psnr", figures),
        ("lpips-vgg", "−lpips-vgg", -figures),
        ("ssim", "−log10(1−ssim)", -np.log10([0.5, 0.1])),
        ("vmaf", "−log10(1−vmaf/100)", -np.log10([0.995, 0.991])),
    ):
        quality, scale = quality_scale(find_metric(name))
        assert quality == written
        np.testing.assert_allclose(scale(figures), scaled)
