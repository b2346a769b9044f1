"""What the ledger already has of a cell's windows, without an object for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...datasets.interface import Window
from ..ledger.columns import MeasurementColumns
from ..ledger.records import Row


@dataclass(frozen=True)
class KnownWindow:
    """What the ledger already has of a window."""

    row: Row
    failures: Mapping[str, str]
    """Key of each measurement, and why it failed; empty for those that didn't."""

    @property
    def measurements(self) -> frozenset[str]:
        """Keys of what was measured, with or without success."""
        return frozenset(self.failures)

    @property
    def successes(self) -> frozenset[str]:
        """Keys of what was measured with success."""
        return frozenset(key for key, reason in self.failures.items() if not reason)

    def is_current(self, content_id: str, window: Window) -> bool:
        """Whether the row was computed from these very frames."""
        return self.row.content_id == content_id and self.row.frame_ids == window.frame_ids


class KnownWindows(Mapping[tuple[str, int], KnownWindow]):
    """The windows of a cell by source and index, each made when it is asked for."""

    def __init__(self, contents: MeasurementColumns):
        self._contents = contents

    def __len__(self) -> int:
        return len(self._contents.rows)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return map(self._contents.rows.key, range(len(self)))

    def __getitem__(self, key: tuple[str, int]) -> KnownWindow:
        row = self._contents.rows.places[key]
        reasons = {name: column.reason(row) for name, column in self._contents.columns.items()}
        return KnownWindow(
            self._contents.rows[row], {name: reason for name, reason in reasons.items() if reason is not None}
        )
