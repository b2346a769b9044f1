"""What the ledger already has of a cell's windows, without an object for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..ledger.columns import MeasurementColumns
from .evaluation import KnownWindow


class KnownWindows(Mapping[tuple[str, int], KnownWindow]):
    """The windows of a cell by key, each made when it is asked for."""

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
