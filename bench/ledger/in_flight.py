"""The windows that a run is working on, one file beside the ledger: what is lost if its process ends.

It is written before each forward pass and isn't waited for: it must outlive its process, not its machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .atomic_files import temporary_path
from .errors import LedgerError, writing
from .records import Row

FILE = "in-flight.json"


@dataclass(frozen=True)
class InFlight:
    """What a process is working on."""

    cell_id: str
    rows: tuple[Row, ...] = ()
    """The windows of its forward pass, as they stand in the ledger if they fail, without a reason."""

    @property
    def places(self) -> str:
        """The windows in words; empty if there is none."""
        return ", ".join(f"window {row.window} of {row.source}" for row in self.rows)


def write_in_flight(folder: Path, cell_id: str, rows: Sequence[Row] = ()) -> None:
    """Note what is worked on, in place of what was before.

    Raises:
        LedgerError: if the disk is full.
    """
    path = folder / FILE
    unfinished = temporary_path(path)
    with writing(path):
        unfinished.write_text(json.dumps({"cell_id": cell_id, "rows": [asdict(row) for row in rows]}), encoding="utf-8")
        os.replace(unfinished, path)


def read_in_flight(folder: Path) -> InFlight | None:
    """What the last process was working on; ``None`` if it ended between two cells.

    Raises:
        LedgerError: if the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = [Row(**{**row, "frame_ids": tuple(row["frame_ids"])}) for row in found["rows"]]
        return InFlight(str(found["cell_id"]), tuple(rows))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path} is damaged ({error}); delete it, and give the same command again") from error


def forget_in_flight(folder: Path) -> None:
    """Nothing is worked on."""
    (folder / FILE).unlink(missing_ok=True)
