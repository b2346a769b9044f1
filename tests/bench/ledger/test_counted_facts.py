"""Counts of multiply-adds that earlier versions made under other inference settings than the cell's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_cells import made_cell
from recorded_cells import made_run, write_record
from run_folders import CELL
from toklab.bench.analysis.record_reading import open_record
from toklab.bench.analysis.results import read_results
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.ledger.records import CellRecord
from toklab.bench.metrics.interface import Estimate, Unavailable
from toklab.bench.metrics.model_size import MultiplyAdds, Parameters
from toklab.tokenizers.interface import InferenceSettings

OLD = {"params_total": 5.0, "macs_total": 1e12, "flops_total": 2e12, "codebook_size": 8.0}
NEW = {**OLD, "macs_total": 4e12, "flops_total": 8e12, "counted_as_set": 1.0}


def stored(folder: Path, facts: dict[str, float], **settings: Any) -> CellRecord:
    cell = replace(CELL, facts=facts, settings=InferenceSettings(**settings).as_dict(), planned=0)
    with Ledger(folder, write=True) as ledger:
        ledger.record(cell)
        (found,) = ledger.cells()
    return found


@pytest.mark.parametrize("settings", [{}, {"seed": 3, "posterior": "sample"}, {"precision": "bfloat16"}])
def test_facts_hold_where_settings_change_no_operation(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert stored(tmp_path, OLD, **settings).facts == OLD


@pytest.mark.parametrize("settings", [{"steps": 4}, {"tile_size": 32}, {"chunk_frames": 8}])
def test_counts_of_other_settings_are_left_out(tmp_path: Path, settings: dict[str, Any]) -> None:
    found = stored(tmp_path, OLD, **settings).facts
    assert found == {"params_total": 5.0, "codebook_size": 8.0, "counted_as_default": 1.0}
    outcome = MultiplyAdds().aggregate([], found)
    assert isinstance(outcome, Unavailable)
    assert "default inference settings" in outcome.reason
    assert isinstance(Parameters().aggregate([], found), Estimate)


def test_counts_of_the_cells_own_settings_hold(tmp_path: Path) -> None:
    assert stored(tmp_path, NEW, steps=4).facts == NEW


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_merge_keeps_the_right_counts(tmp_path: Path, order: tuple[int, int]) -> None:
    folders = [tmp_path / "old", tmp_path / "new"]
    stored(folders[0], OLD, steps=4)
    stored(folders[1], NEW, steps=4)
    merge_runs([folders[place] for place in order], tmp_path / "merged")
    with Ledger(tmp_path / "merged") as ledger:
        assert ledger.cells()[0].facts == NEW


def test_a_record_of_an_earlier_version_is_read_without_them(tmp_path: Path) -> None:
    made = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("psnr", "macs"))
    made = replace(made, cell=replace(made.cell, facts=OLD, settings={"steps": 4}))
    (read,) = open_record(write_record(made_run([made]), tmp_path)).results
    assert isinstance(read.evaluate(MultiplyAdds()), Unavailable)


@pytest.mark.slow
def test_the_next_run_counts_anew(tmp_path: Path, run_suite: Callable) -> None:
    def figures() -> list[Any]:
        with Ledger(tmp_path / "run") as ledger:
            outcomes = [result.evaluate(MultiplyAdds()) for result in read_results(ledger)]
        return [found.value if isinstance(found, Estimate) else found.hint for found in outcomes]

    def run() -> None:
        run_suite(tmp_path / "run", ("cdt-tiny-small",), ("psnr", "macs"), {"steps": [1, 2]}, limit=1)

    run()
    before = figures()
    assert before[1] > 1.5 * before[0]
    with Ledger(tmp_path / "run", write=True) as ledger:
        plain, stepped = ledger.cells()
        ledger.update_cell(stepped.cell_id, facts=plain.facts)  # as earlier versions did
    assert figures() == [before[0], "run the suite again: it is counted anew"]
    run()
    assert figures() == before
