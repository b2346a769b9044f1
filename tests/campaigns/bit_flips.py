"""Damage to the files of a run folder: a figure is what it was, or reading it is an error."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tiny_runs
from faults import FaultKind, Outcome
from toklab.bench.ledger.errors import LedgerError
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.verification import verify_run

RUNS = ("finished", "pending")
"""A run whose cells are in Parquet files, and one whose rows are still in SQLite."""
SHARE_WRITTEN = 0.1
"""Faults after which the run is gone on with, too."""


def damage(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """A file's content after one of several kinds of damage, and what was done."""
    size = len(content)
    changed = bytearray(content)
    kind = rng.choice(["bit", "bit", "bit", "bits", "cut", "zeros", "noise"])
    if kind in ("bit", "bits"):
        for bit in rng.integers(0, 8 * size, 1 if kind == "bit" else 8):
            changed[bit // 8] ^= 1 << int(bit % 8)
        return bytes(changed), str(kind)
    start = int(rng.integers(0, size))
    if kind == "cut":
        return bytes(changed[:start]), f"cut at {start}"
    block = changed[start : start + 512]
    changed[start : start + 512] = bytes(len(block)) if kind == "zeros" else rng.bytes(len(block))
    return bytes(changed), f"{kind} at {start}"


class DamagedRun(FaultKind):
    """A file of a run folder is damaged, and everything in the folder is read."""

    name = "damage a run"
    tried = "flipped bits, cut ends, zeros or noise in the ledger, its Parquet files, plans or suite; then all is read"
    share = 4000
    per_process = 50

    def prepare(self, folder: Path) -> None:
        videos = tiny_runs.write_videos(folder / "videos")
        tiny_runs.run(folder / "finished", tiny_runs.suite(videos))
        compact = Ledger.compact
        Ledger.compact = lambda self, cell_id: None  # type: ignore[method-assign]
        try:
            tiny_runs.run(folder / "pending", tiny_runs.suite(videos))
        finally:
            Ledger.compact = compact  # type: ignore[method-assign]
        for name in RUNS:
            (folder / f"{name}.pickle").write_bytes(pickle.dumps(tiny_runs.contents(folder / name)))

    def attempt(self, rng: np.random.Generator, folder: Path, scratch: Path) -> Outcome:
        name = str(rng.choice(RUNS))
        truth = pickle.loads((folder / f"{name}.pickle").read_bytes())
        run = Path(shutil.copytree(folder / name, scratch / "run"))
        files = [path for path in sorted(run.rglob("*")) if path.suffix in (".sqlite", ".parquet", ".json")]
        path = files[int(rng.integers(0, len(files)))]
        changed, what = damage(path.read_bytes(), rng)
        path.write_bytes(changed)
        detail = f"{name}, {path.name}, {what}"
        written = rng.random() < SHARE_WRITTEN

        def read() -> str:
            found = tiny_runs.contents(run)
            verify_run(run)
            return tiny_runs.difference(found, truth)

        outcome = judged(read, detail)
        if outcome.verdict not in ("survived", "refused") or not written:
            return outcome

        def go_on() -> str:
            tiny_runs.run(run, tiny_runs.suite(folder / "videos"))
            return tiny_runs.difference(tiny_runs.contents(run), truth)

        return judged(go_on, f"{detail}, run again")


def judged(read: Callable[[], str], detail: str) -> Outcome:
    """Survived if ``read`` finds no difference, refused if it ends in an error that toklab explains."""
    try:
        differs = read()
    except LedgerError:
        return Outcome("refused", detail)
    return Outcome("wrong", f"{detail}: {differs} differ") if differs else Outcome("survived", detail)
