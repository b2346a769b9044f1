"""Where the rows of an evaluation go: into the ledger, or to the one who writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as TypingProtocol

from ...ledger.in_flight import write_in_flight
from ...ledger.ledger import Ledger
from ...ledger.records import Measurement, ReferenceMeasurement, Row

WindowRecord = Row | Measurement | ReferenceMeasurement
"""What is kept of windows."""


class RowSink(TypingProtocol):
    """Takes what an evaluation makes."""

    def record(self, *records: WindowRecord) -> None:
        """Keep records, all of them or none."""

    def note(self, rows: Sequence[Row]) -> None:
        """Windows that a forward pass is about to take, as they stand in the ledger if it never ends."""

    def forward_is_over(self) -> None:
        """The forward pass that was noted has ended; its windows are measured."""

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        """Whether the reference of a clip was measured already."""
        ...


class LedgerSink:
    """Commits to the ledger at once."""

    def __init__(self, ledger: Ledger, cell_id: str, *, notes: bool):
        """``notes``: whether a supervisor wants to know what is worked on."""
        self._ledger = ledger
        self._cell_id = cell_id
        self._notes = notes

    def record(self, *records: WindowRecord) -> None:
        """Commit in one transaction."""
        self._ledger.record(*records)

    def note(self, rows: Sequence[Row]) -> None:
        """Write the note beside the ledger."""
        if self._notes:
            write_in_flight(self._ledger.folder, self._cell_id, rows)

    def forward_is_over(self) -> None:
        """Nothing: a metric that ends this process is known by name."""

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        """Ask the ledger."""
        return self._ledger.has_reference(clip, measurement_key)
