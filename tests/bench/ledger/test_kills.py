"""A kill between any two statements or operations on files loses nothing and doubles nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kills import snapshots, while_writing
from run_folders import all_of, measured_row, other_cell, read_all, write_run
from toklab.bench.ledger.errors import DamagedLedger
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.ledger.records import CellRecord
from toklab.bench.ledger.verification import verify_run

EARLIER_RUN = Path(__file__).parents[2] / "data" / "run_format_1"


def compact_first(ledger: Ledger) -> None:
    ledger.compact("c2")


def compact_again(ledger: Ledger) -> None:
    ledger.record(*measured_row("c1", 1, 0.25), *measured_row("c1", 9))
    ledger.compact("c1")


def forget_rows(ledger: Ledger) -> None:
    ledger.forget_rows("c1", [("a.mp4", 1), ("a.mp4", 4)])


def forget_rows_and_compact(ledger: Ledger) -> None:
    forget_rows(ledger)
    ledger.record(*measured_row("c1", 1, 0.25))
    ledger.compact("c1")


def forget_cell(ledger: Ledger) -> None:
    ledger.forget_cell("c1")


def add_cell(ledger: Ledger) -> None:
    ledger.record(other_cell("c4"))
    ledger.record(*measured_row("c4", 0))
    ledger.update_cell("c4", status="finished")


def drop_pending(ledger: Ledger) -> None:
    ledger.forget_pending("c2")


WORK = [compact_first, compact_again, forget_rows, forget_rows_and_compact, forget_cell, add_cell, drop_pending]


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_a_kill_at_any_moment_leaves_a_state_that_was_committed(tmp_path: Path, work: Callable[[Ledger], Any]) -> None:
    """Readers and the next writer see what some prefix of the work's commits left, and the work can be done then."""
    run = write_run(tmp_path / "run")
    committed = [all_of(run)]
    plain = Ledger(shutil.copytree(run, tmp_path / "plain"), write=True)
    with plain, pytest.MonkeyPatch.context() as patch:
        for name in ("record", "compact", "forget_rows", "forget_cell", "forget_pending"):
            patch.setattr(plain, name, _remembering(plain, getattr(plain, name), committed))
        work(plain)
    killed = while_writing(run, tmp_path / "killed", work)
    assert len(killed) > 4
    for step, (before, folder) in enumerate(killed):
        if step % 2:
            # As of a folder that was copied without what only processes share.
            (folder / f"{FILE_NAME}-shm").unlink(missing_ok=True)
        listing = _listing(folder)
        found = all_of(folder)
        assert found in committed, before
        assert _listing(folder) == listing, f"a reader left files, before {before}"
        with Ledger(folder, write=True) as ledger:
            assert read_all(ledger) == found, before
        assert all_of(folder) == found
        assert not list(folder.rglob("*.tmp"))
        assert not list(folder.glob(f"{FILE_NAME}-*"))
        assert all(finding.is_sound for finding in verify_run(folder))
        with Ledger(folder, write=True) as ledger:
            work(ledger) if found == committed[0] else ledger.compact("c2")
            assert read_all(ledger) == (committed[-1] if found == committed[0] else found), before


@pytest.mark.slow
def test_a_merge_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Whenever it is killed, the runs stay, and the next merge is the whole one and leaves nothing of the first."""
    work = tmp_path / "work"
    runs = [write_run(work / "one"), write_run(work / "two")]
    with Ledger(runs[1], write=True) as ledger:
        ledger.record(*measured_row("c1", 8), *measured_row("c2", 9))
        ledger.update_cell("c2", status="finished")
    merge_runs(runs, tmp_path / "whole")
    before, whole = [all_of(run) for run in runs], all_of(tmp_path / "whole")
    with snapshots(work, tmp_path / "killed") as killed:
        merge_runs(runs, work / "merged")
    assert sum(any(folder.glob(".merged.*")) for _, folder in killed.taken) > 20
    for step, folder in killed.taken:
        copies = [folder / run.name for run in runs]
        assert [all_of(copy) for copy in copies] == before, step
        if (folder / "merged").exists():
            assert all_of(folder / "merged") == whole, step
        else:
            merge_runs(copies, folder / "merged")
            assert all_of(folder / "merged") == whole, step
            assert sorted(path.name for path in folder.iterdir()) == ["merged", "one", "two"], step


@pytest.mark.skipif(os.name != "posix", reason="only there can one ask whether a process runs")
def test_what_dead_processes_left_of_a_merge_is_removed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [tmp_path / f".merged.{process}.unfinished" for process in (dead.pid, os.getpid(), os.getppid())]
    other = tmp_path / f".merged2.{dead.pid}.unfinished"
    for folder in (*left, other):
        write_run(folder)
    merge_runs([run], tmp_path / "merged")
    # The last one of the first three belongs to a process that is running.
    assert [folder.exists() for folder in (*left, other)] == [False, False, True, True]
    assert all_of(tmp_path / "merged") == all_of(run)


def test_a_merge_on_another_machine_goes_on(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    under_way = tmp_path / ".merged.999999999.unfinished"
    with Ledger(under_way, write=True):
        merge_runs([run], tmp_path / "merged")
        assert under_way.exists()


def test_an_upgrade_loses_nothing_whenever_it_is_killed(tmp_path: Path) -> None:
    run = Path(shutil.copytree(EARLIER_RUN, tmp_path / "run"))
    written = all_of(run)
    assert len(written["cells"]) == 6
    steps = while_writing(run, tmp_path / "killed", lambda ledger: None)
    for before, folder in steps:
        assert all_of(folder) == written, before
        with Ledger(folder, write=True) as ledger:
            assert ledger.is_checked
            assert read_all(ledger) == written, before
        assert all_of(folder) == written


def test_a_damaged_file_of_format_1_stops_the_upgrade(tmp_path: Path) -> None:
    run = Path(shutil.copytree(EARLIER_RUN, tmp_path / "run"))
    written = all_of(run)
    path = sorted((run / "cells").iterdir())[0]
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(LedgerError, match=rf"{path.name} is damaged"):
        Ledger(run, write=True)
    path.write_bytes(content)
    with Ledger(run) as ledger:
        assert not ledger.is_checked
    assert all_of(run) == written


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    left = [run / "suite.json.123.tmp", run / "cells" / "c1.123.tmp", run / "cells" / "c1.parquet.9.tmp"]
    for path in left:
        path.write_bytes(b"half")
    all_of(run)
    assert all(path.exists() for path in left)
    Ledger(run, write=True).close()
    assert not any(path.exists() for path in left)


def _remembering(ledger: Ledger, method: Callable[..., Any], committed: list[dict[str, Any]]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        found = method(*arguments)
        state = read_all(ledger)
        committed.append(state)
        return found

    return call


def _listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_column_that_came_later_takes_its_default(tmp_path: Path) -> None:
    """As of a ledger that a version without the field wrote: readers and writers go on, and all is checked again."""
    run = write_run(tmp_path / "run")
    written = all_of(run)
    with Ledger(run, write=True) as ledger, ledger._tables.transaction():
        assert ledger._connection is not None
        ledger._connection.sqlite.execute("ALTER TABLE cells DROP COLUMN unavailable")
        ledger._tables.forget_columns(CellRecord)
        ledger._tables.write_checksums(CellRecord)
    assert all_of(run) == written
    with Ledger(run, write=True) as ledger:
        assert read_all(ledger) == written
    assert all_of(run) == written


def test_a_row_of_format_1_that_cannot_be_understood_is_damage(tmp_path: Path) -> None:
    """Format 1 has no checksums, so that nothing else shows it."""
    run = Path(shutil.copytree(EARLIER_RUN, tmp_path / "run"))
    path = sorted((run / "cells").iterdir())[0]
    table = pq.read_table(path)
    timing = pa.array(["{no JSON"] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index("timing"), "timing", timing), path)
    with Ledger(run) as ledger, pytest.raises(DamagedLedger, match="a row can't be understood") as caught:
        ledger.columns(path.stem)
    assert str(path) in str(caught.value)
