"""Whether two run folders hold the same, but for who computed it and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import Row

WHO = ("run_id", "machine", "worker", "timing")


def content(folder: Path) -> dict[str, Any]:
    """Rows, measurements bit by bit, what was measured of references, and frames of kept videos."""
    found: dict[str, Any] = {}
    with Ledger(folder) as ledger:
        for cell in ledger.cells():
            found[f"{cell.label} rows"] = [_plain(row) for row in ledger.rows(cell.cell_id)]
            found[f"{cell.label} status"] = (cell.status, cell.planned)
            found[f"{cell.label} measurements"] = {
                (place, key): (one.arrays, one.reason)
                for place, kept in ledger.measurements(cell.cell_id).items()
                for key, one in kept.items()
                if not key.startswith("repetitions")
            }
        found["references"] = ledger.reference_measurements()
    found["videos"] = {
        path.relative_to(folder).as_posix(): _frames(path) for path in (folder / "reconstructions").rglob("*.mkv")
    }
    return found


def rows(folder: Path) -> list[Row]:
    """All rows of all cells."""
    with Ledger(folder) as ledger:
        return [row for cell in ledger.cells() for row in ledger.rows(cell.cell_id)]


def _plain(row: Row) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name not in WHO}


def _frames(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).tobytes()
