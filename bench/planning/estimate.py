"""How long a run will take and how much disk, estimated before it starts, each part with where it comes from."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .cell import Cell
from .experience import Experience, PastCell, PastRun

TERA = 1e12
UNKNOWN = (
    "Not in the estimate: downloads, kept reconstructions, other work on the machine, failures and their repetition. "
    "Speeds of other machines aren't known from here."
)
"""What no estimate can know."""


@dataclass(frozen=True)
class Part:
    """A number of an estimate."""

    value: float | None
    """``None`` where nothing tells it."""
    source: str
    """Where it comes from, or why it isn't known."""


@dataclass(frozen=True)
class CellEstimate:
    """What one cell will take."""

    cell: Cell
    windows: Part
    """How many."""
    forward: Part
    """Seconds of encode and decode, a window."""
    rest: Part
    """Seconds of everything else, a window."""
    disk: Part
    """Bytes in the ledger, a window."""

    @property
    def seconds(self) -> float | None:
        """Of the whole cell by one process; ``None`` where a part isn't known."""
        parts = (self.windows.value, self.forward.value, self.rest.value)
        if any(part is None for part in parts):
            return None
        windows, forward, rest = (part or 0.0 for part in parts)
        return windows * (forward + rest)

    @property
    def num_bytes(self) -> float | None:
        """Of the whole cell."""
        windows, disk = self.windows.value, self.disk.value
        return None if windows is None or disk is None else windows * disk


@dataclass(frozen=True)
class Given:
    """What the user says."""

    num_windows: int | None = None
    """Of each dataset, where earlier runs don't tell it."""
    limit: int | None = None
    """Windows of each dataset at most."""
    limit_videos: int | None = None
    """Only the first so many videos of each dataset."""
    macs_per_second: float | None = None
    """Multiply-adds a second, in place of measured speeds."""


def estimate_cells(
    cells: Sequence[Cell], experience: Experience, given: Given, count_macs: Callable[[Cell], float | None]
) -> list[CellEstimate]:
    """Estimate every cell.

    Args:
        cells: of the plan.
        experience: of earlier runs.
        given: what the user says.
        count_macs: multiply-adds of a window, where no earlier run knows them; ``None`` if they can't be counted.
    """
    return [
        CellEstimate(
            cell,
            _windows(cell, experience, given),
            _forward(cell, experience, given, count_macs),
            _rest(cell, experience),
            _disk(cell, experience),
        )
        for cell in cells
    ]


def total_seconds(estimates: Sequence[CellEstimate], workers: int = 1) -> float | None:
    """Of all cells, by workers that share the windows of each cell evenly; ``None`` where a cell's isn't known."""
    total = 0.0
    for each in estimates:
        if each.seconds is None or each.windows.value is None:
            return None
        shares = math.ceil(each.windows.value / workers) / max(1.0, each.windows.value)
        total += each.seconds * shares
    return total


def _windows(cell: Cell, experience: Experience, given: Given) -> Part:
    part = _planned(cell, experience, given.limit_videos)
    if part is None and given.num_windows is not None:
        part = Part(float(given.num_windows), "given")
    if given.limit is not None and (part is None or part.value is None or given.limit < part.value):
        return Part(float(given.limit), "the limit")
    return part or Part(None, "no earlier run planned the whole dataset; give --windows")


def _planned(cell: Cell, experience: Experience, limit_videos: int | None) -> Part | None:
    """What the last run that planned the whole dataset says of all its videos, or the first so many."""
    known = [
        past
        for past in experience.cells
        if (past.cell.dataset, past.cell.protocol_hash) == (cell.dataset, cell.protocol.hash) and past.num_windows
    ]
    if limit_videos is None:
        return Part(float(known[-1].num_windows or 0), f"planned in {known[-1].folder}") if known else None
    counted = [past for past in known if past.video_windows]
    if not counted:
        return None
    windows = sum(counted[-1].video_windows[:limit_videos])
    return Part(float(windows), f"those of the first {limit_videos} videos, planned in {counted[-1].folder}")


def _forward(cell: Cell, experience: Experience, given: Given, count_macs: Callable[[Cell], float | None]) -> Part:
    timed = [past for past in experience.cells if past.forward_s is not None and _same_model(past, cell)]
    if timed and given.macs_per_second is None:
        past = timed[-1]
        return Part(past.forward_s, f"the median of a window in {past.folder} on {past.machine}")
    known = [past.macs for past in experience.cells if past.macs and _same_model(past, cell)]
    macs = known[-1] if known else count_macs(cell)
    if not macs:
        return Part(None, "never measured, and it has no multiply-adds that could be counted")
    amount = f"{macs / TERA:.3g}·10¹² multiply-adds"
    if given.macs_per_second is not None:
        return Part(
            macs / given.macs_per_second, f"{amount} at the given {given.macs_per_second / TERA:g}·10¹² a second"
        )
    speeds = _speeds(experience)
    if not speeds:
        return Part(None, f"never measured: {amount}, and no earlier run to tell a speed; give --from or --speed")
    speed = statistics.median(speeds)
    spread = f", {min(speeds) / TERA:.3g} to {max(speeds) / TERA:.3g}" if len(speeds) > 1 else ""
    return Part(
        macs / speed, f"{amount} at {speed / TERA:.3g}·10¹² a second, the median of {len(speeds)} models{spread}"
    )


def _speeds(experience: Experience) -> list[float]:
    """Multiply-adds a second of each model as it was last timed, on the machine that timed the most models."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for past in experience.cells:
        if past.macs and past.forward_s:
            model = (past.cell.label, past.cell.protocol_hash)
            found.setdefault(past.machine, {})[model] = past.macs / past.forward_s
    return list(max(found.values(), key=len, default={}).values())


def _rest(cell: Cell, experience: Experience) -> Part:
    if not experience.runs:
        return Part(None, "no earlier run came to its end in a folder of its own; give --from")
    wanted = frozenset(cell.metrics)
    # The run that measured the most of what is wanted, then the least beside it, then the longest.
    best: PastRun = max(
        experience.runs, key=lambda run: (len(wanted & run.metrics), -len(run.metrics - wanted), run.num_windows)
    )
    source = f"wall time less encode and decode of {best.num_windows:,} windows in {best.folder} on {best.machine}"
    if lacking := sorted(wanted - best.metrics):
        source += f"; without {', '.join(lacking)}, which it didn't measure"
    return Part(best.rest_s, source)


def _disk(cell: Cell, experience: Experience) -> Part:
    wanted = frozenset(cell.metrics)
    found = [past for past in experience.cells if past.bytes_per_window is not None]
    if not found:
        return Part(None, "no earlier run has finished cells; give --from")
    best = max(
        found,
        key=lambda past: (
            _same_model(past, cell),
            len(wanted & set(past.cell.metrics)),
            -len(set(past.cell.metrics) - wanted),
        ),
    )
    return Part(best.bytes_per_window, f"as the ledger of {best.cell.label} in {best.folder}")


def _same_model(past: PastCell, cell: Cell) -> bool:
    settings: Mapping[str, object] = cell.settings.as_dict()
    return (past.cell.tokenizer, past.cell.protocol_hash) == (cell.tokenizer, cell.protocol.hash) and (
        past.cell.settings == settings
    )
