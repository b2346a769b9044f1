"""Whatever happens to the files of a run, its figures are those that were written, or reading them is an error."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_folders import CELL, RUN, all_of, measured_row, other_cell, write_run
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError
from toklab.bench.ledger.records import CellRecord
from toklab.bench.ledger.verification import forget_damaged, verify_run

NUM_FLIPS = 400


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one compacted cell, one that is under way, and one that failed."""
    return write_run(tmp_path / "run")


def flips(path: Path, count: int) -> Iterator[int]:
    """A seeded sample of a file's bits, spread over all of it; each is flipped, and flipped back."""
    content = path.read_bytes()
    for bit in np.random.default_rng(len(content)).choice(8 * len(content), count, replace=False):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        yield int(bit)
    path.write_bytes(content)


@pytest.mark.slow
def test_no_flipped_bit_changes_a_figure_silently(run: Path) -> None:
    written = all_of(run)
    seen = 0
    files = [run / FILE_NAME, *sorted((run / "cells").glob("*.parquet"))]
    for path in files:
        for bit in flips(path, NUM_FLIPS // len(files)):
            try:
                found = all_of(run)
            except LedgerError:
                seen += 1
            else:
                assert found == written, f"bit {bit} of {path.name}"
    assert seen > NUM_FLIPS // 4
    assert all_of(run) == written


@pytest.mark.slow
def test_a_flipped_bit_never_ends_a_writer_in_another_error(run: Path) -> None:
    copy = run.with_name("copy")
    for _ in flips(run / FILE_NAME, 60):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        try:
            with Ledger(copy, write=True) as ledger:
                ledger.record(*measured_row("c2", 7))
                ledger.compact("c2")
                ledger.update_cell("c2", status="finished")
        except LedgerError:
            pass


@pytest.mark.parametrize(
    "table", ["runs", "cells", "rows", "measurements", "reference_measurements", "cell_files", "totals"]
)
@pytest.mark.parametrize("which", ["", "WHERE rowid = (SELECT MAX(rowid) FROM {table})"])
def test_vanished_records_are_seen(run: Path, table: str, which: str) -> None:
    _execute(run, f"DELETE FROM {table} {which.format(table=table)}")
    with pytest.raises(LedgerError, match=r"ledger\.sqlite is damaged"):
        all_of(run)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows SET window = window + 100",
        "UPDATE rows SET status = 'failed', crc = crc",
        "UPDATE measurements SET arrays = (SELECT arrays FROM measurements ORDER BY rowid DESC LIMIT 1)",
        "UPDATE cells SET rowid = rowid + 10",
        "UPDATE totals SET count = count + 1",
        "UPDATE cell_files SET digest = ''",
        "UPDATE reference_measurements SET arrays = x'00'",
        "UPDATE runs SET provenance = '{}'",
        "PRAGMA user_version = 1",
    ],
)
def test_changed_records_are_seen(run: Path, change: str) -> None:
    _execute(run, change)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite is damaged"):
        all_of(run)


def test_damage_is_not_signed_anew_where_a_ledger_gains_a_column(run: Path) -> None:
    """A table without a column is written again with new checksums, but only if its records have the right ones."""
    with Ledger(run, write=True) as ledger, ledger._tables.transaction():
        assert ledger._connection is not None
        ledger._connection.sqlite.execute("ALTER TABLE cells DROP COLUMN unavailable")
        ledger._tables.forget_columns(CellRecord)
        ledger._tables.write_checksums(CellRecord)
    _execute(run, "UPDATE rows SET fps = 1")
    with pytest.raises(LedgerError, match=r"ledger\.sqlite is damaged"), Ledger(run, write=True):
        pass
    with pytest.raises(LedgerError, match=r"ledger\.sqlite is damaged"):
        all_of(run)


def test_damage_names_file_cell_and_command(run: Path) -> None:
    _execute(run, "UPDATE rows SET fps = 1")
    with Ledger(run) as ledger, pytest.raises(LedgerError) as caught:
        ledger.rows("c2")
    for part in (
        FILE_NAME,
        other_cell("c2").label,
        f"toklab verify {run} --forget-damaged",
        "toklab run -t t -t other",
    ):
        assert part in str(caught.value)


def test_the_command_is_the_last_one_that_ran_the_cell(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    commands = ["toklab run -t other", "toklab run -t 'other one'", "toklab run -t t", "toklab report t other"]
    with Ledger(folder, write=True) as ledger:
        ledger.record(other_cell("c2"), *measured_row("c2", 0), replace(CELL, cell_id="c4", label="third"))
        for number, command in enumerate(commands):
            ledger.record(replace(RUN, run_id=str(number), provenance={"command": shlex.split(command)}))
        ledger.record(replace(RUN, run_id="9", provenance={}))
    _execute(folder, "UPDATE rows SET fps = 1")
    (damaged,) = [finding for finding in verify_run(folder) if not finding.is_sound]
    dropped = f"`toklab verify {folder} --forget-damaged` drops it"
    assert damaged.fix == f"{dropped}, then `toklab run -t other` computes it again"
    assert damaged.subject == f"{folder / FILE_NAME}: cell other (id=c2) (c2, open)"
    assert "wrong checksum" in damaged.text
    _execute(folder, "UPDATE cells SET label = 'x'")
    (damaged, *_) = [finding for finding in verify_run(folder) if not finding.is_sound]
    assert damaged.fix == f"move {folder} away, then `toklab run -t t` computes everything again"
    _execute(folder, "DELETE FROM runs")
    (damaged, *_) = [finding for finding in verify_run(folder) if not finding.is_sound]
    assert f"`toklab run … --out {folder}` computes everything again" in damaged.fix


def test_a_file_that_a_killed_run_left_is_named_and_not_read(run: Path) -> None:
    (run / "cells" / "c9.parquet").write_bytes(b"half")
    findings = {finding.subject: finding for finding in verify_run(run)}
    assert "may be deleted" in findings[str(run / "cells" / "c9.parquet")].text
    assert all(finding.is_sound for finding in findings.values())
    assert findings[f"{run / FILE_NAME}: Parquet files"].text == "1 registered"
    assert findings[f"{run / FILE_NAME}: references"].text == "6 measurements"
    assert findings[f"cell {CELL.label} (c1, finished)"].text == "6 windows, 12 measurements"


def test_a_suite_that_cannot_be_read_is_named(run: Path) -> None:
    (run / "suite.json").write_text("{")
    (damaged,) = [finding for finding in verify_run(run) if not finding.is_sound]
    assert (damaged.path, damaged.fix) == (run / "suite.json", "delete it; the next `toklab run` writes it")
    (run / "suite.json").write_text("{}")
    assert "has no checksum" in verify_run(run)[-1].text


def test_a_damaged_cell_file_is_dropped_and_computed_again(run: Path) -> None:
    path = run / "cells" / "c1.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with (
        Ledger(run) as ledger,
        pytest.raises(LedgerError, match=rf"c1\.parquet is damaged, cell {CELL.label[0]}.*delete it"),
    ):
        ledger.rows("c1")
    path.unlink()
    with Ledger(run) as ledger, pytest.raises(LedgerError, match="missing"):
        ledger.measurements("c1")
    with pytest.warns(UserWarning, match="computed again"):
        ledger = Ledger(run, write=True)
    with ledger:
        assert ledger.rows("c1") == []
        cell = ledger.cell("c1")
        assert cell is not None
        assert cell.status == "open"
        assert len(ledger.rows("c2")) > 0
    assert all(finding.is_sound for finding in verify_run(run))


def test_verify_says_what_is_damaged_and_drops_it(run: Path) -> None:
    before = all_of(run)
    assert all(finding.is_sound for finding in verify_run(run))
    assert all_of(run) == before
    _execute(run, "DELETE FROM measurements WHERE rowid = (SELECT MIN(rowid) FROM measurements)")
    findings = verify_run(run)
    (damaged,) = [finding for finding in findings if not finding.is_sound]
    assert damaged.cell_id == "c2"
    assert forget_damaged(run, findings)
    assert all(finding.is_sound for finding in verify_run(run))
    with Ledger(run) as ledger:
        assert ledger.rows("c2") == []
        assert ledger.rows("c1") == before["rows"]["c1"]


def test_a_whole_ledger_that_is_damaged_is_one_finding(run: Path) -> None:
    (run / FILE_NAME).write_bytes(b"no database" * 1000)
    (finding,) = verify_run(run)
    assert not finding.is_sound
    assert "move" in finding.fix


def test_a_newer_format_is_refused(run: Path) -> None:
    _execute(run, "PRAGMA user_version = 3")
    for write in (False, True):
        with pytest.raises(LedgerError, match="format 3"):
            Ledger(run, write=write)


def _execute(run: Path, statement: str, *values: Any) -> None:
    """Change a ledger behind its back."""
    connection = sqlite3.connect(run / FILE_NAME)
    with connection:
        connection.execute(statement, values)
    connection.close()
