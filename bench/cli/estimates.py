"""What `toklab plan` says of time and disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..planning.cell import Cell
    from ..planning.estimate import CellEstimate, Part

RUNS = Path("runs")
"""Where `toklab run` puts its folders."""


def estimate(
    cells: Sequence[Cell],
    folders: Sequence[Path] | None,
    card_folders: Sequence[Path],
    windows: int | None,
    limit: int | None,
    limit_videos: int | None,
    speed: float | None,
) -> list[CellEstimate]:
    """Time and disk of each cell, in their order; empty without anything to estimate from.

    Args:
        cells: what a run would measure.
        folders: run folders to estimate from; ``None``: those below :data:`RUNS`.
        card_folders: with cards of the user's own.
        windows: of a dataset that no earlier run planned.
        limit: at most so many windows of a dataset.
        limit_videos: only the first so many videos of a dataset.
        speed: 10¹² multiply-adds a second, in place of measured times.
    """
    from ..planning.estimate import TERA, Given, estimate_cells
    from ..planning.experience import Experience, run_folders

    chosen = run_folders(RUNS) if folders is None else folders
    if not chosen and speed is None:
        return []
    given = Given(windows, limit, limit_videos, None if speed is None else speed * TERA)
    return estimate_cells(cells, Experience.read(chosen), given, lambda cell: _count_macs(cell, card_folders))


def estimate_lines(estimates: Sequence[CellEstimate], workers: int) -> Iterator[str]:
    """The estimate in lines, with the time that so many workers take."""
    from ..planning.estimate import UNKNOWN, total_seconds

    if not estimates:
        yield "time and disk: no earlier run to estimate from; name one with --from, or a speed with --speed"
        return
    yield "time and disk, estimated:"
    for each in estimates:
        yield f"  {each.cell.label} on {each.cell.dataset}: {_in_words(each)}"
    seconds = total_seconds(estimates, workers)
    sizes = [each.num_bytes for each in estimates]
    disk = "unknown" if None in sizes else f"{sum(size or 0 for size in sizes) / 1e9:.3g} GB"
    by = "by one process" if workers == 1 else f"by {workers} as fast as the one that was measured, work shared evenly"
    yield f"in all {by}: {'unknown' if seconds is None else duration(seconds)}; ledger {disk}"
    headings = {"windows": "windows", "forward": "encode and decode", "rest": "all else", "disk": "disk"}
    for part, heading in headings.items():
        for source in dict.fromkeys(getattr(each, part).source for each in estimates):
            yield f"  {heading}: {source}"
    yield UNKNOWN


def estimate_document(estimates: Sequence[CellEstimate], workers: int) -> dict[str, object]:
    """The estimate for programs, one item a cell, in their order."""
    from ..planning.estimate import total_seconds

    parts = {"windows": "windows", "forward_s": "forward", "rest_s": "rest", "bytes": "disk"}
    found = [
        {
            name: {"value": getattr(each, part).value, "source": getattr(each, part).source}
            for name, part in parts.items()
        }
        for each in estimates
    ]
    return {"workers": workers, "seconds": total_seconds(estimates, workers), "cells": found}


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader would choose."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _in_words(each: CellEstimate) -> str:
    windows = "unknown windows" if each.windows.value is None else f"{each.windows.value:,.0f} windows"
    parts = f"{_seconds(each.forward)} to encode and decode, {_seconds(each.rest)} for all else"
    total = "" if each.seconds is None else f": {duration(each.seconds)}"
    return f"{windows}, each {parts}{total}"


def _seconds(part: Part) -> str:
    return "unknown time" if part.value is None else f"{part.value:.3g} s"


def _count_macs(cell: Cell, card_folders: Sequence[Path]) -> float | None:
    from ..catalog.catalog import tokenizers
    from ..catalog.complexity import measure_facts

    entry = tokenizers(tuple(card_folders)).entry(cell.tokenizer)
    return measure_facts(entry, cell.protocol, cell.settings).get("macs_total")
