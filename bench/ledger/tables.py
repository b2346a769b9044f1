"""The tables of a ledger: every row with a CRC, and what belongs together with a count and a digest."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .checksums import Total, crc, encode
from .connection import UNREADABLE_IN_PLACE, Connection
from .errors import Damage, LedgerError, primary_code
from .records import (
    PRIMARY_KEYS,
    TABLES,
    CellRecord,
    RecordT,
    column_types,
    from_named_columns,
    to_columns,
)
from .totals import PER_CELL, Totals

SCHEMA_VERSION = 2
UNCHECKED_VERSION = 1
"""The first format: no CRC, no totals; Parquet files aren't registered."""

ATTEMPTS, PAUSE_S = 300, 0.1
"""How often, and after how many seconds, a reader looks again at a file that a writer is just opening or closing."""


class Tables:
    """Reads and writes records through a connection, and checks everything that it reads."""

    def __init__(self, connection: Connection, path: Path):
        self._connection = connection
        self._sqlite = connection.sqlite
        self._path = path
        self._stored: dict[type, tuple[str, ...]] = {}
        self._totals = Totals(self._sqlite, path)
        with self.reading():
            self.version: int = self._sqlite.execute("PRAGMA user_version").fetchone()[0]

    @property
    def is_checked(self) -> bool:
        """Whether the rows have checksums."""
        return self.version != UNCHECKED_VERSION

    # Transactions

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Everything inside is committed, with the totals, or nothing.

        Args:
            durable: wait until it is on the disk, as files are deleted that only this commit makes superfluous.
        """
        if durable:
            self._connection.set_durable(True)
        try:
            self._sqlite.execute("BEGIN IMMEDIATE")
            self._totals.forget_changes()
            try:
                yield
                self._totals.write_changes()
                self._sqlite.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already.
                with suppress(sqlite3.Error):
                    if self._sqlite.in_transaction:
                        self._sqlite.execute("ROLLBACK")
                raise
        finally:
            if durable:
                self._connection.set_durable(False)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything inside sees one state, whatever a writer does meanwhile."""
        if self._sqlite.in_transaction:
            yield
            return
        self._begin_reading()
        try:
            yield
        finally:
            if self._sqlite.in_transaction:
                self._sqlite.execute("ROLLBACK")

    def _begin_reading(self) -> None:
        """Take hold of one state. A writer that is just starting has files that SQLite can't open yet."""
        for attempt in range(ATTEMPTS):
            self._sqlite.execute("BEGIN")
            try:
                self._sqlite.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                if self._sqlite.in_transaction:
                    self._sqlite.execute("ROLLBACK")
                if primary_code(error) not in UNREADABLE_IN_PLACE or attempt == ATTEMPTS - 1:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    # Records

    def all(self, record: type[RecordT], cell_id: str = "") -> list[RecordT]:
        """The records of a table, or of one cell, in order of first appearance, checked one by one and together.

        Raises:
            Damage: if a record is damaged, is missing, or is there twice.
        """
        return list(self._each(record, cell_id, "" if record in PER_CELL else "ORDER BY rowid"))

    def by_key(self, record: type[RecordT], cell_id: str) -> Iterator[RecordT]:
        """A cell's rows or measurements, sorted by source and window, one in memory at a time; checked as in ``all``.

        Raises:
            Damage: as ``all``; that a record is missing or doubled shows at the end.
        """
        return self._each(record, cell_id, "ORDER BY source, window, rowid")

    def _each(self, record: type[RecordT], cell_id: str, order: str) -> Iterator[RecordT]:
        condition, values = (f"WHERE cell = ? {order}", (cell_id,)) if record in PER_CELL else (order, ())
        count, digest = 0, 0
        names, width = self.columns(record), len(self.columns(record))
        decode = from_named_columns(record, names)
        for _, row, total in self._select(record, condition, values, cell_id):
            count, digest = count + 1, digest + total.digest
            try:
                found = decode(row[:width])
            except (ValueError, TypeError) as error:
                raise Damage(
                    self._path, f"a record of {TABLES[record]} can't be understood ({error})", cell_id
                ) from error
            yield found
        if self.is_checked:
            self._totals.compare(record, cell_id, Total() + Total(count, digest))

    def put(self, records: Iterable[Any]) -> None:
        """Add records inside a transaction, in place of those of the same key."""
        for record in records:
            self._put(record)

    def _put(self, record: Any) -> None:
        kind = type(record)
        table, names = TABLES[kind], self.columns(kind)
        by_name = dict(zip(column_types(kind), to_columns(record), strict=True))
        values = [by_name.get(name) for name in names]
        keys = [by_name[name] for name in PRIMARY_KEYS[kind]]
        cell_id = by_name.get("cell", "")
        condition = "WHERE " + " AND ".join(f"{name} = ?" for name in PRIMARY_KEYS[kind])
        known = list(self._select(kind, condition, keys, cell_id))
        if known:
            rowid, _, total = known[0]
            self._totals.subtract(kind, cell_id, total)
        else:
            rowid = self._next_rowid(table) if kind is CellRecord else None
        encoded = encode(_header(names), [*values, rowid] if kind is CellRecord else values)
        self._totals.add(kind, cell_id, Total.of(encoded))
        marks = ", ".join("?" for _ in range(len(names) + 2))
        self._sqlite.execute(
            f"INSERT OR REPLACE INTO {table} (rowid, {', '.join(names)}, crc) VALUES ({marks})",
            (rowid, *values, crc(encoded)),
        )

    def delete(self, record: type, cell_id: str) -> None:
        """Delete the record that a cell has in a table of one record a cell, inside a transaction."""
        for rowid, _, total in list(self._select(record, "WHERE cell = ?", (cell_id,), "")):
            self._sqlite.execute(f"DELETE FROM {TABLES[record]} WHERE rowid = ?", (rowid,))
            self._totals.subtract(record, "", total)

    def delete_contents(self, cell_id: str) -> None:
        """Delete a cell's rows and measurements inside a transaction, damaged ones too."""
        for record in PER_CELL:
            self._sqlite.execute(f"DELETE FROM {TABLES[record]} WHERE cell = ?", (cell_id,))
            self._totals.delete(record, cell_id)

    def has(self, record: type, keys: Sequence[Any]) -> bool:
        """Whether there is a record of a key."""
        condition = " AND ".join(f"{name} = ?" for name in PRIMARY_KEYS[record])
        return self._sqlite.execute(f"SELECT 1 FROM {TABLES[record]} WHERE {condition}", keys).fetchone() is not None

    def cell_ids(self) -> list[str]:
        """Every cell that any table names, without a check."""
        tables = ("cells", "rows", "measurements", *(("cell_files",) if self.is_checked else ()))
        query = " UNION ".join(f"SELECT cell FROM {table}" for table in tables)
        return sorted(str(found) for (found,) in self._sqlite.execute(query))

    def label(self, cell_id: str) -> str:
        """A cell's label, as far as it can be read."""
        with suppress(sqlite3.Error):
            found = self._sqlite.execute("SELECT label FROM cells WHERE cell = ?", (cell_id,)).fetchone()
            if found:
                return str(found[0])
        return cell_id

    def _next_rowid(self, table: str) -> int:
        return self._sqlite.execute(f"SELECT COALESCE(MAX(rowid), 0) + 1 FROM {table}").fetchone()[0]

    def columns(self, record: type) -> tuple[str, ...]:
        """The columns a table has, in their order, its CRC left out."""
        if record not in self._stored:
            found = self._sqlite.execute(f"PRAGMA table_info({TABLES[record]})").fetchall()
            names = tuple(name for _, name, *_ in found if name != "crc")
            if not set(PRIMARY_KEYS[record]) <= set(names):
                raise Damage(self._path, f"the table {TABLES[record]} is missing or damaged")
            self._stored[record] = names
        return self._stored[record]

    def forget_columns(self, record: type) -> None:
        """Look again which columns a table has, as some were added."""
        self._stored.pop(record, None)

    def _select(
        self, record: type, condition: str, values: Sequence[Any], cell_id: str
    ) -> Iterator[tuple[int, tuple[Any, ...], Total]]:
        """Rowid, values (then the CRC) and total of every row found, each checked."""
        names = self.columns(record)
        checked, is_cell = self.is_checked, record is CellRecord
        query = f"SELECT rowid, {', '.join(names)}{', crc' if checked else ''} FROM {TABLES[record]} {condition}"
        header, nothing = _header(names), Total()
        for rowid, *row in self._sqlite.execute(query, values):
            if not checked:
                yield rowid, tuple(row), nothing
                continue
            # The order of the cells is that of a report, so their places are checked too.
            encoded = encode(header, [*row[:-1], rowid] if is_cell else row[:-1])
            if crc(encoded) != row[-1]:
                key = "/".join(str(row[names.index(name)]) for name in PRIMARY_KEYS[record])
                raise Damage(
                    self._path, f"the record {key!r} of the table {TABLES[record]} has a wrong checksum", cell_id
                )
            yield rowid, tuple(row), Total.of(encoded)

    # Formats

    def table_names(self) -> set[str]:
        """The tables that there are."""
        return {name for (name,) in self._sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def check_version(self) -> None:
        """Check that this version of toklab can read the ledger.

        Raises:
            LedgerError: if a newer one wrote it.
            Damage: if it is no whole ledger.
        """
        if self.version > SCHEMA_VERSION or self.version < 0:
            raise LedgerError(
                f"{self._path.parent} was written with ledger format {self.version}, this is {SCHEMA_VERSION}; "
                f"install the version of toklab that wrote it"
            )
        if self.version == 0:
            raise Damage(self._path, "it holds no whole ledger")
        if self.is_checked != ("totals" in self.table_names()):
            raise Damage(self._path, "its format number and its tables contradict each other")

    def write_checksums(self, record: type) -> None:
        """Give every row of a table its checksum, and the table its totals, inside a transaction."""
        table, names = TABLES[record], self.columns(record)
        totals: defaultdict[str, Total] = defaultdict(Total)
        if record not in PER_CELL:
            totals[""] = Total()
        for rowid, *values in self._sqlite.execute(f"SELECT rowid, {', '.join(names)} FROM {table}").fetchall():
            encoded = encode(_header(names), [*values, rowid] if record is CellRecord else values)
            cell_id = str(values[names.index("cell")]) if record in PER_CELL else ""
            totals[cell_id] += Total.of(encoded)
            self._sqlite.execute(f"UPDATE {table} SET crc = ? WHERE rowid = ?", (crc(encoded), rowid))
        for cell_id, total in totals.items():
            self._totals.write(record, cell_id, total)


def _header(names: Sequence[str]) -> bytes:
    return ",".join(names).encode()
