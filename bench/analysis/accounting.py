"""What became of the windows of a run: how many were scored, and why others failed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .cell_results import CellResults


def accounting_frame(results: Iterable[CellResults]) -> pd.DataFrame:
    """One row a cell: windows requested, scored, failed, not yet run, kept but not planned; videos missing."""
    records = []
    for result in results:
        cell, rows, scored = result.cell, result.contents.rows, result.num_scored
        failed = len(rows) - scored
        records.append(
            {
                "label": result.label,
                "dataset": result.dataset,
                "protocol": cell.protocol["name"],
                "requested": cell.planned,
                "scored": scored,
                "failed": failed,
                "not_run": max(0, cell.planned - scored - failed),
                "outside_plan": result.num_outside,
                "missing_videos": len(cell.missing),
                "readers": ", ".join(filter(None, rows.texts["reader"].present())),
                "status": cell.status,
                "reason": cell.reason,
                "hint": cell.hint,
            }
        )
    return pd.DataFrame(records)


def failures_frame(results: Iterable[CellResults]) -> pd.DataFrame:
    """One row a failed window: which, and why."""
    columns = ["label", "dataset", "source", "window", "reader", "reason"]
    records = [
        (result.label, result.dataset, row.source, row.window, row.reader, row.reason)
        for result in results
        for row in map(result.contents.rows.__getitem__, np.flatnonzero(~result.contents.rows.is_scored).tolist())
    ]
    # Without failures too, so that the files of several runs can be read as one table.
    return pd.DataFrame(records, columns=columns).astype({"window": "int64"})
