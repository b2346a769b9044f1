"""Cells whose speed is to be measured, once the windows of all cells are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...tokenizers.interface import VideoTokenizer
from ..metrics.interface import Metric
from ..metrics.repetitions import MEASUREMENT
from ..planning.cell import Cell
from .dataset_windows import DatasetWindows


@dataclass(frozen=True)
class DueCell:
    """A cell that is to be timed."""

    cell: Cell
    cell_id: str
    number: int
    """Place of the cell in the run, from 1."""
    group: str
    """What it is ranked with."""
    build: Callable[[], VideoTokenizer]
    metrics: Sequence[Metric]
    """Those that can be computed."""
    windows: DatasetWindows
    """Of its dataset."""
    batch_size: int
    """Windows in a forward pass, at most."""
    piece_frames: Callable[[VideoTokenizer], int | None]
    """Frames in which a tokenizer takes long windows, if it does."""

    @property
    def speeds(self) -> list[str]:
        """Names of the metrics that read repetitions."""
        return [metric.name for metric in self.metrics if metric.measurement == MEASUREMENT]


def peers_of(cells: Iterable[DueCell]) -> list[list[DueCell]]:
    """Cells by dataset and protocol."""
    found: dict[tuple[object, ...], list[DueCell]] = {}
    for due in cells:
        found.setdefault((due.cell.dataset, due.cell.root, due.cell.protocol.hash), []).append(due)
    return list(found.values())


def repetitions_key(metrics: Sequence[Metric]) -> str:
    """What repetitions are kept under; empty where no metric asks for them."""
    return next((metric.measurement_key for metric in metrics if metric.measurement == MEASUREMENT), "")
