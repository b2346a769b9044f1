"""Totals say what is missing from a ledger, and that it was changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from toklab.bench.ledger.checksums import Total
from toklab.bench.ledger.errors import Damage
from toklab.bench.ledger.records import CellRecord, Row
from toklab.bench.ledger.totals import CREATE_TOTALS, Totals

PATH = Path("ledger.sqlite")


@pytest.fixture
def connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute(CREATE_TOTALS)
    return connection


@pytest.fixture
def totals(connection: sqlite3.Connection) -> Totals:
    found = Totals(connection, PATH)
    found.write(Row, "c1", Total(3, 7))
    found.write(CellRecord, "", Total(2, 5))
    return found


@pytest.mark.parametrize(
    ("record", "cell_id", "found", "message"),
    [
        (Row, "c1", Total(2, 7), "the table rows holds 2 records where 3 were written"),
        (Row, "c1", Total(3, 8), "the table rows holds other records than those that were written"),
        (Row, "c2", Total(1, 7), "the table rows holds 1 records where 0 were written"),
        (CellRecord, "", Total(1, 5), "the table cells holds 1 records where 2 were written"),
    ],
)
def test_a_difference_is_told_by_its_kind(
    totals: Totals, record: type, cell_id: str, found: Total, message: str
) -> None:
    with pytest.raises(Damage, match=message):
        totals.compare(record, cell_id, found)


def test_equal_totals_and_cells_without_records_are_fine(totals: Totals) -> None:
    totals.compare(Row, "c1", Total(3, 7))
    totals.compare(Row, "c2", Total())
    totals.compare(CellRecord, "", Total(2, 5))


def test_a_table_without_its_total_is_damaged(connection: sqlite3.Connection) -> None:
    with pytest.raises(Damage, match="the total of the table cells is missing"):
        Totals(connection, PATH).compare(CellRecord, "", Total())


def test_a_changed_total_is_told_by_its_checksum(connection: sqlite3.Connection, totals: Totals) -> None:
    connection.execute("UPDATE totals SET count = 2 WHERE scope = 'rows c1'")
    with pytest.raises(Damage, match="the total 'rows c1' has a wrong checksum"):
        totals.compare(Row, "c1", Total(2, 7))


def test_changes_are_added_up_until_they_are_written_or_forgotten(totals: Totals) -> None:
    totals.add(Row, "c1", Total(2, 4))
    totals.subtract(Row, "c1", Total(1, 1))
    totals.write_changes()
    totals.compare(Row, "c1", Total(4, 10))
    totals.add(Row, "c1", Total(1, 1))
    totals.forget_changes()
    totals.write_changes()
    totals.compare(Row, "c1", Total(4, 10))
    totals.delete(Row, "c1")
    totals.compare(Row, "c1", Total())
