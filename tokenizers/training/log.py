"""The log of a training: a CSV file with a row for every logged step, and TensorBoard's events if asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import TrainingError
from .whole_files import replacing


class TrainingLog:
    """Rows of figures by step, kept in ``FOLDER/NAME.csv``; columns appear as figures do.

    Args:
        folder: where the file lies, and ``tensorboard/`` beside it.
        name: of the file.
        resume_after: step of the checkpoint that the training goes on from; rows of later steps are dropped, as it does
            them again. −1 drops all.
        tensorboard: whether events are written too.

    Raises:
        TrainingError: if the file can't be read as a log, or ``tensorboard`` is asked for and not installed.
    """

    def __init__(self, folder: Path, name: str, resume_after: int, *, tensorboard: bool = False):
        self._path = folder / f"{name}.csv"
        self._name = name
        self._rows = [row for step, row in _read(self._path) if step <= resume_after]
        self._events = _event_writer(folder / "tensorboard") if tensorboard else None

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Log figures of a step and write the file."""
        self._rows.append({"step": str(step)} | {name: f"{value:.6g}" for name, value in figures.items()})
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        with replacing(self._path) as unfinished:
            unfinished.write_text(text.getvalue(), encoding="utf-8")
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(f"{self._name}/{name}", value, step)

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._events is not None:
            self._events.close()


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Steps with their figures, without the columns that a step has no figure for."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file, strict=True)]
        return [(int(row["step"]), row) for row in rows]
    except (csv.Error, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: can't be read as the log of a training ({error!r}); remove it") from error


def _event_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("TensorBoard is not installed: pip install 'toklab[train]'") from error
    return SummaryWriter(folder)
