"""FVD in a run's table: at equal N in ranks, extrapolated in a column of its own, with its notes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from made_cells import featured_cell
from metric_windows import estimate, make_metric
from toklab.bench.analysis.comparison import compare_labels
from toklab.bench.analysis.results_table import results_table
from toklab.bench.metrics import extrapolation
from toklab.bench.metrics.interface import Unavailable
from toklab.reports.formats.comma_separated import render_table
from toklab.reports.schema import read_figures
from toklab.reports.tables.table import build_table

METRIC = "fvd-i3d"


def test_ranks_are_at_equal_n_and_say_so() -> None:
    cells = [featured_cell("few", 2, 17, 0.3), featured_cell("many of them", 3, 16, 1.5)]
    rows = {row["label"]: row for row in results_table(cells).to_dict("records")}
    few, many = rows["few"], rows["many of them"]
    assert (few["count"], many["count"]) == (16, 24)
    assert (few["rank"], many["rank"]) == ("best", "second")
    assert many["value"] == estimate(make_metric(METRIC), cells[1].windows(make_metric(METRIC))).value
    assert "compared at N = 16" not in few["note"]
    assert "compared at N = 16: " in many["note"]
    assert "the mean of 8 parts from" in many["note"]
    (compared,) = compare_labels(cells, ["few", "many of them"], None, "run").to_dict("records")
    assert compared["value_a"] == few["value"]
    assert compared["value_b"] > many["value"]
    assert f"compared at N = 16: {compared['value_b']:.1f}, the mean of 8 parts from" in compared["note"]


def test_sets_of_one_size_are_compared_as_they_are() -> None:
    cells = [featured_cell("one", 2, 17, 0.3), featured_cell("other", 2, 17, 1.5)]
    assert not any("compared at" in note for note in results_table(cells)["note"])


def test_the_extrapolated_figure_has_a_column_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [featured_cell("one", 3, 17, 0.3), featured_cell("other", 3, 17, 1.5)]
    assert set(results_table(cells)["metric"]) == {METRIC}
    monkeypatch.setattr(extrapolation, "MIN_FEATURES", 24)
    table = results_table(cells)
    plain = table[table["metric"] == METRIC].set_index("label")
    limits = table[table["metric"] == f"{METRIC}-extrapolated"].set_index("label")
    assert list(limits["title"]) == ["FVD (extrapolated)"] * 2
    assert all(limit < value for limit, value in zip(limits["value"], plain["value"], strict=True))
    assert set(limits["note"]) == {"extrapolated to infinitely many windows from N = 12 to 24"}
    assert set(limits["rank"]) == {""}
    assert set(limits["rank_low"]) == {0}
    assert set(limits["family"]) == {""}
    assert all(math.isnan(low) for low in limits["low"])
    finished = results_table(cells, extrapolation_intervals=True).to_dict("records")
    values = [row for row in finished if row["metric"] == f"{METRIC}-extrapolated"]
    assert [row["value"] for row in values] == list(limits["value"])
    for row in values:
        assert 0 <= row["low"] <= row["value"] <= row["high"]
        assert row["interval_note"] == "the interval is of the extrapolation from N = 24"
    printed = build_table(read_figures(table))
    assert [column.title for column in printed.columns] == ["FVD", "FVD (extrapolated)"]
    assert f"{METRIC}-extrapolated" in render_table(printed).splitlines()[0]


def test_a_system_without_a_figure_takes_no_part_in_what_the_table_ranks() -> None:
    cells = [
        featured_cell(label, 3, 17, noise, num_sources=12) for label, noise in (("a", 0.1), ("bb", 0.5), ("ccc", 1))
    ]
    references = dict(cells[2].references)
    references.pop(next(iter(references)))
    cells[2] = replace(cells[2], references=references)
    frame = compare_labels(cells, [], None, "run")
    (row,) = frame.to_dict("records")
    in_table = {figure["label"]: figure for figure in results_table(cells).to_dict("records")}
    assert (row["a"], row["b"], row["windows_shared"], row["num_pairs"]) == ("a", "bb", 36, 1)
    assert (row["value_a"], row["value_b"]) == (in_table["a"]["value"], in_table["bb"]["value"])
    assert f"c {row['critical_value']:.2f}" in in_table["a"]["family"]
    assert row["verdict"] == row["table_verdict"] == "A"
    why = "features of 1 of 36 references are missing"
    assert frame.attrs["left_out"] == [f"{METRIC} on videos of {label} and ccc: {why}" for label in ("a", "bb")]


def test_systems_that_cannot_be_compared_say_why_they_have_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [featured_cell("one", 2, 17, 0.3, num_sources=6), featured_cell("other", 2, 17, 1.5, num_sources=6)]
    refused = Unavailable("its features are of networks with different weights", "run into a new folder")
    monkeypatch.setattr(type(make_metric(METRIC)), "compare_systems", lambda self, systems, pairs=None: refused)
    frame = results_table(cells)
    assert set(frame["family"]) == {f"not ranked: {refused.reason}"}
    assert set(frame["rank"]) == {""}
    assert f"FVD: not ranked: {refused.reason}" in [note.text for note in build_table(read_figures(frame)).footnotes]
