"""The charts of a run: which there are, and that their points are those of the metrics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_cells import made_cell
from toklab.bench.analysis import run_report
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.charts import run_charts
from toklab.bench.analysis.results import RunResults, name_versions
from toklab.bench.analysis.run_report import run_figures, write_run_report
from toklab.bench.metrics.codebook import CodebookUtilization
from toklab.bench.metrics.interface import Estimate
from toklab.bench.metrics.psnr import FramePsnr, decibels
from toklab.reports.charts.pictures import Chart

METRICS = ("psnr", "bpp", "codebook-utilization")


def charts_of(results: list[CellResults]) -> dict[str, Chart]:
    return {chart.name: chart for chart in run_charts(results, run_figures(results, published=False))}


def value(result: CellResults, metric: Any) -> float:
    outcome = result.evaluate(metric)
    assert isinstance(outcome, Estimate)
    return outcome.value


def points_of(chart: Chart) -> list[dict[str, Any]]:
    return [dict(zip(chart.points.columns, row, strict=True)) for row in chart.points.to_numpy()]


@pytest.mark.slow
def test_a_report_shows_every_chart_and_writes_the_points_of_the_metrics(
    run_suite: Callable[..., Any], tmp_path: Path
) -> None:
    run_suite(tmp_path / "run", ("signs", "average"), METRICS)
    run, out = RunResults.read(tmp_path / "run"), tmp_path / "report"
    write_run_report(run, out, ["md", "latex"], published=False)
    text, latex = (out / "report.md").read_text(), (out / "latex" / "main.tex").read_text()
    points: dict[str, list[dict[str, Any]]] = {}
    for name in ("psnr_by_position", "psnr_by_video", "rate_distortion", "codebook", "codebook_levels"):
        assert (out / f"{name}.png").is_file()
        assert f"({name}.png)" in text
        assert f"{{{name}.pdf}}" in latex
        assert (out / "latex" / "figures" / f"{name}.pdf").read_bytes() == (out / f"{name}.pdf").read_bytes()
        frame = pd.read_csv(out / f"{name}.csv")
        points[name] = [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]
    for result in run.results:
        positions = [point for point in points["psnr_by_position"] if point["label"] == result.cell.label]
        assert [(point["position"], point["windows"]) for point in positions] == [(frame, 6) for frame in range(17)]
        mean = sum(point["psnr"] for point in positions) / 17
        assert mean == pytest.approx(value(result, FramePsnr()))
    growth = points["codebook"]
    assert {(point["label"], point["entries"], point["compared_at"]) for point in growth} == {("signs", 8, 0)}
    assert (growth[0]["tokens"], growth[0]["utilization"]) == (1, pytest.approx(100 / 8))
    assert growth[-1]["tokens"] == max(point["tokens"] for point in growth) == 6 * 17 * 4 * 4
    assert growth[-1]["utilization"] == pytest.approx(value(run.results[0], CodebookUtilization()))
    for dimension in range(3):
        shares = [bar["share"] for bar in points["codebook_levels"] if bar["dimension"] == dimension]
        assert sum(shares) == pytest.approx(100)
    # Codes: 3 bits a position of 8×8 pixels; stored latents: 3 numbers of 16 bits.
    rates = {point["label"]: point["bpp"] for point in points["rate_distortion"]}
    assert rates == pytest.approx({"signs": 3 / 64, "average": 48 / 64})


@pytest.mark.slow
def test_a_numeric_setting_with_several_values_is_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, errors = [], {}
    for number, (seed, posterior) in enumerate(itertools.product((3, 0), ("mode", "sample"))):
        settings = {"seed": seed, "posterior": posterior}
        changed = ",".join(f"{name}={value}" for name, value in settings.items() if value not in (0, "mode"))
        label = f"noisy ({changed})" if changed else "noisy"
        errors[posterior, seed] = 0.1 / (number + 1)
        made = made_cell(label, {("v.mp4", 0): errors[posterior, seed]})
        spec = {**made.cell.spec, "title": "noisy"}
        cells.append(replace(made, cell=replace(made.cell, tokenizer="noisy", settings=settings, spec=spec)))
    chart = charts_of(cells)["sweep_seed"]
    assert chart.table is not None
    assert chart.table.columns[:2] == ("tokenizer", "seed")
    rows = [(name, seed) for name in ("noisy", "noisy (posterior=sample)") for seed in ("0", "3")]
    assert [row[:2] for row in chart.table.rows] == rows
    psnr = [point["value"] for point in points_of(chart) if point["metric"] == "psnr"]
    assert psnr == pytest.approx(
        [float(decibels(np.array(errors[posterior, seed]))) for posterior in ("mode", "sample") for seed in (0, 3)]
    )
    monkeypatch.setattr(run_report, "run_charts", lambda *arguments: [chart])
    write_run_report(RunResults("run", tuple(cells), ()), tmp_path, ["md", "latex"])
    assert "| noisy (posterior=sample) | 3 |" in (tmp_path / "report.md").read_text()
    assert "noisy (posterior=sample) & 3 &" in (tmp_path / "latex" / "main.tex").read_text()


def test_a_setting_that_is_no_number_is_no_sweep() -> None:
    cells = []
    for posterior in ("mode", "sample"):
        made = made_cell(f"t (posterior={posterior})", {("v.mp4", 0): 0.1})
        cells.append(replace(made, cell=replace(made.cell, tokenizer="t", settings={"posterior": posterior})))
    assert not [name for name in charts_of(cells) if name.startswith("sweep")]


def test_a_run_without_windows_has_no_charts() -> None:
    failed = made_cell("t", {}, metrics=METRICS)
    assert charts_of([replace(failed, cell=replace(failed.cell, status="failed", reason="no weights"))]) == {}


def test_each_protocol_has_charts_of_its_own_with_its_own_multiply_adds() -> None:
    cells = []
    for protocol_hash, macs in (("small", 1e12), ("large", 4e12)):
        for label, factor in (("a", 1), ("b", 2)):
            made = made_cell(label, {("v.mp4", 0): 0.01 * factor}, metrics=("psnr", "macs"))
            cell = replace(made.cell, protocol_hash=protocol_hash, facts={"macs_total": factor * macs})
            cells.append(replace(made, cell=cell))
    charts = charts_of(cells)
    found = {name: [point["cost"] for point in points_of(charts[name])] for name in charts if name.startswith("front")}
    assert found == {"front_macs-videos-small": [1.0, 2.0], "front_macs-videos-large": [4.0, 8.0]}
    assert {"psnr_by_position-videos-small", "psnr_by_position-videos-large"} <= set(charts)


def test_a_line_of_a_sweep_is_of_one_model() -> None:
    def swept(steps: int, weights: str, error: float) -> CellResults:
        label = f"t (steps={steps})" if steps > 1 else "t"
        made = made_cell(label, {("v.mp4", 0): error})
        cell = replace(made.cell, cell_id=f"{steps} {weights}", tokenizer="t", settings={"steps": steps})
        return replace(made, cell=replace(cell, weights=f"sha256:{weights * 64}"))

    cells = name_versions([swept(1, "a", 0.1), swept(2, "a", 0.01), swept(1, "b", 0.2), swept(2, "b", 0.02)])
    lines: dict[str, list[float]] = {}
    for point in points_of(charts_of(cells)["sweep_steps"]):
        if point["metric"] == "psnr":
            lines.setdefault(point["tokenizer"], []).append(point["value"])
    assert [[round(value, 2) for value in line] for line in lines.values()] == [[10, 20], [6.99, 16.99]]


def test_a_window_without_figure_takes_no_video_from_the_chart() -> None:
    errors = {("a.mp4", 0): 0.01, ("a.mp4", 1): math.nan, ("b.mp4", 0): 0.1}
    charts = charts_of([made_cell("t", errors)])
    values = {point["source"]: point["value"] for point in points_of(charts["psnr_by_video"])}
    assert values == pytest.approx({"a.mp4": 20, "b.mp4": 10}, abs=1e-4)
    assert [point["psnr"] for point in points_of(charts["psnr_by_position"])] == pytest.approx([15, 15], abs=1e-4)
