"""What earlier runs measured of time and disk: what an estimate rests on."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from ..ledger.cell_files import CellFiles
from ..ledger.columns import RowColumns
from ..ledger.errors import FILE_NAME
from ..ledger.ledger import Ledger
from ..ledger.plans import Plan, read_plan
from ..ledger.records import CellRecord, RunRecord


@dataclass(frozen=True)
class PastCell:
    """A cell of an earlier run."""

    folder: Path
    cell: CellRecord
    machine: str
    """Where most of its windows were computed."""
    num_windows: int | None
    """Windows of the whole dataset; ``None`` where a limit cut it, or shards are missing."""
    video_windows: tuple[int, ...]
    """Of these, those of each video, in the order of a run; empty where ``num_windows`` is ``None``."""
    forward_s: float | None
    """Median seconds of encode and decode of a window, the first batch left out; ``None`` without timings."""
    bytes_per_window: float | None
    """Of its finished file; ``None`` while it has none."""

    @property
    def macs(self) -> float | None:
        """Multiply-adds of a window."""
        return self.cell.facts.get("macs_total")


@dataclass(frozen=True)
class PastRun:
    """An earlier invocation that came to its end, the only one in its folder.

    Where there were several, nobody knows which of them measured which metrics of a cell.
    """

    folder: Path
    machine: str
    metrics: frozenset[str]
    num_windows: int
    wall_s: float
    """From its start to its end."""
    forward_s: float
    """Of all its windows together."""

    @property
    def rest_s(self) -> float:
        """Seconds a window beside encode and decode: reading video, metrics, commits, building models, timing."""
        return max(0.0, self.wall_s - self.forward_s) / self.num_windows


@dataclass(frozen=True)
class Experience:
    """What earlier run folders tell."""

    cells: tuple[PastCell, ...] = ()
    runs: tuple[PastRun, ...] = ()

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Experience:
        """Read run folders.

        Raises:
            LedgerError: if one is none, or damaged.
        """
        cells: list[PastCell] = []
        runs: list[PastRun] = []
        for folder in folders:
            with Ledger(folder) as ledger:
                seconds: list[float] = []
                metrics: set[str] = set()
                for cell in ledger.cells():
                    rows = ledger.columns(cell.cell_id).rows
                    forward = _forward_seconds(rows)
                    cells.append(_past_cell(ledger, cell, rows, forward))
                    seconds += forward
                    metrics |= set(cell.metrics) if forward else set()
                ran = ledger.runs()
                if seconds and len(ran) == 1 and (wall := _wall_seconds(ran[0])):
                    machine = str(ran[0].provenance.get("machine", "an unknown machine"))
                    total = float(np.nansum(seconds))
                    runs.append(PastRun(folder, machine, frozenset(metrics), len(seconds), wall, total))
        return cls(tuple(cells), tuple(runs))


def run_folders(parent: Path) -> list[Path]:
    """The run folders in a folder."""
    return sorted(path.parent for path in parent.glob(f"*/{FILE_NAME}"))


def _past_cell(ledger: Ledger, cell: CellRecord, rows: RowColumns, forward: Sequence[float]) -> PastCell:
    machines = rows.texts["machine"]
    counted = np.bincount(machines.codes, minlength=1)
    machine = machines.values[int(counted.argmax())] if len(rows) else ""
    warm = [
        seconds
        for place, seconds in enumerate(forward)
        if not np.isnan(seconds) and rows.timing(place).get("warm", 1.0)
    ]
    plan = read_plan(ledger.folder, cell.cell_id)
    is_whole = plan is not None and not plan.limits and not plan.missing_shards
    path = CellFiles(ledger.folder).path(cell.cell_id)
    return PastCell(
        folder=ledger.folder,
        cell=cell,
        machine=machine,
        num_windows=cell.planned if is_whole else None,
        video_windows=_video_windows(plan) if plan is not None and is_whole else (),
        forward_s=statistics.median(warm) if warm else None,
        bytes_per_window=path.stat().st_size / len(rows) if path.is_file() and len(rows) else None,
    )


def _video_windows(plan: Plan) -> tuple[int, ...]:
    counted = Counter(source for source, _, _ in plan.windows)
    return tuple(counted[source] for source in sorted(counted))


def _forward_seconds(rows: RowColumns) -> list[float]:
    """Seconds of encode and decode of each window, its share of its batch; NaN where nothing was timed."""
    found = []
    for place in range(len(rows)):
        timing = rows.timing(place)
        both = timing.get("encode_s", np.nan) + timing.get("decode_s", np.nan)
        found.append(both / timing.get("batch_size", 1.0))
    return found


def _wall_seconds(run: RunRecord) -> float:
    """From start to end; 0 where the run was killed."""
    if not run.finished:
        return 0.0
    return (datetime.fromisoformat(run.finished) - datetime.fromisoformat(run.started)).total_seconds()
