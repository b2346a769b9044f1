"""What a run writes down of the speed of its cells: repetitions, or why there are none."""

from __future__ import annotations

from ..ledger.ledger import Ledger, pack_arrays
from ..ledger.records import Measurement, Row
from ..metrics.repetitions import Repetitions
from .due_cell import DueCell, repetitions_key
from .provenance import software_identity
from .rounds import Contestant
from .timed_batch import TimedBatch

RETRY = "the next `toklab run` tries again"


class SpeedRecords:
    """Reads and writes what a ledger has of cells that are to be timed."""

    def __init__(self, ledger: Ledger, machine: str, run_id: str):
        """Args: the run's ledger, the identity of its machine, and its own, which is that of the throughput pass."""
        self._ledger = ledger
        self._machine = machine
        self._run_id = run_id

    def num_parameters(self, due: DueCell) -> float:
        """Parameters of a cell's model; 0 where nobody counted them."""
        cell = self._ledger.cell(due.cell_id)
        return cell.facts.get("params_total", 0.0) if cell is not None else 0.0

    def scored_rows(self, due: DueCell) -> dict[tuple[str, int], Row]:
        """The scored ones of a cell's planned windows, by source and index, sorted."""
        planned = due.windows.places()
        rows = self._ledger.rows(due.cell_id)
        return {row.key: row for row in rows if row.status == "scored" and row.key in planned}

    def keep(
        self, due: DueCell, place: tuple[str, int], batch: TimedBatch, contestant: Contestant, why_alone: str = ""
    ) -> None:
        """Keep what was timed of a cell.

        Args:
            due: the cell.
            place: window that the repetitions are kept with.
            batch: what was encoded and decoded.
            contestant: has the repetitions.
            why_alone: why it wasn't timed in turn with others; empty where it was, or where there were none.
        """
        repetitions = Repetitions.of_passes(
            contestant.timings,
            batch.num_frames,
            contestant.warm_ups,
            self._machine,
            software_identity(),
            batch.size,
            self._run_id,
            why_alone,
        )
        arrays = pack_arrays(repetitions.to_arrays())
        self._ledger.record(Measurement(due.cell_id, *place, repetitions_key(due.metrics), arrays=arrays))
        self.note(due, None)

    def note(self, due: DueCell, reason: str | None, hint: str = RETRY) -> None:
        """Note why a cell has no speed, and what helps; ``None`` where it has one, or needs none."""
        known = self._ledger.cell(due.cell_id)
        assert known is not None
        others = {name: why for name, why in known.unavailable.items() if name not in due.speeds}
        reasons = {} if reason is None else dict.fromkeys(due.speeds, (reason, hint))
        self._ledger.update_cell(due.cell_id, unavailable={**others, **reasons})

    def compact(self, due: DueCell) -> None:
        """Put what was kept of a cell into its file."""
        self._ledger.compact(due.cell_id)
