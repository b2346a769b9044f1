"""Measured windows of one cell as columns: what metrics of many windows read instead of an object for each."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
import pyarrow as pa

from ..ledger.arrays import unpack_arrays
from ..ledger.columns import MeasurementColumn, MeasurementColumns, RowColumns
from .interface import MeasuredWindow

T = TypeVar("T")

_HEADER = 8
"""Bytes of a safetensors file that say how long its header is."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Windows whose arrays are alike in names, types and shapes."""

    places: np.ndarray
    """(n,) places of the windows."""
    num_frames: int
    arrays: Mapping[str, np.ndarray]
    """The arrays of all of them, each with an axis of windows in front."""


class _Timing(Mapping[str, float]):
    """What was timed of a row, decoded when it is asked for: few metrics do."""

    __slots__ = ("_row", "_rows")

    def __init__(self, rows: RowColumns, row: int):
        self._rows = rows
        self._row = row

    def __getitem__(self, name: str) -> float:
        return self._rows.timing(self._row)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows.timing(self._row))

    def __len__(self) -> int:
        return len(self._rows.timing(self._row))


class WindowColumns(Sequence[MeasuredWindow]):
    """Windows of a cell on which a metric has a measurement, or needs none, in the ledger's order.

    A window is made when it is asked for. Iteration holds no more of the arrays than the ledger hands out at once.

    Args:
        contents: the cell's rows and measurements.
        row_places: (n,) int64 places of the windows among the rows, rising.
        column: the metric's measurements; ``None`` where it needs none.
        reference: gives what was measured on the reference of a row; ``None`` where nothing was.
    """

    def __init__(
        self,
        contents: MeasurementColumns,
        row_places: np.ndarray,
        column: MeasurementColumn | None,
        reference: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    ):
        self.contents = contents
        self.row_places = row_places
        self.column = column
        self._reference = reference
        self._cache: dict[Any, Any] = {}

    @property
    def rows(self) -> RowColumns:
        """All rows of the cell."""
        return self.contents.rows

    def __len__(self) -> int:
        return len(self.row_places)

    @overload
    def __getitem__(self, place: int) -> MeasuredWindow: ...

    @overload
    def __getitem__(self, place: slice) -> WindowColumns: ...

    def __getitem__(self, place: int | slice) -> MeasuredWindow | WindowColumns:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        row = int(self.row_places[place])
        has_arrays = self.column is not None and self.column.is_good[row]
        return self._window(row, unpack_arrays(self.column.packed(row)) if self.column and has_arrays else {})

    def __iter__(self) -> Iterator[MeasuredWindow]:
        if self.column is None:
            yield from (self._window(int(row), {}) for row in self.row_places)
            return
        for places, packed in self.column.runs(self.row_places):
            rows = self.row_places[places].tolist()
            if packed is None:
                yield from (self._window(row, {}) for row in rows)
            else:
                for row, arrays in zip(rows, packed, strict=True):
                    yield self._window(row, unpack_arrays(arrays.as_py()))

    def _lacking(self) -> np.ndarray:
        """(n,) bool, windows without arrays."""
        return np.ones(len(self), bool) if self.column is None else ~self.column.is_good[self.row_places]

    def _window(self, row: int, arrays: Mapping[str, np.ndarray]) -> MeasuredWindow:
        rows = self.rows
        return MeasuredWindow(
            source=rows.texts["content_id"][row],
            window=int(rows.window[row]),
            num_frames=int(rows.num_frames[row]),
            arrays=arrays,
            reference_arrays={} if self._reference is None else self._reference(row),
            timing=_Timing(rows, row),
            machine=rows.texts["machine"][row],
            file=rows.texts["source"][row],
        )

    def take(self, places: np.ndarray) -> WindowColumns:
        """Some of the windows, by their places, rising; all of them are these themselves."""
        if len(places) == len(self):
            return self
        return WindowColumns(self.contents, self.row_places[places], self.column, self._reference)

    def with_reference(self, name: str) -> WindowColumns:
        """Those with an array of that name that was measured on the reference."""
        if self._reference is None:
            return self.take(np.zeros(0, np.int64))
        there = [name in self._reference(row) for row in self.row_places.tolist()]
        return self.take(np.flatnonzero(there))

    def kept(self, name: Any, make: Callable[[], T]) -> T:
        """What ``make`` gives, computed once; ``name`` says what it is."""
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]

    @property
    def sources(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """(n,) int64, which of the source videos each window is of, and their identities, sorted."""
        return self.kept("sources", self._sources)

    def _sources(self) -> tuple[np.ndarray, tuple[str, ...]]:
        contents = self.rows.texts["content_id"]
        codes, places = np.unique(contents.codes[self.row_places], return_inverse=True)
        names = [contents.values[code] for code in codes]
        order = sorted(range(len(names)), key=names.__getitem__)
        ranks = np.empty(len(names), np.int64)
        ranks[order] = np.arange(len(order))
        return ranks[places], tuple(names[place] for place in order)

    @property
    def num_frames(self) -> np.ndarray:
        """(n,) int64."""
        return self.rows.num_frames[self.row_places]

    def keys(self) -> list[tuple[str, int]]:
        """The key of each window."""
        return [self.rows.key(row) for row in self.row_places.tolist()]

    def stacks(self) -> Iterator[Stack]:
        """The windows by the layout of their arrays; with few layouts this costs little for each window."""
        if self.column is None:
            return
        there = np.flatnonzero(~self._lacking())
        for part, packed in self.column.parts(self.row_places[there]):
            places = there[part]
            frames = self.num_frames[places]
            for some, arrays in _stacked(packed):
                for count in np.unique(frames[some]):
                    alike = frames[some] == count
                    of_them = arrays if alike.all() else {name: array[alike] for name, array in arrays.items()}
                    yield Stack(places[some[alike]], int(count), of_them)


def _stacked(packed: pa.BinaryArray) -> Iterator[tuple[np.ndarray, Mapping[str, np.ndarray]]]:
    """Places of the arrays that are laid out alike, and these arrays with an axis in front."""
    offsets = np.frombuffer(packed.buffers()[1], np.int32)[packed.offset :][: len(packed) + 1].astype(np.int64)
    data = packed.buffers()[2]
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        if not length:
            yield places, {}
            continue
        first, last = offsets[places[0]], offsets[places[-1] + 1]
        if (last - first) == length * len(places):
            block = content[first:last].reshape(-1, length)
        else:
            block = np.stack([content[start : start + length] for start in offsets[places].tolist()])
        yield from _by_header(places, block)


def _by_header(places: np.ndarray, block: np.ndarray) -> Iterator[tuple[np.ndarray, Mapping[str, np.ndarray]]]:
    """Of packed arrays of one length, (n, bytes): those of one header together."""
    while len(places):
        end = _HEADER + int.from_bytes(block[0, :_HEADER].tobytes(), "little")
        alike = (block[:, :end] == block[0, :end]).all(axis=1)
        chosen = block if alike.all() else block[alike]
        yield places[alike], _unpacked(chosen, end)
        places, block = places[~alike], block[~alike]


def _unpacked(block: np.ndarray, end: int) -> Mapping[str, np.ndarray]:
    """The arrays behind equal headers of ``end`` bytes, with an axis in front."""
    first = unpack_arrays(block[0].tobytes())
    return {
        name: np.ascontiguousarray(block[:, end + start : end + start + array.nbytes])
        .view(array.dtype)
        .reshape(len(block), *array.shape)
        for (name, array), start in zip(first.items(), _starts(block[0, :end].tobytes(), tuple(first)), strict=True)
    }


@functools.lru_cache(maxsize=256)
def _starts(header: bytes, names: tuple[str, ...]) -> tuple[int, ...]:
    described = json.loads(header[_HEADER:])
    return tuple(int(described[name]["data_offsets"][0]) for name in names)
