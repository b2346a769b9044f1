"""The Parquet files of finished cells, each with one digest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from .atomic_files import replace_file, temporary_path
from .checksums import file_digest
from .columns import Blobs
from .errors import Damage
from .joining import RowContents
from .records import CellFile, Measurement, Row, column_types, from_named_columns
from .row_groups import PARQUET_SCHEMA, UNREADABLE, RowGroups, measured, row_groups

CELLS_FOLDER = "cells"


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
        """Write a cell's new file beside its present one; gives its path and digest once it is on the disk.

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
                for group in row_groups(contents):
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

        Arguments and errors as :meth:`measurements`. The caller holds the lock of the run folder, so that the file
        stays as it is meanwhile.
        """
        with self._opened(cell_id, registered, checked) as opened:
            if opened is None:
                return
            parquet = opened[0]
            names = parquet.schema_arrow.names
            decode, place = from_named_columns(Row, names), names.index("measurements")
            last: tuple[str, int] | None = None
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, use_threads=False)
                for values in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    row = decode(values)
                    if last is not None and row.key <= last:
                        raise Damage(self.path(cell_id), f"its rows aren't in order at {row.key}", cell_id)
                    last = row.key
                    yield row, [_measurement(cell_id, *row.key, kept) for kept in values[place]]

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
            return rows, measured(RowGroups(parquet, opened[2], self.path(cell_id), cell_id))

    def rows(self, cell_id: str, registered: CellFile | None, *, checked: bool) -> list[Row]:
        """The rows in a cell's file; see :meth:`measurements`."""
        table = self._read(cell_id, list(column_types(Row)), registered, checked)
        if table is None:
            return []
        decode = from_named_columns(Row, table.column_names)
        try:
            found = zip(*(column.to_pylist() for column in table.columns), strict=True)
            return [decode(values) for values in found]
        except (ValueError, TypeError) as error:
            raise Damage(self.path(cell_id), f"a row can't be understood ({error})", cell_id) from error

    def measurements(self, cell_id: str, registered: CellFile | None, *, checked: bool) -> list[Measurement]:
        """The measurements in a cell's file.

        Args:
            cell_id: the cell.
            registered: the file as it must be; ``None`` if the ledger has none: then what is there isn't read.
            checked: whether files are registered, as in every format but the first.

        Raises:
            Damage: if the file is missing, or isn't the one that was written.
        """
        table = self._read(cell_id, ["source", "window", "measurements"], registered, checked)
        if table is None:
            return []
        return [
            _measurement(cell_id, row["source"], row["window"], kept)
            for row in table.to_pylist()
            for kept in row["measurements"]
        ]

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
        self.measurements(cell_id, None, checked=False)
        return self.current_digest(cell_id, None, checked=False)

    def _read(
        self, cell_id: str, columns: Sequence[str], registered: CellFile | None, checked: bool
    ) -> pa.Table | None:
        with self._opened(cell_id, registered, checked) as opened:
            if opened is None:
                return None
            present = opened[0].schema_arrow.names
            return opened[0].read(columns=[name for name in columns if name in present], use_threads=False)

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
            except UNREADABLE as error:
                raise Damage(path, str(error), cell_id) from error


def _measurement(cell_id: str, source: str, window: int, kept: Mapping[str, Any]) -> Measurement:
    """A measurement from its entry in the file's list."""
    return Measurement(cell_id, source, window, kept["measurement"], kept["arrays"], kept["reason"])
