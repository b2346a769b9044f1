"""What a run came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..catalog.broken_metric import may_pass
from ..ledger.ledger import Ledger
from ..ledger.plans import read_plan
from ..ledger.records import CellRecord


@dataclass(frozen=True)
class RunSummary:
    """What failed in a run."""

    failed_cells: int
    failed_windows: int
    broken_metrics: int = 0
    """Metrics whose own code fails."""

    @classmethod
    def of(cls, ledger: Ledger, cells: Sequence[CellRecord], broken_metrics: int) -> RunSummary:
        """The summary of a run.

        Args:
            ledger: the run's.
            cells: of the run, each finished or failed.
            broken_metrics: metrics whose own code fails.
        """
        failed_windows = sum(_num_failed(ledger, cell) for cell in cells if cell.status == "finished")
        return cls(sum(cell.status == "failed" for cell in cells), failed_windows, broken_metrics)

    @property
    def exit_code(self) -> int:
        """1 where anything failed, else 0."""
        return 1 if self.failed_cells or self.failed_windows or self.broken_metrics else 0


def _num_failed(ledger: Ledger, cell: CellRecord) -> int:
    """Planned windows that have no score, for whatever reason, or lack a metric that another try may give them."""
    contents, plan = ledger.columns(cell.cell_id), read_plan(ledger.folder, cell.cell_id)
    rows = contents.rows
    scored = rows.is_scored if plan is None else rows.is_scored & plan.names(rows)
    lacking: set[int] = set()
    for column in contents.columns.values():
        failed = np.flatnonzero(scored & (column.part >= 0) & ~column.is_good).tolist()
        lacking |= {row for row in failed if may_pass(column.reason(row) or "")}
    return cell.planned - int(scored.sum()) + len(lacking)
