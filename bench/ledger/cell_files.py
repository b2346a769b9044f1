"""The Parquet files of finished cells, each with one digest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .atomic_files import replace_file, temporary_path
from .checksums import file_digest
from .errors import Damage
from .records import CellFile, Measurement, Row, column_types, from_named_columns, to_columns

CELLS_FOLDER = "cells"

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


class CellFiles:
    """The Parquet files in a run folder."""

    def __init__(self, folder: Path):
        self.folder = folder / CELLS_FOLDER

    def path(self, cell_id: str) -> Path:
        """Where the file of a cell is."""
        return self.folder / f"{cell_id}.parquet"

    def present(self) -> list[str]:
        """The cells that have a file."""
        return sorted(path.stem for path in self.folder.glob("*.parquet"))

    def write(
        self, cell_id: str, rows: Iterable[Row], measurements: Mapping[tuple[str, int], Mapping[str, Measurement]]
    ) -> tuple[Path, str]:
        """Write what a cell's file shall be beside it, onto the disk; gives its path and its digest.

        Raises:
            OSError: if it can't be written; nothing is left then.
        """
        columns: dict[str, list[Any]] = {name: [] for name in PARQUET_SCHEMA.names}
        names = list(column_types(Row))
        for row in rows:
            for name, value in zip(names, to_columns(row), strict=True):
                columns[name].append(value)
            found = measurements.get(row.key, {})
            columns["measurements"].append(
                [{"measurement": m.measurement_key, "arrays": m.arrays, "reason": m.reason} for m in found.values()]
            )
        unfinished = temporary_path(self.path(cell_id))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(pa.table(columns, schema=PARQUET_SCHEMA), unfinished, compression="zstd")
            with unfinished.open("r+b") as file:
                os.fsync(file.fileno())
                return unfinished, file_digest(file)
        except BaseException:
            self.remove(unfinished)
            raise

    def replace(self, unfinished: Path, cell_id: str) -> None:
        """Put what :meth:`write` wrote in the place of a cell's file."""
        replace_file(unfinished, self.path(cell_id))

    def remove(self, path: Path) -> None:
        """Remove a file that nothing needs; one that can't be removed is never read either."""
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def rows(self, cell_id: str, registered: CellFile | None, *, checked: bool) -> tuple[list[Row], str]:
        """The rows in a cell's file, and its digest; see :meth:`measurements`."""
        table, digest = self._read(cell_id, list(column_types(Row)), registered, checked)
        if table is None:
            return [], digest
        decode = from_named_columns(Row, table.column_names)
        try:
            found = zip(*(column.to_pylist() for column in table.columns), strict=True)
            return [decode(values) for values in found], digest
        except (ValueError, TypeError) as error:
            raise Damage(self.path(cell_id), f"a row can't be understood ({error})", cell_id) from error

    def measurements(
        self, cell_id: str, registered: CellFile | None, *, checked: bool
    ) -> tuple[list[Measurement], str]:
        """The measurements in a cell's file, and its digest.

        Args:
            cell_id: the cell.
            registered: the file as it must be; ``None`` if the ledger has none: then what is there isn't read.
            checked: whether files are registered, as in every format but the first.

        Raises:
            Damage: if the file is missing, or isn't the one that was written.
        """
        table, digest = self._read(cell_id, ["source", "window", "measurements"], registered, checked)
        if table is None:
            return [], digest
        found = [
            Measurement(cell_id, row["source"], row["window"], kept["measurement"], kept["arrays"], kept["reason"])
            for row in table.to_pylist()
            for kept in row["measurements"]
        ]
        return found, digest

    def digest(self, cell_id: str) -> str:
        """Digest of a cell's file as it is, once everything in it could be read.

        Raises:
            Damage: if it can't be read.
        """
        self.rows(cell_id, None, checked=False)
        return self.measurements(cell_id, None, checked=False)[1]

    def _read(
        self, cell_id: str, columns: Sequence[str], registered: CellFile | None, checked: bool
    ) -> tuple[pa.Table | None, str]:
        path = self.path(cell_id)
        if checked and registered is None:
            return None, ""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if registered is not None and registered.digest:
                raise Damage(path, "the file is missing", cell_id) from None
            return None, ""
        with file:
            digest = file_digest(file)
            if registered is not None and digest not in (registered.digest, registered.next_digest):
                if not registered.digest:  # a kill came before the first file: all rows are in SQLite still
                    return None, ""
                raise Damage(path, "its content isn't what was written", cell_id)
            file.seek(0)
            try:
                # In this thread alone: one of Arrow's that still held Python's file at the end would abort the process.
                parquet = pq.ParquetFile(file, pre_buffer=False)
                present = parquet.schema_arrow.names
                table = parquet.read(columns=[name for name in columns if name in present], use_threads=False)
                return table, digest
            except (pa.ArrowException, ValueError, OSError, MemoryError, OverflowError) as error:
                raise Damage(path, str(error), cell_id) from error
