"""What a cell's file holds and what SQLite holds of it, as one set of columns."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from .columns import Blobs, MeasurementColumn, MeasurementColumns, RowColumns
from .records import Measurement, Row, column_types, to_columns

PARQUET_TYPES = {"TEXT": pa.string(), "INTEGER": pa.int64(), "REAL": pa.float64(), "BLOB": pa.binary()}
"""Arrow types of the ledger's columns."""
ROW_SCHEMA = pa.schema([pa.field(name, PARQUET_TYPES[kind]) for name, kind in column_types(Row).items()])

RowContents = tuple[Row, Iterable[Measurement]]
"""A row and what was measured of it."""


def joined_columns(
    cell_id: str,
    table: pa.Table | None,
    measured: Mapping[str, Sequence[Blobs]],
    rows: Sequence[Row],
    measurements: Sequence[Measurement],
) -> MeasurementColumns:
    """The columns of a cell; what SQLite holds takes the place of what the file has under the same key.

    Args:
        cell_id: the cell.
        table: rows of the file; ``None`` where there is none.
        measured: measurements of the file by name, their rows by place in ``table``.
        rows: of SQLite.
        measurements: of SQLite; those without a row are left out.
    """
    held = RowColumns.of(cell_id, table if table is not None else _table(()))
    found = {name: list(parts) for name, parts in measured.items()}
    if rows or not _is_sorted(held):
        both = held if not rows else RowColumns.of(cell_id, _stacked(table, _table(rows)))
        kept, places = _sorted_places(both)
        held = both.take(kept)
        for name, parts in found.items():
            found[name] = [Blobs(places[part.rows], part.load, part.reasons) for part in parts]
    pending: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        if (measurement.source, measurement.window) in held.places:
            pending.setdefault(measurement.measurement_key, []).append(measurement)
    for name, some in pending.items():
        places = np.array([held.places[each.source, each.window] for each in some], np.int64)
        arrays = pa.array([each.arrays for each in some], pa.binary())
        reasons = {place: each.reason for place, each in enumerate(some) if each.reason}
        found.setdefault(name, []).append(Blobs.in_memory(places, arrays, reasons))
    columns = {name: MeasurementColumn(name, len(held), parts) for name, parts in found.items()}
    return MeasurementColumns(held, columns)


def joined_contents(
    compacted: Iterable[RowContents], rows: Iterable[Row], measurements: Iterable[Measurement]
) -> Iterator[RowContents]:
    """Every row of a cell with its measurements, one in memory at a time.

    What SQLite holds takes the place of what the file has under the same key; measurements without a row are left out.

    Args:
        compacted: of the file, sorted by key, as all of these are.
        rows: of SQLite.
        measurements: of SQLite.
    """
    pending: Iterator[Row | Measurement] = heapq.merge(rows, measurements, key=_key)
    merged = heapq.merge(compacted, ((record, None) for record in pending), key=lambda one: _key(one[0]))
    for _, alike in itertools.groupby(merged, key=lambda one: _key(one[0])):
        row: Row | None = None
        measured: dict[str, Measurement] = {}
        for record, kept in alike:
            if isinstance(record, Row):
                row = record
            else:
                measured[record.measurement_key] = record
            measured |= {m.measurement_key: m for m in kept or ()}
        if row is not None:
            yield row, measured.values()


def _key(record: Row | Measurement) -> tuple[str, int]:
    return (record.source, record.window)


def _table(rows: Sequence[Row]) -> pa.Table:
    values = zip(*map(to_columns, rows), strict=True) if rows else ([] for _ in ROW_SCHEMA.names)
    return pa.table(dict(zip(ROW_SCHEMA.names, map(list, values), strict=True)), schema=ROW_SCHEMA)


def _stacked(table: pa.Table | None, pending: pa.Table) -> pa.Table:
    if table is None:
        return pending
    # A file of an earlier version may lack columns, which take their defaults.
    held = {
        name: table[name] if name in table.column_names else RowColumns.default(name, table.num_rows)
        for name in ROW_SCHEMA.names
    }
    return pa.concat_tables([pa.table(held).cast(ROW_SCHEMA), pending])


def _is_sorted(rows: RowColumns) -> bool:
    sources, windows = rows.texts["source"].ranks(), rows.window
    step = np.diff(sources)
    return bool(((step > 0) | ((step == 0) & (np.diff(windows) > 0))).all())


def _sorted_places(rows: RowColumns) -> tuple[np.ndarray, np.ndarray]:
    """Places of the rows that count, sorted by key: of equal keys, the last. And the place of each row's key there."""
    sources, windows = rows.texts["source"].ranks(), rows.window
    order = np.lexsort((np.arange(len(rows)), windows, sources))
    last = np.ones(len(order), bool)
    last[:-1] = (np.diff(sources[order]) != 0) | (np.diff(windows[order]) != 0)
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(last) - last
    return order[last], places
