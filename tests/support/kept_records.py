"""A sink of an evaluation's rows that keeps them in memory, and the work units of one made-up video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toklab.bench.execution.engines.row_sink import WindowRecord
from toklab.bench.execution.engines.work_units import WorkUnits
from toklab.bench.ledger.records import Row
from toklab.datasets.interface import VideoSource, Window
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan

FACTS = VideoFacts(1000, 25.0, 16, 16, "pyav")


class KeptRecords:
    """What an evaluation recorded."""

    def __init__(self) -> None:
        self.records: list[WindowRecord] = []

    def record(self, *records: WindowRecord) -> None:
        self.records += records

    def note(self, rows: Sequence[Row]) -> None:
        pass

    def forward_is_over(self) -> None:
        pass

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        return False

    @property
    def rows(self) -> list[Row]:
        """Rows alone, in their order."""
        return [record for record in self.records if isinstance(record, Row)]


def units_of_one_video(windows: Sequence[Window], batch_size: int) -> WorkUnits:
    """The work units of a video ``a.mp4``."""
    source = VideoSource("a.mp4", Path("a.mp4"))
    return WorkUnits.of([SourcePlan(source, "content", FACTS, tuple(windows))], batch_size)
