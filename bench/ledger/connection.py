"""Connections to a ledger's SQLite file: one for its writer, and one for readers, who never create a file beside it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .errors import LedgerError, primary_code

WRITER_WAIT_S = 60.0
"""Seconds that a writer waits for readers, who read for a few at most."""
SIDE_FILES = ("-wal", "-journal")
"""What SQLite keeps beside its file while it writes, and after a kill until the next writer opens it."""
COPIES = 10
"""How often a copy is tried, as the file may be written meanwhile."""
WAL_VERSION = 2
VERSION_OFFSET = 18
"""Where the file's header says whether it is in WAL mode."""
UNREADABLE_IN_PLACE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def side_file(path: Path, suffix: str) -> Path:
    """What SQLite keeps beside a file under a suffix."""
    return path.with_name(path.name + suffix)


class Connection:
    """A connection to ``path``, and the temporary copy that it reads, where it can't read in place.

    Raises:
        sqlite3.Error: if the file can't be opened.
        LedgerError: if it is written all the time, so that no copy can be made.
    """

    def __init__(self, path: Path, *, write: bool):
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._write = write
        self._synchronous = "FULL"
        self.sqlite = _connect(path, "rw" if path.exists() else "rwc", WRITER_WAIT_S) if write else self._reader(path)
        if write:
            try:
                mode = self.sqlite.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                # A file system without shared memory keeps the rollback journal, which is safe with FULL alone.
                self._synchronous = "NORMAL" if mode == "wal" else "FULL"
                self.set_durable(False)
            except BaseException:
                self.sqlite.close()
                raise

    def set_durable(self, durable: bool) -> None:
        """Whether a commit waits for the disk: needed before a file is deleted whose rows were committed."""
        self.sqlite.execute(f"PRAGMA synchronous={'FULL' if durable else self._synchronous}")

    def close(self) -> None:
        """Close; a writer leaves WAL mode, so that the file can be read in a folder that can't be written."""
        if self._write:
            # With a reader beside us, or a full disk, it stays in WAL mode: nothing is lost.
            with suppress(sqlite3.Error):
                self.sqlite.execute("PRAGMA busy_timeout=500")
                self.sqlite.execute("PRAGMA journal_mode=DELETE")
        self.sqlite.close()
        if self._copy is not None:
            self._copy.cleanup()

    def _reader(self, path: Path) -> sqlite3.Connection:
        """Read in place if SQLite can do so without creating a file, else read a copy."""
        # A file in WAL mode without its -wal would make SQLite create one.
        if side_file(path, "-wal").exists() or not _is_in_wal_mode(path):
            connection = _connect(path, "ro")
            try:
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
                return connection
            except BaseException as error:
                connection.close()
                if primary_code(error) not in UNREADABLE_IN_PLACE:
                    raise
        self._copy = tempfile.TemporaryDirectory(prefix="toklab-ledger-")
        try:
            return _connect(_copy(path, Path(self._copy.name)), "rw")
        except BaseException:
            self._copy.cleanup()
            raise


def _connect(path: Path, mode: str, timeout: float = 10.0) -> sqlite3.Connection:
    # readonly_shm: a reader beside a writer maps its shared memory, and never makes any.
    reading = "&readonly_shm=1" if mode == "ro" else ""
    uri = f"{path.absolute().as_uri()}?mode={mode}{reading}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _is_in_wal_mode(path: Path) -> bool:
    # Closing a file drops the locks that this process has on it, so nothing is opened beside a writer's -wal.
    with path.open("rb") as file:
        header = file.read(VERSION_OFFSET + 2)
    return WAL_VERSION in header[VERSION_OFFSET:]


def _copy(path: Path, folder: Path) -> Path:
    """Copy a database as it stands, with its journal if it has one; nobody wrote in the time between."""
    for _ in range(COPIES):
        before = _state(path)
        copied = folder / path.name
        for suffix in ("", *SIDE_FILES):
            side_file(copied, suffix).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(side_file(path, suffix), side_file(copied, suffix))
        if _state(path) == before:
            return copied
        time.sleep(0.05)
    raise LedgerError(f"{path} is written all the time; read it when the run is done")


def _state(path: Path) -> list[tuple[int, int, int] | None]:
    found: list[tuple[int, int, int] | None] = []
    for suffix in ("", *SIDE_FILES):
        try:
            stat = side_file(path, suffix).stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        except FileNotFoundError:
            found.append(None)
    return found
