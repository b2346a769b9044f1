"""A cell's rows and measurements as columns: arrays of numbers and codes of texts, and no object for each window.

They stand for the records of :mod:`.records`, and give each of them on demand.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, overload

import numpy as np
import pyarrow as pa

from .records import Measurement, Row, column_name, column_types, default_column
from .texts import Texts

TEXTS = tuple(name for name, kind in column_types(Row).items() if kind == "TEXT" and name not in ("cell", "timing"))
"""Columns of rows that hold few different texts."""
_FIELDS = {column_name(described): described.name for described in fields(Row)}

T = TypeVar("T")

Loader = Callable[[], pa.BinaryArray]


class RowColumns(Sequence[Row]):
    """Rows of a cell, sorted by source and window.

    Args:
        cell_id: the cell.
        texts: the columns of :data:`TEXTS`.
        window: (rows,) int64.
        fps: (rows,) float64.
        timing: (rows,) JSON texts.
    """

    def __init__(
        self, cell_id: str, texts: Mapping[str, Texts], window: np.ndarray, fps: np.ndarray, timing: pa.StringArray
    ):
        self.cell_id = cell_id
        self.texts = texts
        self.window = window
        self.fps = fps
        self._timing = timing

    @classmethod
    def of(cls, cell_id: str, table: pa.Table) -> RowColumns:
        """The rows of a table with the ledger's columns; those that it lacks take their defaults."""
        count = table.num_rows
        lacking = {name: default_column(Row, name) for name in column_types(Row) if name not in table.column_names}
        texts = {
            name: Texts(np.zeros(count, np.int32), (lacking[name],)) if name in lacking else Texts.of(table[name])
            for name in TEXTS
        }
        timing = table["timing"].combine_chunks()
        if isinstance(timing, pa.ChunkedArray):
            timing = pa.concat_arrays(timing.chunks) if timing.num_chunks else pa.array([], pa.string())
        window = table["window"].to_numpy().astype(np.int64)
        return cls(cell_id, texts, window, table["fps"].to_numpy().astype(np.float64), timing)

    @staticmethod
    def default(name: str, count: int) -> pa.Array:
        """A column of texts that a file lacks, with the default of the ledger's records."""
        return pa.array([default_column(Row, name)] * count, pa.string())

    def __len__(self) -> int:
        return len(self.window)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> RowColumns: ...

    def __getitem__(self, place: int | slice) -> Row | RowColumns:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        index = range(len(self))[place]
        values: dict[str, Any] = {_FIELDS[name]: column[index] for name, column in self.texts.items()}
        values |= {"cell_id": self.cell_id, "window": int(self.window[index]), "fps": float(self.fps[index])}
        return Row(**{**values, "frame_ids": frames_of(values["frame_ids"]), "timing": self.timing(index)})

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))

    def take(self, rows: np.ndarray) -> RowColumns:
        """Some of the rows, by their places; all of them are these rows themselves."""
        if len(rows) == len(self) and (rows == np.arange(len(self))).all():
            return self
        texts = {name: column.take(rows) for name, column in self.texts.items()}
        return RowColumns(
            self.cell_id, texts, self.window[rows], self.fps[rows], self._timing.take(pa.array(rows, pa.int64()))
        )

    def key(self, index: int) -> tuple[str, int]:
        """The key of a row."""
        return self.texts["source"][index], int(self.window[index])

    @functools.cached_property
    def places(self) -> Mapping[tuple[str, int], int]:
        """Key of a row → its place."""
        return {self.key(index): index for index in range(len(self))}

    @functools.cached_property
    def is_scored(self) -> np.ndarray:
        """(rows,) bool."""
        return self.texts["status"].are("scored")

    @functools.cached_property
    def num_frames(self) -> np.ndarray:
        """(rows,) int64, frames of each window."""
        frames = self.texts["frame_ids"]
        return np.array([len(frames_of(text)) for text in frames.values], np.int64)[frames.codes]

    @functools.cached_property
    def num_distinct_frames(self) -> np.ndarray:
        """(rows,) int64, frames of each window without those that repeat another one."""
        frames = self.texts["frame_ids"]
        return np.array([len(set(frames_of(text))) for text in frames.values], np.int64)[frames.codes]

    def frame_ids(self, index: int) -> tuple[int, ...]:
        """Frames of a window."""
        return frames_of(self.texts["frame_ids"][index])

    def timing(self, index: int) -> dict[str, float]:
        """What was timed of a window."""
        return json.loads(self._timing[index].as_py())


@functools.lru_cache(maxsize=2**16)
def frames_of(text: str) -> tuple[int, ...]:
    """Frames of a window from their JSON; the windows of a run have few different ones."""
    return tuple(json.loads(text))


@dataclass(frozen=True, eq=False)
class Blobs:
    """Arrays of some rows, by one measurement, as packed as the ledger has them."""

    rows: np.ndarray
    """(n,) int64, places of the rows, rising."""
    load: Loader
    """Gives the n packed arrays; from the disk, where they are too large to be held."""
    reasons: Mapping[int, str]
    """Place in ``rows`` → why the metric couldn't measure that window; places without one are left out."""

    @classmethod
    def in_memory(cls, rows: np.ndarray, arrays: pa.BinaryArray, reasons: Mapping[int, str]) -> Blobs:
        """Of arrays that are held in memory."""
        return cls(rows, lambda: arrays, reasons)


class MeasurementColumn:
    """What one metric measured on the rows of a cell.

    Args:
        name: of the measurement.
        num_rows: rows of the cell.
        blobs: what is kept; where several have a row, the last one counts.
    """

    def __init__(self, name: str, num_rows: int, blobs: Sequence[Blobs]):
        self.name = name
        self._blobs = tuple(blobs)
        self.part = np.full(num_rows, -1, np.int32)
        """(rows,) which of the parts has each row; −1 where nothing was measured."""
        self.place = np.zeros(num_rows, np.int64)
        """(rows,) the place in that part."""
        self.is_good = np.zeros(num_rows, bool)
        """(rows,) where arrays are there, and no reason why not."""
        for number, part in enumerate(blobs):
            self.part[part.rows], self.place[part.rows] = number, np.arange(len(part.rows))
            self.is_good[part.rows] = True
            self.is_good[part.rows[list(part.reasons)]] = False

    def reason(self, row: int) -> str | None:
        """Why a row has no arrays; empty where it has, ``None`` where nothing was tried."""
        return None if self.part[row] < 0 else self._blobs[self.part[row]].reasons.get(int(self.place[row]), "")

    def packed(self, row: int) -> bytes:
        """The packed arrays of a row that has some."""
        return self._blobs[self.part[row]].load()[int(self.place[row])].as_py()

    def parts(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, pa.BinaryArray]]:
        """Packed arrays of some rows, part by part, so that no more than a part is in memory.

        Args:
            rows: (n,) places of rows that have arrays, rising.

        Yields:
            Indices into ``rows``, rising, and their packed arrays.
        """
        of = self.part[rows]
        for number, part in enumerate(self._blobs):
            chosen = np.flatnonzero(of == number)
            if len(chosen):
                loaded, places = part.load(), self.place[rows[chosen]]
                whole = len(places) == len(loaded) and bool((places == np.arange(len(loaded))).all())
                yield chosen, loaded if whole else loaded.take(pa.array(places, pa.int64()))

    def runs(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, pa.BinaryArray | None]]:
        """As :meth:`parts`, in the order of the rows; rows without arrays come with ``None``."""
        of = np.where(self.is_good[rows], self.part[rows], -1)
        for chosen in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(of)) + 1):
            if not len(chosen):
                continue
            if of[chosen[0]] < 0:
                yield chosen, None
            else:
                places = pa.array(self.place[rows[chosen]], pa.int64())
                yield chosen, self._blobs[of[chosen[0]]].load().take(places)

    def take(self, rows: np.ndarray) -> MeasurementColumn:
        """What was measured on some of the rows, by their places."""
        taken = copy.copy(self)
        taken.part, taken.place, taken.is_good = self.part[rows], self.place[rows], self.is_good[rows]
        return taken


class MeasurementColumns(Mapping[tuple[str, int], Mapping[str, Measurement]]):
    """Measurements of a cell by row key, then by measurement.

    ``columns`` has them by measurement.
    """

    def __init__(self, rows: RowColumns, columns: Mapping[str, MeasurementColumn]):
        self.rows = rows
        self.columns = columns
        self._cache: dict[Any, Any] = {}

    def take(self, rows: np.ndarray) -> MeasurementColumns:
        """Some of the rows with their measurements, by their places; all of them are these themselves."""
        chosen = self.rows.take(rows)
        if chosen is self.rows:
            return self
        return MeasurementColumns(chosen, {name: column.take(rows) for name, column in self.columns.items()})

    def kept(self, name: Any, make: Callable[[], T]) -> T:
        """What ``make`` gives, computed once under ``name``."""
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        some = np.zeros(len(self.rows), bool)
        for column in self.columns.values():
            some |= column.part >= 0
        return (self.rows.key(int(index)) for index in np.flatnonzero(some))

    def __getitem__(self, key: tuple[str, int]) -> Mapping[str, Measurement]:
        row = self.rows.places[key]
        found = {}
        for name, column in self.columns.items():
            if (reason := column.reason(row)) is not None:
                arrays = b"" if reason else column.packed(row)
                found[name] = Measurement(self.rows.cell_id, *key, name, arrays, reason)
        if not found:
            raise KeyError(key)
        return found
