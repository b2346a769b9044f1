"""Groups of rows, with their measurements: what a cell's Parquet file is written and read by."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .columns import Blobs
from .errors import Damage
from .joining import ROW_SCHEMA, RowContents
from .records import Row, column_types, to_columns

PARQUET_SCHEMA = pa.schema(
    [
        *ROW_SCHEMA,
        pa.field(
            "measurements",
            pa.list_(pa.struct([("measurement", pa.string()), ("arrays", pa.binary()), ("reason", pa.string())])),
        ),
    ]
)
"""Columns of a compacted cell: those of :class:`Row`, and the row's measurements as a list."""

GROUP_ROWS = 2**14
"""Rows that are written together at most."""
GROUP_BYTES = 2**25
"""Bytes of arrays from which on a group of rows is written."""

HELD_BYTES = 2**26
"""Bytes of a file from which on its large arrays aren't held in memory."""
LARGE_BYTES = 2**11
"""Bytes of a window's arrays by one measurement, on average, from which on they are large."""

UNREADABLE = (pa.ArrowException, ValueError, OSError, MemoryError, OverflowError)
"""What reading damaged Parquet raises."""


class RowGroups:
    """The measurements of a Parquet file, a group of rows at a time; the group that was read last is held."""

    def __init__(self, parquet: pq.ParquetFile, file: IO[bytes], path: Path, cell_id: str):
        self.count = parquet.num_row_groups
        self.num_bytes = sum(parquet.metadata.row_group(group).total_byte_size for group in range(self.count))
        self._parquet = parquet
        self._file, self._path, self._cell_id = file, path, cell_id
        self._held: tuple[int, dict[str, Blobs]] = (-1, {})
        sizes = (parquet.metadata.row_group(group).num_rows for group in range(self.count))
        self._first_rows = list(itertools.accumulate(sizes, initial=0))

    def keep_open(self) -> None:
        """Read from now on through a handle of its own, of the same file even where another one took its place."""
        self._file = os.fdopen(os.dup(self._file.fileno()), "rb")
        self._parquet = pq.ParquetFile(self._file, pre_buffer=False)

    def read(self, group: int) -> dict[str, Blobs]:
        """What was measured on the rows of a group, by its name."""
        if self._held[0] != group:
            try:
                table = self._parquet.read_row_group(group, columns=["measurements"], use_threads=False)
            except UNREADABLE as error:
                raise Damage(self._path, str(error), self._cell_id) from error
            self._held = (group, _by_name(table["measurements"], self._first_rows[group]))
        return self._held[1]

    def load(self, group: int, name: str) -> pa.BinaryArray:
        """The arrays of a group by one name."""
        return self.read(group)[name].load()


def measured(groups: RowGroups) -> dict[str, list[Blobs]]:
    """Measurements by their names: in memory in one part, and by groups of rows where they are large."""
    found: dict[str, list[Blobs]] = {}
    large: set[str] = set()
    for group in range(groups.count):
        for name, blobs in groups.read(group).items():
            loaded = blobs.load()
            if name not in found and groups.num_bytes > HELD_BYTES and loaded.nbytes > LARGE_BYTES * len(loaded):
                large.add(name)
            if name in large:
                blobs = replace(blobs, load=functools.partial(groups.load, group, name))
            found.setdefault(name, []).append(blobs)
    if large:
        groups.keep_open()
    return {name: parts if name in large or len(parts) == 1 else [_joined(parts)] for name, parts in found.items()}


def _by_name(column: pa.ChunkedArray, first_row: int) -> dict[str, Blobs]:
    parts: dict[str, list[Blobs]] = {}
    for chunk in column.chunks:
        structs = chunk.flatten()
        names, arrays, reasons = (structs.field(name) for name in ("measurement", "arrays", "reason"))
        rows = np.repeat(np.arange(len(chunk)), np.diff(np.asarray(chunk.offsets, np.int64))) + first_row
        first_row += len(chunk)
        coded = names.dictionary_encode()
        codes = np.asarray(coded.indices)
        for code, name in enumerate(coded.dictionary.to_pylist()):
            places = np.flatnonzero(codes == code)
            chosen = pa.array(places, pa.int64())
            failed = np.flatnonzero(
                np.asarray(pc.call_function("not_equal", [reasons.take(chosen), pa.scalar("")]), bool)
            )
            why = {int(place): reasons[int(places[place])].as_py() for place in failed}
            parts.setdefault(name, []).append(Blobs.in_memory(rows[places], arrays.take(chosen), why))
    return {name: each[0] if len(each) == 1 else _joined(each) for name, each in parts.items()}


def _joined(parts: Sequence[Blobs]) -> Blobs:
    reasons: dict[int, str] = {}
    for part, before in zip(parts, np.cumsum([0, *(len(part.rows) for part in parts)]), strict=False):
        reasons |= {int(before) + place: why for place, why in part.reasons.items()}
    arrays = pa.concat_arrays([part.load() for part in parts])
    return Blobs.in_memory(np.concatenate([part.rows for part in parts]), arrays, reasons)


def row_groups(contents: Iterable[RowContents]) -> Iterator[pa.Table]:
    """Tables of rows that are written together; at least one, which may be empty."""
    names = list(column_types(Row))
    columns: dict[str, list[Any]] = {name: [] for name in PARQUET_SCHEMA.names}
    num_bytes, is_first = 0, True
    for row, measurements in contents:
        for name, value in zip(names, to_columns(row), strict=True):
            columns[name].append(value)
        kept = [{"measurement": m.measurement_key, "arrays": m.arrays, "reason": m.reason} for m in measurements]
        columns["measurements"].append(kept)
        num_bytes += sum(len(each["arrays"]) for each in kept)
        if len(columns["measurements"]) >= GROUP_ROWS or num_bytes >= GROUP_BYTES:
            yield pa.table(columns, schema=PARQUET_SCHEMA)
            columns = {name: [] for name in PARQUET_SCHEMA.names}
            num_bytes, is_first = 0, False
    if is_first or columns["measurements"]:
        yield pa.table(columns, schema=PARQUET_SCHEMA)
