from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from toklab.bench.analysis.results import name_versions, read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.ledger.ledger import Ledger

from tests.support.run_folders import CELL, write_run


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


def test_a_failed_cell_takes_no_name_from_a_measured_one(tmp_path: Path) -> None:
    with Ledger(write_run(tmp_path / "run")) as ledger:
        one = read_results(ledger)[0]
    failed = replace(one, cell=replace(one.cell, cell_id="c9", status="failed"))
    assert [result.label for result in name_versions([one, failed])] == ["t (seed=1)", "t (seed=1)"]
