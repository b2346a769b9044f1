"""The ledger of a run folder: every window of every cell, append-only, safe to kill at any moment.

Rows are committed to SQLite (write-ahead log) as they come. A finished cell is compacted into one Parquet file: it is
written beside its place, its digest is committed, it takes its place, and only then its rows leave SQLite. Reading
takes the union, so that a kill between any two of these steps loses nothing. Whatever is read is checked: every record
of SQLite has a CRC, what belongs together has a count and a digest, and every Parquet file a digest.
"""

from __future__ import annotations

import shlex
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pyarrow as pa
from filelock import FileLock, Timeout

from .arrays import pack_arrays, unpack_arrays
from .atomic_files import remove_temporary_files
from .cell_files import CellFiles
from .columns import Blobs, MeasurementColumns
from .connection import Connection
from .counted_facts import with_sound_facts
from .errors import FILE_NAME, Damage, DamagedLedger, LedgerError, storage_errors
from .joining import joined_columns, joined_contents
from .records import CellFile, CellRecord, Measurement, ReferenceMeasurement, Row, RunRecord
from .tables import Tables
from .upgrading import needs_upgrade, upgrade

__all__ = ["FILE_NAME", "Ledger", "LedgerError", "pack_arrays", "unpack_arrays"]

LOCK_NAME = ".lock"
"""The file in a run folder that its writer holds."""
ATTEMPTS = 10
"""How often a cell is read again because a writer replaced its file meanwhile."""

HeldT = TypeVar("HeldT")
ReadT = TypeVar("ReadT")


class Ledger:
    """The ledger in ``folder``. With ``write=True`` it is created if need be and locked against other writers.

    A ledger of an earlier format is read as it is, and brought to this format by the first writer. Readers create no
    file, need no right to write, and see a consistent state beside a writer.

    Raises:
        LedgerError: by every method, if a file is damaged (it names the file, the cell and the command that computes
            it again), if the disk is full, or another writer is at work.
    """

    def __init__(self, folder: Path, *, write: bool = False):
        self.folder = Path(folder)
        self._path = self.folder / FILE_NAME
        self._lock: FileLock | None = None
        self._connection: Connection | None = None
        self._write = write
        self._files = CellFiles(self.folder)
        if not write and not self._path.is_file():
            raise LedgerError(f"{self.folder} is not a run folder: it holds no {FILE_NAME}. `toklab run` makes one")
        try:
            with self._explained():
                if write:
                    self._acquire()
                self._connection = Connection(self._path, write=write)
                self._tables = Tables(self._connection, self._path)
                self._prepare(self._connection.sqlite)
        except BaseException:
            self.close()
            raise

    def _acquire(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LedgerError(f"{self.folder} is in use by another toklab run; wait for it, or end it") from error
        self._lock = lock

    def _prepare(self, sqlite: sqlite3.Connection) -> None:
        """Check the format; a writer brings it up to date and puts right what a kill or the user left."""
        if not self._write:
            self._tables.check_version()
            return
        if needs_upgrade(self._tables):
            with self._tables.transaction(durable=True):
                earlier = self._tables.version
                upgrade(self._tables, sqlite)
                if earlier < self._tables.version:
                    self._tables.put(
                        CellFile(cell_id, self._files.digest(cell_id)) for cell_id in self._files.present()
                    )
        remove_temporary_files((self.folder, self._files.folder))
        for registered in self._tables.all(CellFile):
            if not self._files.path(registered.cell_id).exists():
                self._compute_again(registered)

    def _compute_again(self, registered: CellFile) -> None:
        """Go on without a cell's file that was deleted: its windows are open again."""
        with self._tables.transaction(durable=True):
            self._tables.delete(CellFile, registered.cell_id)
            if registered.digest:
                path = self._files.path(registered.cell_id)
                warnings.warn(f"{path} is missing; its windows are to be computed again", stacklevel=4)
                found = [cell for cell in self._tables.all(CellRecord) if cell.cell_id == registered.cell_id]
                self._tables.put(replace(cell, status="open") for cell in found)

    def close(self) -> None:
        """Close the file and give the lock back."""
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._path

    @property
    def is_checked(self) -> bool:
        """Whether what is read is checked: not in ledgers of format 1."""
        return self._tables.is_checked

    # Errors

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Make a :class:`LedgerError` of damage, which says where it is and what to do."""
        try:
            with storage_errors(self._path):
                yield
        except Damage as damage:
            raise DamagedLedger(damage, self.folder, *self._label_and_command(damage.cell_id)) from damage

    @contextmanager
    def _reading(self) -> Iterator[Tables]:
        with self._explained(), self._tables.reading():
            yield self._tables

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[Tables]:
        with self._explained(), self._tables.transaction(durable=durable):
            yield self._tables

    def _label_and_command(self, cell_id: str) -> tuple[str, str]:
        """A cell's label and the command that computes it, as far as they can be read."""
        label, commands = cell_id, []
        if hasattr(self, "_tables"):
            label = self._tables.label(cell_id) if cell_id else ""
            with suppress(Damage, sqlite3.Error), self._tables.reading():
                found = (run.provenance.get("command") for run in self._tables.all(RunRecord))
                commands = [words for words in found if words and words[1:2] == ["run"]]
        tokenizer = label.partition(" (")[0]
        fitting = [words for words in commands if tokenizer in words] or commands
        return label, shlex.join(fitting[-1]) if fitting else f"toklab run … --out {self.folder}"

    # Records

    def record(self, *records: RunRecord | CellRecord | Row | Measurement | ReferenceMeasurement | CellFile) -> None:
        """Commit records in one transaction, replacing those of the same key."""
        with self._writing() as tables:
            tables.put(records)

    def runs(self) -> list[RunRecord]:
        """Every invocation, in order of time."""
        with self._reading() as tables:
            return sorted(tables.all(RunRecord), key=lambda run: (run.started, run.run_id))

    def cells(self) -> list[CellRecord]:
        """Every cell, in the order of first appearance; without facts that an earlier version counted wrongly."""
        with self._reading() as tables:
            return list(map(with_sound_facts, tables.all(CellRecord)))

    def cell(self, cell_id: str) -> CellRecord | None:
        """One cell, if it is there."""
        return next((cell for cell in self.cells() if cell.cell_id == cell_id), None)

    def update_cell(self, cell_id: str, **changes: Any) -> CellRecord:
        """Change fields of a cell."""
        known = self.cell(cell_id)
        if known is None:
            raise LedgerError(f"{self.folder} holds no cell {cell_id}")
        changed = replace(known, **changes)
        self.record(changed)
        return changed

    def rows(self, cell_id: str) -> list[Row]:
        """All rows of a cell, compacted or not, sorted by source and window."""
        pending, compacted = self._of_one_moment(cell_id, lambda tables: tables.all(Row, cell_id), self._files.rows)
        rows = {row.key: row for row in (*compacted, *pending)}
        return [rows[key] for key in sorted(rows)]

    def measurements(self, cell_id: str) -> dict[tuple[str, int], dict[str, Measurement]]:
        """Measurements of a cell by row key, then by measurement."""
        pending, compacted = self._of_one_moment(
            cell_id, lambda tables: tables.all(Measurement, cell_id), self._files.measurements
        )
        found: dict[tuple[str, int], dict[str, Measurement]] = {}
        for measurement in (*compacted, *pending):
            found.setdefault((measurement.source, measurement.window), {})[measurement.measurement_key] = measurement
        return found

    def columns(self, cell_id: str) -> MeasurementColumns:
        """Rows and measurements of a cell as columns, of one moment; the rows are in ``rows``."""
        (rows, measurements), (table, measured) = self._of_one_moment(
            cell_id,
            lambda tables: (tables.all(Row, cell_id), tables.all(Measurement, cell_id)),
            self._files.columns,
        )
        with self._explained():
            return self._joined(cell_id, table, measured, rows, measurements)

    def _joined(
        self,
        cell_id: str,
        table: pa.Table | None,
        measured: Mapping[str, Sequence[Blobs]],
        rows: Sequence[Row],
        measurements: Sequence[Measurement],
    ) -> MeasurementColumns:
        try:
            columns = joined_columns(cell_id, table, measured, rows, measurements)
            if not self.is_checked:  # nothing else shows that a row is damaged
                for _ in columns.rows:
                    pass
            return columns
        except (ValueError, TypeError, KeyError) as error:
            path = self._files.path(cell_id)
            raise Damage(path, f"a row can't be understood ({error})", cell_id) from error

    def reference_measurements(self) -> dict[tuple[str, str], bytes]:
        """Arrays that belong to references, by (clip, measurement key)."""
        with self._reading() as tables:
            return {(r.clip, r.measurement_key): r.arrays for r in tables.all(ReferenceMeasurement)}

    def has_reference(self, clip: str, measurement_key: str) -> bool:
        """Whether the reference of a clip was measured already."""
        with self._explained():
            return self._tables.has(ReferenceMeasurement, (clip, measurement_key))

    def files(self) -> list[CellFile]:
        """The Parquet files that are part of the ledger; none in format 1, which doesn't register them."""
        if not self.is_checked:
            return []
        with self._reading() as tables:
            return tables.all(CellFile)

    def stray_files(self) -> list[Path]:
        """Parquet files that aren't part of the ledger: a kill came before they were deleted."""
        known = {file.cell_id for file in self.files()}
        return [self._files.path(name) for name in self._files.present() if self.is_checked and name not in known]

    def cell_ids(self) -> list[str]:
        """Every cell that anything in the ledger belongs to, without a check."""
        with self._reading() as tables:
            return tables.cell_ids()

    def _of_one_moment(
        self, cell_id: str, held: Callable[[Tables], HeldT], read: Callable[..., ReadT]
    ) -> tuple[HeldT, ReadT]:
        """What SQLite holds of a cell, and what ``read`` gives of its file, both of one moment."""
        for attempt in range(ATTEMPTS):
            with self._reading() as tables:
                registered = self._file_of(cell_id)
                pending = held(tables)
            with self._explained():
                try:
                    return pending, read(cell_id, registered, checked=tables.is_checked)
                except Damage:
                    # Beside a writer, the file may be newer than what was read of SQLite.
                    with tables.reading():
                        if attempt == ATTEMPTS - 1 or self._file_of(cell_id) == registered:
                            raise
        raise AssertionError("the last attempt returns or raises")

    def _file_of(self, cell_id: str) -> CellFile | None:
        """What a cell's file must be, inside a transaction."""
        return next((file for file in self.files() if file.cell_id == cell_id), None)

    # Whole cells

    def forget_cell(self, cell_id: str) -> None:
        """Drop a cell with everything that belongs to it."""
        with self._writing(durable=True) as tables:
            for record in (CellRecord, CellFile):
                tables.delete(record, cell_id)
            tables.delete_contents(cell_id)
        # Only now: a file that isn't registered is never read, but a registered one must be there.
        self._files.remove(self._files.path(cell_id))

    def forget_rows(self, cell_id: str, keys: Iterable[tuple[str, int]]) -> None:
        """Drop rows, with their measurements, that are to be computed again."""
        keys = set(keys)
        if not keys:
            return
        kept_rows = [row for row in self.rows(cell_id) if row.key not in keys]
        kept = [m for key, found in self.measurements(cell_id).items() if key not in keys for m in found.values()]
        with self._writing(durable=True) as tables:
            tables.delete_contents(cell_id)
            tables.put([*kept_rows, *kept])
            tables.delete(CellFile, cell_id)
        self._files.remove(self._files.path(cell_id))

    def forget_pending(self, cell_id: str) -> None:
        """Drop what SQLite holds of a cell, damaged or not: its windows are open again, and its file stays."""
        with self._writing() as tables:
            tables.delete_contents(cell_id)
            tables.put(replace(cell, status="open") for cell in tables.all(CellRecord) if cell.cell_id == cell_id)

    def compact(self, cell_id: str) -> None:
        """Move a cell's rows and measurements into one Parquet file, written whole or not at all.

        Memory holds one group of rows at a time.
        """
        with self._reading() as tables:
            registered = self._file_of(cell_id)
            with storage_errors(self._files.path(cell_id)):
                current = self._files.current_digest(cell_id, registered, checked=tables.is_checked)
                compacted = self._files.contents(cell_id, registered, checked=tables.is_checked)
                rows, measurements = tables.by_key(Row, cell_id), tables.by_key(Measurement, cell_id)
                unfinished, digest = self._files.write(cell_id, joined_contents(compacted, rows, measurements))
        try:
            with self._writing(durable=True) as tables:
                tables.put([CellFile(cell_id, current, digest)])
            with self._explained(), storage_errors(self._files.path(cell_id)):
                self._files.replace(unfinished, cell_id)
        finally:
            self._files.remove(unfinished)
        with self._writing(durable=True) as tables:
            tables.put([CellFile(cell_id, digest)])
            tables.delete_contents(cell_id)
