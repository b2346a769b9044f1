"""The note of what a run is working on."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_folders import measured_row
from toklab.bench.ledger.errors import LedgerError
from toklab.bench.ledger.in_flight import FILE, InFlight, forget_in_flight, read_in_flight, write_in_flight
from toklab.bench.ledger.records import Row


def test_what_is_noted_is_read_until_it_is_forgotten(tmp_path: Path) -> None:
    rows = [record for window in (0, 1) for record in measured_row("c1", window) if isinstance(record, Row)]
    assert read_in_flight(tmp_path) is None
    write_in_flight(tmp_path, "c1", rows)
    assert read_in_flight(tmp_path) == InFlight("c1", tuple(rows))
    assert InFlight("c1", tuple(rows)).places == "window 0 of a.mp4, window 1 of a.mp4"
    write_in_flight(tmp_path, "c2")
    assert read_in_flight(tmp_path) == InFlight("c2")
    forget_in_flight(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"cell_id": "c1", "rows": [{}]}')
    with pytest.raises(LedgerError, match="delete it"):
        read_in_flight(tmp_path)
