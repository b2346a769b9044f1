"""A campaign of faults: `tox -e campaign -- --faults 10000 --seed 1 --out DIR`.

Each fault follows from the campaign's seed, its kind and its number. Results go to DIR/faults.jsonl; the same command
goes on where it was ended. The table of what was tried is printed at the end. Exit code 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process with threads can't be forked
sys.path.insert(1, str(Path(__file__).parents[1] / "support"))

import numpy as np
import torch
from faults import BAD, FaultKind, Outcome
from forks import fork
from journal import Journal, markdown_table
from kinds import KINDS

MEMORY_FOLDER = Path("/dev/shm")
LIMIT_S = 120.0
"""Seconds without an end that are a hang."""
PREPARE_S = 600.0
ALL_SHARES = 10_000
"""What the shares of all kinds add up to."""
MEMORY = 16 << 30
"""Bytes of address space of a process that tries faults, so that none takes the machine's."""


class Campaign:
    """Tries faults of several kinds, each in a forked process."""

    def __init__(self, out: Path, seed: int, kinds: Sequence[FaultKind], scratch: Path):
        self.journal = Journal(out)
        self._seed = seed
        self._kinds = kinds
        self._scratch = scratch

    def run(self, num_faults: int, say: Callable[[str], None]) -> None:
        """Try so many faults in all, those that were tried before among them."""
        for kind in self._kinds:
            count = count_of(kind, num_faults)
            open_ones = [number for number in range(count) if not self.journal.has(kind.name, self._seed, number)]
            if not open_ones:
                continue
            folder = self._scratch / f"prepared {kind.name}"
            folder.mkdir()
            if failed := _prepare(kind, folder):
                raise SystemExit(f"{kind.name} can't be prepared: {failed}")
            start = time.monotonic()
            for first in range(0, len(open_ones), kind.per_process):
                self._try(kind, folder, open_ones[first : first + kind.per_process])
            say(f"{kind.name}: {len(open_ones)} faults in {time.monotonic() - start:.0f} s")
            shutil.rmtree(folder, ignore_errors=True)

    def _try(self, kind: FaultKind, folder: Path, numbers: Sequence[int]) -> None:
        """Try faults in one process; after a crash or a hang, those that are left in another one."""
        left = list(numbers)
        while left:
            child = fork(lambda say: self._attempt(kind, folder, left, say))
            while left:
                start = time.monotonic()
                status, answer = child.wait_for_answer(LIMIT_S)
                seconds = time.monotonic() - start
                number = left.pop(0)
                if status == "answer":
                    outcome = answer
                elif status == "hang":
                    child.kill()
                    child.end()
                    outcome = Outcome("hang", f"no end within {LIMIT_S:g} s")
                else:
                    outcome = Outcome("crash", f"exit code {answer}")
                entry = self.journal.add(kind.name, self._seed, number, outcome, seconds)
                if entry.verdict in BAD:
                    print(f"{kind.name} {number}: {entry.verdict}: {entry.detail}", file=sys.stderr, flush=True)
                if status != "answer":
                    break
            else:
                child.end()

    def _attempt(self, kind: FaultKind, folder: Path, numbers: Sequence[int], say: Callable[[Any], None]) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for number in numbers:
            scratch = Path(tempfile.mkdtemp(dir=self._scratch))
            rng = np.random.default_rng([self._seed, zlib.crc32(kind.name.encode()), number])
            try:
                outcome = kind.attempt(rng, folder, scratch)
            except BaseException:
                outcome = Outcome("traceback", "; ".join(traceback.format_exc().splitlines()[-3:]))
            os.chdir(self._scratch)
            shutil.rmtree(scratch, ignore_errors=True)
            say(outcome)


def count_of(kind: FaultKind, num_faults: int) -> int:
    """How many of so many faults in all are of a kind; it doesn't depend on the other kinds."""
    return kind.share * num_faults // ALL_SHARES


def _prepare(kind: FaultKind, folder: Path) -> str:
    def prepared(say: Callable[[Any], None]) -> None:
        kind.prepare(folder)
        say("")

    child = fork(prepared)
    status, answer = child.wait_for_answer(PREPARE_S)
    if status == "hang":
        child.kill()
    child.end()
    return "" if status == "answer" else f"{status} {answer}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10_000, help="faults in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("campaign"), help="folder of the results")
    parser.add_argument("--kind", action="append", help="only these kinds; repeat for several")
    chosen = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if not chosen.kind or kind.name in chosen.kind]
    if not kinds:
        parser.error(f"kinds are {', '.join(kind.name for kind in KINDS)}")
    torch.set_num_threads(1)
    # A kill loses nothing that the operating system has: files in memory show the same as on a disk, and faster.
    memory = str(MEMORY_FOLDER) if MEMORY_FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=memory) as scratch:
        campaign = Campaign(chosen.out.resolve(), chosen.seed, kinds, Path(scratch))
        campaign.run(chosen.faults, lambda text: print(text, flush=True))
    entries = campaign.journal.entries
    print(markdown_table(KINDS, entries))
    return int(any(entry.verdict in BAD for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
