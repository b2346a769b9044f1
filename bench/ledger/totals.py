"""The totals of a ledger: how many records belong together, and a digest of them, so that a vanished one is seen."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

from .checksums import Total, crc, encode
from .errors import Damage
from .records import TABLES, Measurement, Row

PER_CELL: tuple[type, ...] = (Row, Measurement)
"""Records with a total for each cell; the others have one for the whole table."""

CREATE_TOTALS = "CREATE TABLE totals (scope TEXT PRIMARY KEY, count INTEGER, digest TEXT, crc INTEGER)"
HEADER = b"totals"


class Totals:
    """Reads and writes totals, and adds up what a transaction changes of them."""

    def __init__(self, sqlite: sqlite3.Connection, path: Path):
        self._sqlite = sqlite
        self._path = path
        self._changes: defaultdict[str, Total] = defaultdict(Total)

    def add(self, record: type, cell_id: str, total: Total) -> None:
        """Note that records come to a table or a cell; written by :meth:`write_changes`."""
        self._changes[_scope(record, cell_id)] += total

    def subtract(self, record: type, cell_id: str, total: Total) -> None:
        """Note that records leave a table or a cell."""
        self._changes[_scope(record, cell_id)] -= total

    def forget_changes(self) -> None:
        """Begin a transaction."""
        self._changes.clear()

    def write_changes(self) -> None:
        """Write what was noted, before a transaction is committed."""
        for scope, change in self._changes.items():
            self._write(scope, (self._read(scope) or Total()) + change)
        self._changes.clear()

    def write(self, record: type, cell_id: str, total: Total) -> None:
        """Write the total of a table or a cell."""
        self._write(_scope(record, cell_id), total)

    def delete(self, record: type, cell_id: str) -> None:
        """Delete the total of a cell, and forget what was noted of it."""
        scope = _scope(record, cell_id)
        self._sqlite.execute("DELETE FROM totals WHERE scope = ?", (scope,))
        self._changes.pop(scope, None)

    def compare(self, record: type, cell_id: str, found: Total) -> None:
        """Compare what was found in a table or of a cell with what was written.

        Raises:
            Damage: if they differ, or the total itself is missing or damaged.
        """
        kept = self._read(_scope(record, cell_id))
        if kept is None and record not in PER_CELL:
            raise Damage(self._path, f"the total of the table {TABLES[record]} is missing")
        written = kept or Total()
        if found != written:
            what = f"the table {TABLES[record]} holds {found.count} records where {written.count} were written"
            if found.count == written.count:
                what = f"the table {TABLES[record]} holds other records than those that were written"
            raise Damage(self._path, what, cell_id)

    def _read(self, scope: str) -> Total | None:
        found = self._sqlite.execute(
            "SELECT scope, count, digest, crc FROM totals WHERE scope = ?", (scope,)
        ).fetchall()
        if not found:
            return None
        *values, kept = found[0]
        if len(found) > 1 or crc(encode(HEADER, values)) != kept:
            raise Damage(self._path, f"the total {scope!r} has a wrong checksum", scope.partition(" ")[2])
        return Total(values[1], int(values[2], 16))

    def _write(self, scope: str, total: Total) -> None:
        values = (scope, total.count, f"{total.digest:032x}")
        self._sqlite.execute(
            "INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?)", (*values, crc(encode(HEADER, values)))
        )


def _scope(record: type, cell_id: str) -> str:
    return f"{TABLES[record]} {cell_id}" if record in PER_CELL else TABLES[record]
