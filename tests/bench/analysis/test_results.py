"""Names of cells that were read together, and whose figures rows of the table hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from made_cells import made_cell
from run_folders import CELL, write_run
from toklab.bench.analysis.places import places_of
from toklab.bench.analysis.results import name_versions, read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import Ledger


def test_cells_that_differ_in_their_weights_alone_keep_their_own_figures(tmp_path: Path) -> None:
    old, new = replace(CELL, weights=f"sha256:{'a' * 64}"), replace(CELL, cell_id="c9", weights=f"sha256:{'b' * 64}")
    with Ledger(write_run(tmp_path / "run"), write=True) as ledger:
        ledger.record(old, new)
        table = results_table(read_results(ledger))
    labels = set(table["label"])
    assert {"t (seed=1), sha256:aaaaaaaaaaaa", "t (seed=1), sha256:bbbbbbbbbbbb", "other (id=c2)"} <= labels
    assert "t (seed=1)" not in labels


def test_cells_of_equal_weights_are_told_apart_by_their_identity(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    other = replace(one, cell=replace(one.cell, cell_id="0123456789ab"))
    assert [result.label for result in name_versions([one, other])] == [
        "t (seed=1), cell c1",
        "t (seed=1), cell 01234567",
    ]


def test_other_weights_on_another_dataset_are_another_model(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    two_files = "+".join("bc"[file] * 64 for file in range(2))
    cells = {
        "one": replace(one.cell, cell_id="one", weights=f"sha256:{'a' * 64}"),
        "elsewhere": replace(one.cell, cell_id="elsewhere", dataset="another", weights=f"sha256:{two_files}"),
    }
    assert [result.label for result in name_versions([replace(one, cell=cell) for cell in cells.values()])] == [
        "t (seed=1), sha256:aaaaaaaaaaaa",
        "t (seed=1), sha256:bbbbbbbbbbbb+cccccccccccc",
    ]


def test_a_failed_cell_takes_no_name_from_a_measured_one(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    failed = replace(one, cell=replace(one.cell, cell_id="c9", status="failed"))
    assert [result.label for result in name_versions([one, failed])] == ["t (seed=1)", "t (seed=1)"]


def test_a_figure_of_the_model_comes_from_a_cell_that_has_it() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("macs",))
    failed = replace(cell, cell=replace(cell.cell, status="failed", reason="no videos"), dataset="empty")
    counted = replace(cell, cell=replace(cell.cell, facts={"macs_total": 2e12}))
    (row,) = results_table([failed, counted]).to_dict("records")
    assert (row["dataset"], row["value"]) == ("", 2.0)
    larger = replace(counted, cell=replace(counted.cell, protocol_hash="larger", facts={"macs_total": 8e12}))
    rows = results_table([failed, counted, larger]).to_dict("records")
    assert [(row["dataset"], row["protocol_hash"], row["value"]) for row in rows] == [
        ("", "", 2.0),
        ("videos", "larger", 8.0),
    ]


def test_places_have_files_of_their_own() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1})
    names = ("my clips", "my-clips", "my clips 2", "クリップ")
    suffixes = [place.suffix for place in places_of([replace(cell, dataset=name) for name in names])]
    assert suffixes == ["-my-clips", "-my-clips-2", "-my-clips-2-2", ""]


def test_a_figure_is_computed_once() -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1})
    assert cell.evaluate(find_metric("psnr")) is cell.evaluate(find_metric("psnr"))
