"""Readers need no right to write, leave no file behind, and see whole states beside a writer."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from kills import while_writing
from run_folders import CELL, all_of, measured_row, write_run
from toklab.bench.ledger import connection, tables
from toklab.bench.ledger.connection import Connection
from toklab.bench.ledger.errors import Damage, storage_errors
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError

EARLIER_RUN = Path(__file__).parents[2] / "data" / "run_format_1"
NOBODY = 65534

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and takes rights away as POSIX has them")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users may look into, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="toklab-test-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def in_child(work: Callable[[], object]) -> int:
    """Run something in a forked process; its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)


def succeeds_without_rights(folder: Path, work: Callable[[], object]) -> bool:
    """Whether something can be done by who may only read a folder."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def as_another_user() -> None:
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        with pytest.raises(PermissionError):
            (folder / "new").write_text("")
        work()

    return os.waitstatus_to_exitcode(os.waitpid(in_child(as_another_user), 0)[1]) == 0


def equals(folder: Path, written: object) -> Callable[[], None]:
    def check() -> None:
        assert all_of(folder) == written

    return check


def test_a_closed_run_opens_in_a_folder_that_cannot_be_written(public_folder: Path) -> None:
    run = write_run(public_folder / "run")
    assert not list(run.glob(f"{FILE_NAME}-*"))
    assert succeeds_without_rights(run, equals(run, all_of(run)))


def test_an_earlier_run_opens_in_a_folder_that_cannot_be_written(public_folder: Path) -> None:
    run = Path(shutil.copytree(EARLIER_RUN, public_folder / "run"))
    assert succeeds_without_rights(run, equals(run, all_of(run)))
    assert not list(run.glob(f"{FILE_NAME}-*"))


@pytest.mark.parametrize("shared_memory", [True, False])
def test_a_killed_run_opens_in_a_folder_that_cannot_be_written(public_folder: Path, shared_memory: bool) -> None:
    run = write_run(public_folder / "run")
    killed = while_writing(run, public_folder / "killed", lambda ledger: ledger.record(*measured_row("c1", 50)))
    folder = next(folder for before, folder in reversed(killed) if (folder / f"{FILE_NAME}-wal").is_file())
    if not shared_memory:
        (folder / f"{FILE_NAME}-shm").unlink()
    written = all_of(folder)
    assert len(written["rows"]["c1"]) == 7
    assert succeeds_without_rights(folder, equals(folder, written))


def test_a_writer_without_rights_is_told(public_folder: Path) -> None:
    run = write_run(public_folder / "run")

    def write() -> None:
        with pytest.raises(LedgerError, match="can't be opened"):
            Ledger(run, write=True)

    assert succeeds_without_rights(run, write)


def _is_running(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


@pytest.mark.slow
def test_a_reader_beside_a_writer_sees_whole_states(tmp_path: Path) -> None:
    """Rows and measurements of one commit come together, whether the cell is being compacted or not."""

    def write() -> None:
        with Ledger(tmp_path, write=True) as ledger:
            ledger.record(CELL)
            for window in range(10_000):
                ledger.record(*measured_row("c1", window))
                if window % 5 == 0:
                    ledger.compact("c1")
                if window % 7 == 0:
                    ledger.forget_rows("c1", [("a.mp4", window)])

    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(CELL)
    child = in_child(write)
    try:
        most = num_reads = 0
        # A busy machine may give the writer little time while 100 readings are made.
        while num_reads < 100 or (most <= 5 and _is_running(child)):
            num_reads += 1
            with Ledger(tmp_path) as ledger:
                measurements = ledger.measurements("c1")
                assert all(len(found) == 2 for found in measurements.values())
                rows = ledger.rows("c1")
                assert len(rows) >= len(measurements) - 1
                most = max(most, len(rows))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert most > 5
    with Ledger(tmp_path) as ledger:
        rows, measurements = ledger.rows("c1"), ledger.measurements("c1")
    assert {row.key for row in rows} == set(measurements)


def test_a_reader_stays_valid_while_a_writer_comes_and_goes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    with Ledger(run) as reader:
        assert len(reader.rows("c2")) == 6
        with Ledger(run, write=True) as ledger:
            assert len(reader.rows("c2")) == 6
            ledger.record(*measured_row("c2", 10))
            assert len(reader.rows("c2")) == 7
            ledger.compact("c2")
            assert len(reader.rows("c2")) == 7
        assert len(reader.rows("c2")) == 7
    assert len(all_of(run)["rows"]["c2"]) == 7
    Ledger(run, write=True).close()
    assert not list(run.glob(f"{FILE_NAME}-*"))


class StartingWriter:
    """A connection whose first reads meet the files of a writer that is just starting."""

    def __init__(self, sqlite: sqlite3.Connection, code: int, num_failures: int):
        self._sqlite = sqlite
        self._code = code
        self.num_left = num_failures

    def execute(self, statement: str) -> sqlite3.Cursor:
        if statement.startswith(("SELECT", "PRAGMA")) and self.num_left:
            self.num_left -= 1
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = self._code
            raise error
        return self._sqlite.execute(statement)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sqlite, name)


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(("code", "waits"), [(sqlite3.SQLITE_CANTOPEN, True), (sqlite3.SQLITE_CORRUPT, False)])
def test_a_reader_waits_for_the_files_of_a_writer_that_is_just_starting(
    tmp_path: Path, code: int, waits: bool, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is about to open the file, or has done so before the writer came."""
    monkeypatch.setattr(tables, "PAUSE_S", 0.0)
    sqlite = sqlite3.connect(tmp_path / "some.sqlite", isolation_level=None)
    starting = StartingWriter(sqlite, code, 0)

    def opened() -> tables.Tables:
        return tables.Tables(cast(Connection, SimpleNamespace(sqlite=starting)), tmp_path / "some.sqlite")

    reader = opened() if is_open else None
    starting.num_left = 2
    with nullcontext() if waits else pytest.raises(sqlite3.OperationalError), (reader or opened()).reading():
        assert sqlite.in_transaction
    assert starting.num_left == (0 if waits else 1)
    assert not sqlite.in_transaction
    sqlite.close()


def test_a_reader_gives_up_after_half_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    sqlite = sqlite3.connect(tmp_path / "some.sqlite", isolation_level=None)
    starting = StartingWriter(sqlite, sqlite3.SQLITE_CANTOPEN, 1000)
    with pytest.raises(sqlite3.OperationalError):
        tables.Tables(cast(Connection, SimpleNamespace(sqlite=starting)), tmp_path / "some.sqlite")
    assert pauses == [0.1] * 299
    sqlite.close()


def test_a_file_that_is_written_all_the_time_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"some")
    (tmp_path / "copy").mkdir()
    states = iter(range(1000))
    monkeypatch.setattr(connection, "_state", lambda path: next(states))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(LedgerError, match="written all the time"):
        connection._copy(tmp_path / FILE_NAME, tmp_path / "copy")
    assert next(states) == 20


def _sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_sqlite_error(sqlite3.SQLITE_CANTOPEN), "can't be opened"),
        (_sqlite_error(sqlite3.SQLITE_READONLY_DIRECTORY), "can't be written"),
        (_sqlite_error(sqlite3.SQLITE_BUSY), "is locked by another process"),
        (_sqlite_error(sqlite3.SQLITE_LOCKED), "is locked by another process"),
        (OSError(errno.EROFS, "Read-only file system"), "can't be opened .*Read-only"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "can't be opened"),
        (PermissionError(errno.EACCES, "Permission denied"), "can't be opened"),
    ],
)
def test_what_stands_in_the_way_to_a_file_is_no_damage(tmp_path: Path, error: Exception, words: str) -> None:
    with pytest.raises(LedgerError, match=rf"some\.sqlite {words}"), storage_errors(tmp_path / "some.sqlite"):
        raise error


@pytest.mark.parametrize(
    "error", [_sqlite_error(sqlite3.SQLITE_CORRUPT), OSError(errno.EIO, "I/O error"), UnicodeError("no text")]
)
def test_what_a_file_itself_does_is_damage(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "some.sqlite"
    with pytest.raises(Damage, match=r"some\.sqlite: .*Error: ") as raised, storage_errors(path, "c1"):
        raise error
    assert raised.value.cell_id == "c1"


def test_our_own_mistakes_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.ProgrammingError), storage_errors(tmp_path):
        raise sqlite3.ProgrammingError("wrong number of bindings")


def test_a_file_in_the_place_of_a_run_folder_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    for folder in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises(LedgerError, match="can't be opened"):
            Ledger(folder, write=True)
