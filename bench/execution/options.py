"""How a run is executed; none of it changes what is measured."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from ...datasets.interface import OnCorrupt
from ..ledger.plans import Plan, PlannedWindow
from ..planning.plan import Shard
from .device import num_gpus

MOST_DECODE_WORKERS = 8
"""Unless more are asked for: each takes memory, and few models are faster than so many."""
MOST_WINDOWS = 16
"""Windows of a batch whose size follows from memory, at most."""
LONGEST_TIMEOUT_S = 7 * 24 * 3600.0
"""Seconds; timers of the operating system don't take any number."""


def resolve_device(name: str) -> str:
    """The device of a name; ``auto`` is the first GPU where there is one, else the CPU.

    Raises:
        ValueError: if this machine has no such device; with those that it has.
    """
    count = num_gpus()
    if name == "auto":
        return "cuda" if count else "cpu"
    there = ["cpu", *(["mps"] if torch.backends.mps.is_available() else [])]
    there += ["cuda", *(f"cuda:{index}" for index in range(count))] if count else []
    if name not in there:
        known = re.fullmatch(r"cuda(:\d+)?|mps", name)
        problem = "this machine has no such device" if known else "there is no such device"
        raise ValueError(f"--device {name!r}: {problem}; it has: {', '.join(('auto', *there))}")
    return name


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_decode_workers(cores: int | None = None) -> int:
    """One less than the cores, or than those that this process may use; at least 1 and at most 8."""
    cores = num_cores() if cores is None else cores
    return max(1, min(cores - 1, MOST_DECODE_WORKERS))


def check_timeout(option: str, seconds: float) -> None:
    """Raise ``ValueError`` unless an option's limit is a number of seconds that a timer takes."""
    # NaN is neither smaller nor larger.
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise ValueError(f"{option} {seconds:g}: give seconds, at most {LONGEST_TIMEOUT_S:.0f} (a week): {option} 600")


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed; none of it changes what is measured.

    Raises:
        ValueError: if a time limit is no finite number of seconds that a timer takes, a batch or a limit has no
            window, or nothing would decode.
    """

    device: str = "cpu"
    reader: Literal["auto", "decord", "pyav"] = "auto"
    batch_size: int = 1
    """Windows in a forward pass; 0: as many as fit the device's memory."""
    decode_workers: int = field(default_factory=default_decode_workers)
    """Child processes that decode, resize and crop, each a video of its own."""
    prefetch: int | None = None
    """Clips decoded ahead; ``None``: what 128 MiB hold for each worker, and at least 4."""
    timeout_s: float = 120.0
    """Seconds after which a decoding child is killed."""
    limit: int | None = None
    """At most so many windows of a dataset, or of a shard of it, spread over its videos."""
    limit_videos: int | None = None
    """Only the first so many videos of a dataset, or of a shard of it."""
    shard: Shard = field(default_factory=Shard)
    keep_reconstructions: int | None = 4
    """Windows to keep for each cell; ``None`` keeps all."""
    retry_failed: bool = False
    lock: Path | None = None
    """Lock that the dataset is checked against; ``None``: the one beside the data, if there is one."""
    on_corrupt: OnCorrupt = "fail"
    """Whether windows with damaged frames fail, or are scored with a note."""
    clip_cache_bytes: int = 4 << 30
    """Disk for decoded windows that several tokenizers share; 0: none are kept."""
    timing_s: float = 60.0
    """Seconds for the throughput pass, shared by the tokenizers of a run."""

    @property
    def planned_batch(self) -> int:
        """Windows that the plan puts into a batch; where memory says how many go together, the most that may."""
        return self.batch_size or MOST_WINDOWS

    def __post_init__(self) -> None:
        check_timeout("--timeout", self.timeout_s)
        if self.batch_size < 0:
            raise ValueError(f"--batch-size {self.batch_size}: give at least 1, or auto (from Python 0)")
        counts = {
            "--decode-workers": self.decode_workers,
            "--limit": self.limit,
            "--limit-videos": self.limit_videos,
        }
        for option, count in counts.items():
            if count is not None and count < 1:
                raise ValueError(f"{option} {count}: give at least 1")

    def plan(self, windows: frozenset[PlannedWindow]) -> Plan:
        """The plan of a cell whose windows, under these options, are ``windows``."""
        given = {"limit": self.limit, "limit_videos": self.limit_videos}
        limits = {name: value for name, value in given.items() if value is not None}
        return Plan({self.shard.index: windows}, self.shard.count, limits)
