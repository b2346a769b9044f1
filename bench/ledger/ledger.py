"""The ledger of a run folder: every window of every cell, append-only, safe to kill at any moment.

Rows are committed to SQLite (write-ahead log) as they come. A finished cell is compacted into one Parquet file by an
atomic rename, and only then leaves SQLite; reading takes the union, so that a kill between the two loses nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from .records import (
    PRIMARY_KEYS,
    TABLES,
    CellRecord,
    Measurement,
    RecordT,
    ReferenceMeasurement,
    Row,
    RunRecord,
    column_types,
    from_columns,
    to_columns,
)

SCHEMA_VERSION = 1
FILE_NAME = "ledger.sqlite"
CELLS_FOLDER = "cells"


class LedgerError(ValueError):
    """A run folder that can't be opened, is in use, or contradicts another."""


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as bytes (safetensors format)."""
    return save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def unpack_arrays(packed: bytes) -> dict[str, np.ndarray]:
    """What :func:`pack_arrays` packed; nothing for an empty value."""
    return load_arrays(packed) if packed else {}


class Ledger:
    """The ledger in ``folder``. With ``write=True`` it is created if need be and locked against other writers."""

    def __init__(self, folder: Path, *, write: bool = False):
        self.folder = Path(folder)
        path = self.folder / FILE_NAME
        self._lock: FileLock | None = None
        if write:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder / ".lock")
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise LedgerError(f"{self.folder} is in use by another toklab run; wait for it, or end it") from error
        elif not path.is_file():
            raise LedgerError(f"{self.folder} is not a run folder: it holds no {FILE_NAME}. `toklab run` makes one")
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._create_tables()
        except sqlite3.DatabaseError as error:
            self._release()
            raise LedgerError(f"{path} can't be read as a ledger ({error})") from error

    def _create_tables(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise LedgerError(f"{self.folder} was written with ledger format {version}, this is {SCHEMA_VERSION}")
        for record, table in TABLES.items():
            columns = ", ".join(f"{name} {kind}" for name, kind in column_types(record).items())
            key = ", ".join(PRIMARY_KEYS[record])
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({key}))")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._connection.close()
        self._release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _put(self, records: Iterable[Any]) -> None:
        for record in records:
            marks = ", ".join("?" for _ in column_types(type(record)))
            self._connection.execute(
                f"INSERT OR REPLACE INTO {TABLES[type(record)]} VALUES ({marks})", to_columns(record)
            )

    def _get(self, record: type[RecordT], condition: str = "", values: Sequence[Any] = ()) -> list[RecordT]:
        columns = ", ".join(column_types(record))
        query = f"SELECT {columns} FROM {TABLES[record]} {condition}"
        return [from_columns(record, found) for found in self._connection.execute(query, values)]

    def record(self, *records: RunRecord | CellRecord | Row | Measurement | ReferenceMeasurement) -> None:
        """Commit records in one transaction, replacing those of the same key."""
        with self._transaction():
            self._put(records)

    def runs(self) -> list[RunRecord]:
        """Every invocation, in order of time."""
        return self._get(RunRecord, "ORDER BY started, run")

    def cells(self) -> list[CellRecord]:
        """Every cell, in the order of first appearance."""
        return self._get(CellRecord, "ORDER BY rowid")

    def cell(self, cell_id: str) -> CellRecord | None:
        """One cell, if it is there."""
        found = self._get(CellRecord, "WHERE cell = ?", (cell_id,))
        return found[0] if found else None

    def update_cell(self, cell_id: str, **changes: Any) -> CellRecord:
        """Change fields of a cell."""
        known = self.cell(cell_id)
        if known is None:
            raise LedgerError(f"{self.folder} holds no cell {cell_id}")
        changed = replace(known, **changes)
        columns = list(column_types(CellRecord))
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self._transaction():
            self._connection.execute(f"UPDATE cells SET {assignments} WHERE cell = ?", (*to_columns(changed), cell_id))
        return changed

    def rows(self, cell_id: str) -> list[Row]:
        """All rows of a cell, compacted or not, sorted by source and window."""
        rows = {row.key: row for row in self._compacted_rows(cell_id)}
        rows.update({row.key: row for row in self._get(Row, "WHERE cell = ?", (cell_id,))})
        return [rows[key] for key in sorted(rows)]

    def measurements(self, cell_id: str) -> dict[tuple[str, int], dict[str, Measurement]]:
        """Measurements of a cell by row key, then by measurement."""
        found: dict[tuple[str, int], dict[str, Measurement]] = {}
        pending = self._get(Measurement, "WHERE cell = ?", (cell_id,))
        for measurement in (*self._compacted_measurements(cell_id), *pending):
            found.setdefault((measurement.source, measurement.window), {})[measurement.measurement_key] = measurement
        return found

    def reference_measurements(self) -> dict[tuple[str, str], bytes]:
        """Arrays that belong to references, by (clip, measurement key)."""
        return {(r.clip, r.measurement_key): r.arrays for r in self._get(ReferenceMeasurement)}

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        """Whether the reference of a clip was measured already."""
        query = "SELECT 1 FROM reference_measurements WHERE clip = ? AND measurement = ?"
        return self._connection.execute(query, (clip, measurement_key)).fetchone() is not None

    def forget_cell(self, cell_id: str) -> None:
        """Drop a cell with everything that belongs to it."""
        with self._transaction():
            for table in ("cells", "rows", "measurements"):
                self._connection.execute(f"DELETE FROM {table} WHERE cell = ?", (cell_id,))
            self._parquet(cell_id).unlink(missing_ok=True)

    def forget_rows(self, cell_id: str, keys: Iterable[tuple[str, int]]) -> None:
        """Drop rows, with their measurements, that are to be computed again."""
        keys = set(keys)
        if not keys:
            return
        kept_rows = [row for row in self.rows(cell_id) if row.key not in keys]
        kept = [m for key, found in self.measurements(cell_id).items() if key not in keys for m in found.values()]
        with self._transaction():
            for table in ("rows", "measurements"):
                self._connection.execute(f"DELETE FROM {table} WHERE cell = ?", (cell_id,))
            self._put([*kept_rows, *kept])
            self._parquet(cell_id).unlink(missing_ok=True)

    def _parquet(self, cell_id: str) -> Path:
        return self.folder / CELLS_FOLDER / f"{cell_id}.parquet"

    def compact(self, cell_id: str) -> None:
        """Move a cell's rows and measurements into one Parquet file, written whole or not at all."""
        rows, measurements = self.rows(cell_id), self.measurements(cell_id)
        names = list(column_types(Row))
        columns: dict[str, list[Any]] = {name: [] for name in names}
        columns["measurements"] = []
        for row in rows:
            for name, value in zip(names, to_columns(row), strict=True):
                columns[name].append(value)
            found = measurements.get(row.key, {})
            columns["measurements"].append(
                [{"measurement": m.measurement_key, "arrays": m.arrays, "reason": m.reason} for m in found.values()]
            )
        path = self._parquet(cell_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            pq.write_table(pa.table(columns, schema=PARQUET_SCHEMA), unfinished, compression="zstd")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        with self._transaction():
            for table in ("rows", "measurements"):
                self._connection.execute(f"DELETE FROM {table} WHERE cell = ?", (cell_id,))

    def _read_parquet(self, cell_id: str, columns: list[str]) -> list[dict[str, Any]]:
        path = self._parquet(cell_id)
        if not path.is_file():
            return []
        try:
            return pq.read_table(path, columns=columns).to_pylist()
        except pa.ArrowInvalid as error:
            raise LedgerError(f"{path} is damaged ({error}); delete it and run again to recompute the cell") from error

    def _compacted_rows(self, cell_id: str) -> list[Row]:
        names = list(column_types(Row))
        return [from_columns(Row, tuple(found[n] for n in names)) for found in self._read_parquet(cell_id, names)]

    def _compacted_measurements(self, cell_id: str) -> list[Measurement]:
        found = self._read_parquet(cell_id, ["source", "window", "measurements"])
        return [
            Measurement(cell_id, row["source"], row["window"], kept["measurement"], kept["arrays"], kept["reason"])
            for row in found
            for kept in row["measurements"]
        ]


PARQUET_TYPES = {"TEXT": pa.string(), "INTEGER": pa.int64(), "REAL": pa.float64(), "BLOB": pa.binary()}
PARQUET_SCHEMA = pa.schema(
    [pa.field(name, PARQUET_TYPES[kind]) for name, kind in column_types(Row).items()]
    + [
        pa.field(
            "measurements",
            pa.list_(pa.struct([("measurement", pa.string()), ("arrays", pa.binary()), ("reason", pa.string())])),
        )
    ]
)
"""Columns of a compacted cell: those of :class:`Row`, and the row's measurements as a list."""
