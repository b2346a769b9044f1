"""A full disk is one clear error, and nothing is lost."""

from __future__ import annotations

import errno
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_folders import all_of, measured_row, write_run
from toklab.bench.ledger.errors import is_full
from toklab.bench.ledger.in_flight import write_in_flight
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError
from toklab.bench.ledger.plans import Plan, read_plan, write_plan
from toklab.bench.planning.suite import SUITE_FILE, load_suite, read_suite, write_suite


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_commit_on_a_full_disk(run: Path) -> None:
    with Ledger(run, write=True) as ledger:
        assert ledger._connection is not None
        sqlite = ledger._connection.sqlite
        pages = sqlite.execute("PRAGMA page_count").fetchone()[0]
        sqlite.execute(f"PRAGMA max_page_count = {pages}")
        windows = itertools.count(100)
        with pytest.raises(LedgerError, match=rf"disk of .*{FILE_NAME} is full"):
            _record_until_it_fails(ledger, windows)
        kept = 6 + next(windows) - 101
        assert len(ledger.rows("c2")) == len(ledger.measurements("c2")) == kept
        sqlite.execute(f"PRAGMA max_page_count = {pages + 1000}")
        ledger.record(*measured_row("c2", 5000))
    assert len(all_of(run)["rows"]["c2"]) == kept + 1


def _record_until_it_fails(ledger: Ledger, windows: Iterator[int]) -> None:
    while True:
        ledger.record(*measured_row("c2", next(windows)))


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_compaction_on_a_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    written = all_of(run)
    with Ledger(run, write=True) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(os, operation, full)
            with pytest.raises(LedgerError, match=r"disk of .*c2\.parquet is full"):
                ledger.compact("c2")
        assert not list(run.rglob("*.tmp"))
    assert all_of(run) == written
    with Ledger(run, write=True) as ledger:
        ledger.compact("c2")
    assert all_of(run) == written


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_suite_and_a_plan_are_written_whole_or_not_at_all(
    run: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    write_suite(run, load_suite("demo"))
    plan = Plan({0: frozenset({("a.mp4", 0, "0")})})
    write_plan(run, "c1", plan)
    with monkeypatch.context() as patch:
        patch.setattr(os, operation, full)
        with pytest.raises(LedgerError, match=rf"disk of .*{SUITE_FILE} is full"):
            write_suite(run, load_suite("mcl-jcv"))
        with pytest.raises(LedgerError, match=r"disk of .*plan-c1\.json is full"):
            write_plan(run, "c1", Plan({}))
    assert read_suite(run) == load_suite("demo")
    assert read_plan(run, "c1") == plan
    assert not list(run.glob("*.tmp"))


def test_a_note_of_what_is_worked_on_names_the_full_disk(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(LedgerError, match=r"disk of .*in-flight\.json is full"):
        write_in_flight(run, "c1")


FULL = sqlite3.OperationalError("database or disk is full")
FULL.sqlite_errorcode = sqlite3.SQLITE_FULL


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FULL, True),
        *((OSError(number, "no"), True) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
        (OSError(errno.EIO, "no"), False),
        (sqlite3.OperationalError("locked"), False),
        (ValueError(errno.ENOSPC), False),
    ],
)
def test_which_errors_mean_a_full_disk(error: Exception, expected: bool) -> None:
    assert is_full(error) == expected
