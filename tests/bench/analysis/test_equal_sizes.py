"""Codebooks at equal numbers of tokens, in the table of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_cells import made_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.chart_points import growth_table
from toklab.bench.analysis.results_table import results_table
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.statistics.codes import expected_distinct


def coded_cell(label: str, counts: list[int]) -> CellResults:
    """A cell of one window, with its code counts."""
    cell = made_cell(label, {("a.mp4", 0): 0.1}, metrics=("codebook-utilization",))
    used = np.flatnonzero(counts)
    arrays = {"sizes": np.array([len(counts)]), "levels": np.array([], dtype=np.int64)}
    arrays |= {"codes_0": used, "counts_0": np.array(counts)[used]}
    key = "code-counts:v1"
    measured = Measurement(label, "a.mp4", 0, key, pack_arrays(arrays))
    return replace(cell, measurements={("a.mp4", 0): {key: measured}})


def test_samples_of_several_sizes_get_a_column_of_one_size() -> None:
    cells = [coded_cell("many", [40, 30, 20, 1]), coded_cell("few", [3, 2, 0, 0])]
    table = results_table(cells).set_index(["label", "metric"])
    assert table.loc[("many", "codebook-utilization"), "value"] == 100
    equal = table.loc[("many", "codebook-utilization-equal")]
    assert equal["value"] == pytest.approx(100 * expected_distinct(np.array([40, 30, 20, 1]), 5) / 4)
    assert equal["note"] == "expected among 5 tokens of each tokenizer"
    assert table.loc[("few", "codebook-utilization-equal"), "value"] == pytest.approx(50)
    assert set(table["rank"]) == {""}


def test_the_growth_chart_marks_the_size_and_figures_of_the_column() -> None:
    cells = [coded_cell("many", [40, 30, 20, 1]), coded_cell("few", [3, 2, 0, 0])]
    table = results_table(cells).set_index(["label", "metric"])
    growth = growth_table(cells)
    assert set(growth["compared_at"]) == {5}
    assert {label: max(growth.loc[growth["label"] == label, "tokens"]) for label in ("many", "few")} == {
        "many": 91,
        "few": 5,
    }
    marked = growth[growth["tokens"] == 5].set_index("label")["utilization"]
    for label in ("many", "few"):
        assert marked[label] == table.loc[(label, "codebook-utilization-equal"), "value"]
    assert set(growth_table(cells[:1])["compared_at"]) == {0}


def test_samples_of_one_size_need_no_further_column() -> None:
    cells = [coded_cell("one", [4, 1, 0, 0]), coded_cell("other", [3, 2, 0, 0])]
    assert set(results_table(cells)["metric"]) == {"codebook-utilization"}
