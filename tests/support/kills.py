"""Every state in which a kill can leave a run folder while a ledger works on it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from toklab.bench.ledger.ledger import Ledger


class Snapshots:
    """Copies of a folder as it lies on the disk before each statement of SQL and each operation on files."""

    def __init__(self, folder: Path, out: Path):
        self._folder = folder
        self._out = out
        self._last: dict[str, bytes] = {}
        self.taken: list[tuple[str, Path]] = []

    def take(self, before: str) -> None:
        """Copy the folder, if it has changed since the last copy: what a kill would leave now."""
        files = (path for path in self._folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
        found = {str(path): path.read_bytes() for path in files}
        if found == self._last:
            return
        self._last = found
        target = self._out / f"{len(self.taken):03}"
        shutil.copytree(self._folder, target, ignore=shutil.ignore_patterns(".lock"))
        self.taken.append((before, target))


@contextmanager
def snapshots(folder: Path, out: Path) -> Iterator[Snapshots]:
    """Take snapshots of all that ledgers do inside."""
    taken = Snapshots(folder, out)
    connect = sqlite3.connect

    def traced(*arguments: Any, **named: Any) -> Any:
        opened = connect(*arguments, **named)
        opened.set_trace_callback(taken.take)
        return opened

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            taken.take(f"{function.__name__} {arguments}")
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        for module, name in ((os, "replace"), (os, "fsync"), (os, "unlink"), (Path, "unlink"), (Path, "replace")):
            patch.setattr(module, name, watched(getattr(module, name)))
        yield taken
    taken.take("the end")


def while_writing(folder: Path, out: Path, work: Callable[[Ledger], object]) -> list[tuple[str, Path]]:
    """What a kill can leave while a writer opens ``folder``, works and closes: what comes next, and the copy."""
    with snapshots(folder, out) as taken, Ledger(folder, write=True) as ledger:
        work(ledger)
    return taken.taken
