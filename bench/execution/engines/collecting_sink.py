"""A sink that keeps what a worker makes until it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...ledger.records import CellRecord, Row
from ...planning.cell import Cell
from ..reconstructions import FOLDER
from .lease import Event, KeptFile, Lease, Made, Working
from .row_sink import WindowRecord

SECONDS = ("encode_s", "decode_s")
"""Of a row's timing: worth nothing where others work on the same machine."""


class CollectingSink:
    """Hears an evaluation, as its sink and its progress, and gives events."""

    def __init__(self, lease: Lease, folder: Path):
        """``folder``: where the evaluation writes kept videos, which are sent and removed."""
        self._lease = lease
        self._folder = folder
        self._rows: tuple[Row, ...] = ()
        self._noted: Working | None = None
        self._records: list[WindowRecord] = []
        self._messages: list[str] = []
        self._counts = [0, 0]

    def record(self, *records: WindowRecord) -> None:
        """Keep records until they are sent."""
        self._records += map(self._without_seconds, records)

    def _without_seconds(self, record: WindowRecord) -> WindowRecord:
        if self._lease.is_alone or not isinstance(record, Row):
            return record
        return replace(record, timing={name: value for name, value in record.timing.items() if name not in SECONDS})

    def note(self, rows: Sequence[Row]) -> None:
        """Say what is worked on with the next events."""
        self._rows = tuple(rows)
        self._noted = Working(self._rows)

    def forward_is_over(self) -> None:
        """Say so with the next events."""
        self._noted = Working(self._rows, is_forward=False)

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        """Whether the ledger had it when the lease was given."""
        return (clip, measurement_key) in self._lease.references

    def take(self, faulty_metrics: set[str]) -> Iterator[Event]:
        """What there is to send."""
        if self._records or self._messages:
            yield Made(
                tuple(self._records),
                tuple(self._files()),
                *self._counts,
                messages=tuple(self._messages),
                faulty_metrics=frozenset(faulty_metrics),
            )
            self._records, self._messages, self._counts = [], [], [0, 0]
        if self._noted is not None:
            yield self._noted
            self._noted = None

    def _files(self) -> Iterator[KeptFile]:
        for path in sorted((self._folder / FOLDER).rglob("*.mkv")):
            # What a name begins with a dot of is half written.
            if not path.name.startswith("."):
                yield KeptFile(path.relative_to(self._folder).as_posix(), path.read_bytes())
                path.unlink()

    # Progress

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int, videos: int) -> None:
        """Nothing: the driver knows."""

    def advance(self, windows: int, failed: int) -> None:
        """Count."""
        self._counts[0] += windows
        self._counts[1] += failed

    def message(self, text: str) -> None:
        """Send a message with the next event."""
        self._messages.append(text)

    def finish(self, cell: CellRecord) -> None:
        """Nothing: the driver knows."""
