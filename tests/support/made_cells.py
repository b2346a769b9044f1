"""Cells made up from mean squared errors, as a ledger would give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from run_folders import CELL, ROW
from toklab.bench.analysis.results import CellResults
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement

Key = tuple[str, int]


def made_cell(
    label: str,
    errors: Mapping[Key, float],
    *,
    group: str = "g",
    num_frames: int = 2,
    metrics: tuple[str, ...] = ("psnr",),
) -> CellResults:
    """A finished cell.

    Args:
        label: of the tokenizer.
        errors: mean squared error of every frame, by source and window.
        group: what it is ranked with.
        num_frames: frames of a window.
        metrics: of mean squared errors.
    """
    cell = replace(
        CELL,
        cell_id=label,
        tokenizer=label,
        label=label,
        spec={"title": label, "comparison_group": group},
        metrics=metrics,
        settings={},
        status="finished",
        planned=len(errors),
    )
    rows, measurements = [], {}
    for (source, window), error in sorted(errors.items()):
        frames = tuple(range(window * num_frames, (window + 1) * num_frames))
        row = replace(
            ROW, cell_id=label, source=source, window=window, content_id=f"content of {source}", frame_ids=frames
        )
        rows.append(row)
        arrays = pack_arrays({"mse": np.full(num_frames, error)})
        measurements[row.key] = {"frame-mse:v1": Measurement(label, source, window, "frame-mse:v1", arrays)}
    return CellResults(cell, rows, measurements, {}, dataset="videos")


def random_cells(
    generator: np.random.Generator, num_systems: int, num_sources: int, missing: float = 0.0
) -> list[CellResults]:
    """Cells of tokenizers that differ a little on videos that differ much; some windows are missing."""
    levels = generator.normal(-6, 1, num_sources)
    skill = generator.normal(0, 0.3, num_systems)
    windows = [int(generator.integers(1, 4)) for _ in range(num_sources)]
    cells = []
    for system in range(num_systems):
        errors = {
            (f"v{source:02}.mp4", window): float(np.exp(levels[source] + skill[system] + generator.normal(0, 0.3)))
            for source in range(num_sources)
            for window in range(windows[source])
            if generator.uniform() >= missing
        }
        cells.append(made_cell(f"t{system}", errors))
    return cells
