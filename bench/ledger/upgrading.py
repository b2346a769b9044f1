"""Bringing ledgers of earlier formats to this one."""

from __future__ import annotations

import sqlite3

from .records import PRIMARY_KEYS, TABLES, column_types, default_column
from .tables import SCHEMA_VERSION, Tables
from .totals import CREATE_TOTALS, PER_CELL


def needs_upgrade(tables: Tables) -> bool:
    """Whether the ledger is new, of an earlier format, or lacks columns of the records.

    Raises:
        LedgerError: if a newer version of toklab wrote it.
        Damage: if its format number is wrong.
    """
    names = tables.table_names()
    if tables.version != 0 or "totals" in names:
        tables.check_version()
    if tables.version < SCHEMA_VERSION:
        return True
    return any(set(column_types(record)) - set(tables.columns(record)) for record in TABLES)


def upgrade(tables: Tables, sqlite: sqlite3.Connection) -> None:
    """Bring every table to this format, inside a transaction: nothing is lost, everything gets its checksums."""
    if tables.version == SCHEMA_VERSION:  # columns are missing: what is there must be sound before it is written anew
        for record in TABLES:
            for cell_id in tables.cell_ids() if record in PER_CELL else [""]:
                tables.all(record, cell_id)
    elif "totals" not in tables.table_names():
        sqlite.execute(CREATE_TOTALS)
    for record, table in TABLES.items():
        columns = ", ".join(f"{name} {kind}" for name, kind in column_types(record).items())
        key = ", ".join(PRIMARY_KEYS[record])
        sqlite.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns}, crc INTEGER, PRIMARY KEY ({key}))")
        _add_columns(tables, sqlite, record)
        tables.write_checksums(record)
    sqlite.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    tables.version = SCHEMA_VERSION


def _add_columns(tables: Tables, sqlite: sqlite3.Connection, record: type) -> None:
    present = {name for _, name, *_ in sqlite.execute(f"PRAGMA table_info({TABLES[record]})")}
    for name, kind in {**column_types(record), "crc": "INTEGER"}.items():
        if name not in present:
            sqlite.execute(f"ALTER TABLE {TABLES[record]} ADD COLUMN {name} {kind}")
            if name != "crc":
                sqlite.execute(f"UPDATE {TABLES[record]} SET {name} = ?", (default_column(record, name),))
    tables.forget_columns(record)
