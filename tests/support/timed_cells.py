"""Cells with repeated timings, made without a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from made_cells import made_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.metrics.repetitions import Repetitions

KEY = "repetitions:v1"
PLACE = ("a.mp4", 0)


def timed_cell(
    label: str,
    seconds: np.ndarray,
    place: int,
    *,
    group: str = "g",
    metrics: tuple[str, ...] = ("throughput-encode",),
    **changes: Any,
) -> CellResults:
    """A cell of one window whose encode took so many seconds.

    Args:
        label: of the tokenizer.
        seconds: of each repetition.
        place: of its repetitions in each round.
        group: what it is ranked with.
        metrics: of timings or mean squared errors.
        changes: of the repetitions.
    """
    starts = 100.0 * np.arange(len(seconds)) + place
    timed = Repetitions(seconds, np.ones(len(seconds)), 1, 17, 9, 2, "m", "Python", (32, 32), starts, "a pass")
    cell = made_cell(label, {PLACE: 0.01}, group=group, metrics=metrics)
    arrays = pack_arrays(replace(timed, **changes).to_arrays())
    measured = {**cell.measurements[PLACE], KEY: Measurement(label, *PLACE, KEY, arrays)}
    return replace(cell, measurements={PLACE: measured})


def shaken(seconds: float, seed: int, rounds: int = 12) -> np.ndarray:
    """Repetitions of so many seconds on a machine whose load changes much from round to round."""
    load = np.resize([1.0, 2.0, 1.2], rounds)
    return seconds * load * (1 + 0.002 * np.random.default_rng(seed).normal(size=rounds))
