"""Points of the forest plot, and what charts of a run are called."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from made_cells import made_cell, random_cells, rated_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.charts import bd_rates, run_charts
from toklab.bench.analysis.comparison import compare_labels
from toklab.bench.analysis.places import places_of
from toklab.bench.analysis.rate_deltas import rate_delta_tables
from toklab.bench.analysis.run_report import run_figures
from toklab.reports.charts.pictures import Chart
from toklab.reports.identity import identify
from toklab.reports.tables.table import build_table


@pytest.fixture(scope="module")
def cells() -> list[CellResults]:
    return random_cells(np.random.default_rng(3), 4, 9)


def forest(cells: list[CellResults], to: str = "") -> tuple[Chart, list[dict[str, Any]]]:
    charts = {chart.name: chart for chart in run_charts(cells, run_figures(cells, published=False), to)}
    frame = charts["paired_differences"].points
    return charts["paired_differences"], [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy()]


def test_differences_are_those_of_compare(cells: list[CellResults]) -> None:
    _, rows = forest(cells, "t1")
    assert [row["label"] for row in rows] == ["t0", "t2", "t3"]
    for row in rows:
        assert row["to"] == "t1"
    compared = compare_labels(cells, ["t1", "t0", "t2", "t3"], ["psnr"], "run")
    others = [dict(zip(compared.columns, row, strict=True)) for row in compared.to_numpy()]
    for row, other in zip(rows, others, strict=True):
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(
            (-other["difference"], -other["high"], -other["low"])
        )
        assert row["verdict"] == {"A": "worse", "B": "better"}.get(other["verdict"], other["verdict"])
        assert row["videos"] == 9


def test_without_a_reference_it_is_the_best_of_the_group_as_the_table_judges(cells: list[CellResults]) -> None:
    chart, rows = forest(cells)
    psnr = {figure.label: figure for figure in run_figures(cells, published=False)}
    best = max(psnr, key=lambda label: psnr[label].value)
    assert {row["to"] for row in rows} == {best}
    assert {row["label"] for row in rows} == set(psnr) - {best}
    for row in rows:
        assert row["difference"] == pytest.approx(psnr[row["label"]].value - psnr[best].value, abs=1e-6)
        assert row["difference"] <= 0
        assert row["low"] <= row["difference"] <= row["high"]
        # Bold in the table is what can't be told from the best.
        assert (row["verdict"] == "worse") == (row["high"] < 0) == (psnr[row["label"]].rank != "best")
    assert "minus" in " ".join(text.get_text() for text in chart.drawing.texts)


@pytest.mark.parametrize("order", [1, -1])
def test_notes_name_the_systems_in_either_order(order: int) -> None:
    levels = np.exp(np.random.default_rng(1).normal(-6, 1, 30))
    # Slightly better in four of five videos, much worse in the others.
    factors = {"steady": np.ones(30), "erratic": np.where(np.arange(30) < 24, 0.97, 8.0)}
    errors = {label: {(f"v{n:02}.mp4", 0): e for n, e in enumerate(levels * f)} for label, f in factors.items()}
    cells = [made_cell(label, of) for label, of in errors.items()][::order]
    note = "erratic does better than steady in most videos"
    _, (row,) = forest(cells)
    assert (row["label"], row["to"], row["verdict"], row["note"]) == ("erratic", "steady", "worse", note)
    (compared,) = compare_labels(cells, [], None, "run").to_dict("records")
    assert (compared["better"], compared["note"]) == ("steady", note)


def codec(label: str, system: str, rate: float, gain: float) -> CellResults:
    errors = {(f"v{n}.mp4", 0): math.exp(-6 - n / 4 - gain) / rate for n in range(6)}
    return rated_cell(label, errors, dict.fromkeys(errors, 1000 * rate), system=system)


def test_bd_rates_stand_below_the_chart_of_rates() -> None:
    cells = [
        codec(f"{system}-{rate}", system, rate, gain)
        for system, gain in (("X", 0.0), ("Y", math.log(2)))
        for rate in (0.1, 0.2, 0.4, 0.8)
    ]
    # Half of the error at each rate is the same error at half of the rate.
    sentences = bd_rates(places_of(cells)[0], "psnr", rate_delta_tables(cells))
    assert sentences == ["BD-rate against X: Y −50.0 % [−50.0, −50.0]."]


def test_charts_show_no_name_that_the_table_does_not(cells: list[CellResults]) -> None:
    figures = run_figures(cells, published=False)
    identities = identify(figures)
    rows = [row for section in build_table(figures).sections for row in section.rows]
    names = {" ".join(filter(None, (row.title, row.regularizer))) for row in rows}
    assert names == {identity.short for identity in identities.values()} == {"t0", "t1", "t2", "t3"}
    for chart in run_charts(cells, figures, "t1"):
        shown = " ".join(text.get_text() for text in chart.drawing.texts)
        assert set(re.findall(r"\bt\d\b", shown)) >= names - {"t1"}
        assert chart.title
