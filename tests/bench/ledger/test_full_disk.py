"""A full disk is one clear error, and nothing is lost."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_folders import all_of, measured_row, write_run
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError
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
def test_a_suite_is_written_whole_or_not_at_all(run: Path, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    write_suite(run, load_suite("demo"))
    with monkeypatch.context() as patch:
        patch.setattr(os, operation, full)
        with pytest.raises(LedgerError, match=rf"disk of .*{SUITE_FILE} is full"):
            write_suite(run, load_suite("mcl-jcv"))
    assert read_suite(run) == load_suite("demo")
    assert not list(run.glob("*.tmp"))
