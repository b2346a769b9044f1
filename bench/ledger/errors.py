"""What goes wrong with a run folder."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

FILE_NAME = "ledger.sqlite"
"""The SQLite file in a run folder."""


class LedgerError(ValueError):
    """A run folder that can't be opened, is in use, is damaged, or contradicts another."""


class Damage(Exception):
    """Damage where it was found; the ledger makes a :class:`LedgerError` of it that says what to do."""

    def __init__(self, path: Path, what: str, cell_id: str = ""):
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what
        self.cell_id = cell_id


class DamagedLedger(LedgerError):
    """Damage in a run folder: where, of which cell, and what to do."""

    def __init__(self, damage: Damage, folder: Path, label: str, command: str):
        self.path = damage.path
        self.cell_id = damage.cell_id
        self.label = label
        self.what = damage.what
        if damage.path.name != FILE_NAME:
            self.fix = f"delete it, then `{command}` computes the cell again"
        elif damage.cell_id:
            self.fix = f"`toklab verify {folder} --forget-damaged` drops it, then `{command}` computes it again"
        else:
            self.fix = f"move {folder} away, then `{command}` computes everything again"
        cell = f", cell {label}" if label else ""
        super().__init__(f"{damage.path} is damaged{cell}: {damage.what}; {self.fix}")


STORAGE_ERRORS = (
    *(sqlite3.Error, pa.ArrowException, OSError, MemoryError, OverflowError),
    *(UnicodeError, SystemError),  # SQLite's messages quote a damaged file, which Python can't always decode
)
CLOSED_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
"""What stands in the way to a file, whose content may be sound."""
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Whether an error means that the disk, or what one may use of it, is full."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in FULL_ERRORS


def _full_disk(path: Path) -> LedgerError:
    return LedgerError(
        f"the disk of {path} is full; everything committed before is kept. Free some space, then give the same "
        f"command again to go on"
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make :class:`LedgerError` of what is raised inside if it means that the disk of ``path`` is full."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise _full_disk(path) from error
        raise


@contextmanager
def storage_errors(path: Path, cell_id: str = "") -> Iterator[None]:
    """Make :class:`LedgerError` or :class:`Damage` of whatever SQLite, pyarrow and the disk raise inside.

    Args:
        path: the file that is read or written.
        cell_id: the cell that is read.

    Raises:
        LedgerError: if the disk is full, or another process keeps the file locked.
        Damage: if the file can't be understood.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # a mistake of ours, not the file's
    except STORAGE_ERRORS as error:
        if is_full(error):
            raise _full_disk(path) from error
        if isinstance(error, sqlite3.Error) and primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LedgerError(f"{path} is locked by another process ({error}); try again when it is done") from error
        if isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_CANTOPEN:
            raise LedgerError(f"{path} can't be opened ({error}); try again when no other process uses it") from error
        if isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_READONLY:
            raise LedgerError(f"{path} can't be written ({error}); ask for the right to write it") from error
        if isinstance(error, OSError) and error.errno in CLOSED_ERRORS:
            raise LedgerError(f"{path} can't be opened ({error})") from error
        raise Damage(path, f"{type(error).__name__}: {error}", cell_id) from error


def primary_code(error: BaseException) -> int:
    """SQLite's own code of an error, without its details; 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
