"""Small run folders for the tests of the ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from toklab.bench.ledger.ledger import Ledger, pack_arrays
from toklab.bench.ledger.records import CellRecord, Measurement, ReferenceMeasurement, Row, RunRecord

CELL = CellRecord(
    cell_id="c1",
    tokenizer="t",
    label="t (seed=1)",
    spec={"title": "T"},
    weights="none",
    dataset="folder",
    protocol={"name": "p"},
    protocol_hash="h",
    settings={"seed": 1},
    metrics=("psnr", "ssim"),
)
ROW = Row("c1", "a.mp4", 0, "ff", (0, 1, 1), 29.97, "pyav", "scored", "", {"encode_s": 0.5}, "m", "r")
RUN = RunRecord("r", "2026-01-01", "", {"command": ["toklab", "run", "-t", "t", "-t", "other", "--out", "x"]})


def other_cell(cell_id: str) -> CellRecord:
    """A cell of another tokenizer."""
    return replace(CELL, cell_id=cell_id, tokenizer="other", label=f"other (id={cell_id})")


def measured_row(cell_id: str, window: int, value: float = 0.5) -> tuple[Row, Measurement, Measurement]:
    """A row of a cell, with two measurements."""
    row = replace(ROW, cell_id=cell_id, window=window, fps=30.0, timing={"encode_s": value})
    place = (cell_id, row.source, window)
    return (
        row,
        Measurement(*place, "frame-mse:v1", pack_arrays({"mse": np.array([value, 0.2 + window])})),
        Measurement(*place, "ssim:v1", b"", reason="no"),
    )


def write_run(folder: Path) -> Path:
    """A run of a finished cell, c1, one that is under way, c2, and one that failed, c3."""
    with Ledger(folder, write=True) as ledger:
        ledger.record(RUN, replace(RUN, run_id="r2", finished="2026-01-02"))
        ledger.record(replace(CELL, status="finished"), other_cell("c2"))
        ledger.record(replace(other_cell("c3"), status="failed", reason="no weights", hint="toklab weights pull"))
        for window in range(6):
            ledger.record(*measured_row("c1", window), *measured_row("c2", window, window / 3))
            ledger.record(ReferenceMeasurement(f"clip{window}", "i3d:v1", pack_arrays({"f": np.arange(9.0) + window})))
        ledger.compact("c1")
    return folder


def all_of(folder: Path) -> dict[str, Any]:
    """Everything that a reader gets from a run folder."""
    with Ledger(folder) as ledger:
        return read_all(ledger)


def read_all(ledger: Ledger) -> dict[str, Any]:
    """Everything that a ledger gives."""
    cells = ledger.cells()
    return {
        "cells": cells,
        "runs": ledger.runs(),
        "references": ledger.reference_measurements(),
        "rows": {cell.cell_id: ledger.rows(cell.cell_id) for cell in cells},
        "measurements": {cell.cell_id: ledger.measurements(cell.cell_id) for cell in cells},
    }
