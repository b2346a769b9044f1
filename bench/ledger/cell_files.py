"""The Parquet files of finished cells, each with one digest."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .atomic_files import replace_file, temporary_path
from .checksums import file_digest
from .columns import Blobs
from .errors import Damage
from .joining import ROW_SCHEMA
from .records import CellFile, Measurement, Row, column_types, from_named_columns, to_columns

CELLS_FOLDER = "cells"

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

RowContents = tuple[Row, Iterable[Measurement]]
"""A row and what was measured of it."""


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

    def write(self, cell_id: str, contents: Iterable[RowContents]) -> tuple[Path, str]:
        """Write what a cell's file shall be beside it, onto the disk; gives its path and its digest.

        Memory holds one group of rows at a time.

        Args:
            cell_id: the cell.
            contents: its rows, sorted by key, each with its measurements.

        Raises:
            OSError: if it can't be written; nothing is left then.
        """
        unfinished = temporary_path(self.path(cell_id))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with pq.ParquetWriter(unfinished, PARQUET_SCHEMA, compression="zstd") as writer:
                for group in _row_groups(contents):
                    writer.write_table(group, row_group_size=max(1, group.num_rows))
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

    def contents(self, cell_id: str, registered: CellFile | None, *, checked: bool) -> Iterator[RowContents]:
        """Every row of a cell's file with its measurements, sorted by key, a group of rows in memory at a time.

        Arguments and errors as :meth:`measurements`. Only for who holds the lock of the run folder: the file must
        stay as it is meanwhile.
        """
        with self._opened(cell_id, registered, checked) as opened:
            if opened is None:
                return
            parquet = opened[0]
            decode = from_named_columns(Row, parquet.schema_arrow.names)
            last: tuple[str, int] | None = None
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, use_threads=False)
                for values in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    row = decode(values)
                    if last is not None and row.key <= last:
                        raise Damage(self.path(cell_id), f"its rows aren't in order at {row.key}", cell_id)
                    last = row.key
                    kept = values[table.column_names.index("measurements")]
                    yield (
                        row,
                        [Measurement(cell_id, *row.key, m["measurement"], m["arrays"], m["reason"]) for m in kept],
                    )

    def columns(
        self, cell_id: str, registered: CellFile | None, *, checked: bool
    ) -> tuple[pa.Table | None, dict[str, list[Blobs]]]:
        """The rows in a cell's file as a table, and its measurements by their names; see :meth:`measurements`.

        Large arrays stay on the disk: the file, as it was checked, is kept open for them.
        """
        with self._opened(cell_id, registered, checked) as opened:
            if opened is None:
                return None, {}
            parquet = opened[0]
            names = [name for name in column_types(Row) if name in parquet.schema_arrow.names]
            rows = parquet.read(columns=names, use_threads=False)
            return rows, _measured(_Groups(parquet, opened[2], self.path(cell_id), cell_id))

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

    def current_digest(self, cell_id: str, registered: CellFile | None, *, checked: bool) -> str:
        """Digest of the file that a cell has now; empty where it has none. Arguments as :meth:`measurements`."""
        with self._opened(cell_id, registered, checked) as opened:
            return "" if opened is None else opened[1]

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
        with self._opened(cell_id, registered, checked) as opened:
            if opened is None:
                return None, ""
            parquet, digest, _ = opened
            present = parquet.schema_arrow.names
            return parquet.read(columns=[name for name in columns if name in present], use_threads=False), digest

    @contextmanager
    def _opened(
        self, cell_id: str, registered: CellFile | None, checked: bool
    ) -> Iterator[tuple[pq.ParquetFile, str, IO[bytes]] | None]:
        """A cell's file, once its digest was found right, its digest, and its handle; ``None`` if there is none."""
        path = self.path(cell_id)
        if checked and registered is None:
            yield None
            return
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if registered is not None and registered.digest:
                raise Damage(path, "the file is missing", cell_id) from None
            yield None
            return
        with file:
            digest = file_digest(file)
            if registered is not None and digest not in (registered.digest, registered.next_digest):
                if not registered.digest:  # a kill came before the first file: all rows are in SQLite still
                    yield None
                    return
                raise Damage(path, "its content isn't what was written", cell_id)
            file.seek(0)
            try:
                # In this thread alone: one of Arrow's that still held Python's file at the end would abort the process.
                yield pq.ParquetFile(file, pre_buffer=False), digest, file
            except (pa.ArrowException, ValueError, OSError, MemoryError, OverflowError) as error:
                raise Damage(path, str(error), cell_id) from error


class _Groups:
    """The measurements of a Parquet file, a group of rows at a time; the group that was read last is held."""

    def __init__(self, parquet: pq.ParquetFile, file: IO[bytes], path: Path, cell_id: str):
        self.count = parquet.num_row_groups
        self.num_bytes = sum(parquet.metadata.row_group(group).total_byte_size for group in range(self.count))
        self._parquet = parquet
        self._file, self._path, self._cell_id = file, path, cell_id
        self._held: tuple[int, dict[str, Blobs]] = (-1, {})
        self.first_rows = [0]
        for group in range(self.count):
            self.first_rows.append(self.first_rows[-1] + parquet.metadata.row_group(group).num_rows)

    def keep_open(self) -> None:
        """Read from now on through a handle of its own, of the same file even where another one took its place."""
        self._file = os.fdopen(os.dup(self._file.fileno()), "rb")
        self._parquet = pq.ParquetFile(self._file, pre_buffer=False)

    def read(self, group: int) -> dict[str, Blobs]:
        """What was measured on the rows of a group, by its name."""
        if self._held[0] != group:
            try:
                table = self._parquet.read_row_group(group, columns=["measurements"], use_threads=False)
            except (pa.ArrowException, ValueError, OSError, MemoryError, OverflowError) as error:
                raise Damage(self._path, str(error), self._cell_id) from error
            self._held = (group, _by_name(table["measurements"], self.first_rows[group]))
        return self._held[1]

    def load(self, group: int, name: str) -> pa.BinaryArray:
        """The arrays of a group by one name."""
        return self.read(group)[name].load()


def _measured(groups: _Groups) -> dict[str, list[Blobs]]:
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
            parts.setdefault(name, []).append(Blobs(rows[places], functools.partial(_itself, arrays.take(chosen)), why))
    return {name: each[0] if len(each) == 1 else _joined(each) for name, each in parts.items()}


def _joined(parts: Sequence[Blobs]) -> Blobs:
    reasons: dict[int, str] = {}
    for part, before in zip(parts, np.cumsum([0, *(len(part.rows) for part in parts)]), strict=False):
        reasons |= {int(before) + place: why for place, why in part.reasons.items()}
    arrays = pa.concat_arrays([part.load() for part in parts])
    return Blobs(np.concatenate([part.rows for part in parts]), functools.partial(_itself, arrays), reasons)


def _itself(arrays: pa.BinaryArray) -> pa.BinaryArray:
    return arrays


def _row_groups(contents: Iterable[RowContents]) -> Iterator[pa.Table]:
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
