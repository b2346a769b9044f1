"""Cells made up from mean squared errors, as a ledger would give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from run_folders import CELL, ROW
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.metrics.bits import CONVENTIONS
from toklab.bench.planning.cell import reference_identity

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


def rated_cell(
    label: str,
    errors: Mapping[Key, float],
    bits: Mapping[Key, float],
    *,
    system: str,
    convention: str = "bitstream",
    regularizer: str = "codec",
    num_frames: int = 2,
    **figures: Mapping[Key, float],
) -> CellResults:
    """A finished cell with bits per pixel and PSNR, and with other metrics of frames.

    Args:
        label: of the tokenizer.
        errors: mean squared error of every frame, by source and window.
        bits: of each window, which has 1,000 pixels.
        system: title of the tokenizer.
        convention: how bits are counted.
        regularizer: of the tokenizer.
        num_frames: frames of a window.
        figures: value of every frame by a metric, such as ``ssim``; ``_`` in its name stands for ``-``.
    """
    others = {name: find_metric(name.replace("_", "-")) for name in figures}
    names = ("bpp", "psnr", *(metric.name for metric in others.values()))
    made = made_cell(label, errors, num_frames=num_frames, metrics=names)
    spec = {"title": system, "comparison_group": "g", "regularizer": regularizer, "regularizer_label": regularizer}
    arrays = {"encoded-bits:v1": lambda key: _bits(bits[key], convention)}
    for name, metric in others.items():
        arrays[metric.measurement_key] = lambda key, name=name: {_ARRAYS[name]: np.full(num_frames, figures[name][key])}
    measurements = {
        key: {**found, **{kind: Measurement(label, *key, kind, pack_arrays(of(key))) for kind, of in arrays.items()}}
        for key, found in made.measurements.items()
    }
    return replace(made, cell=replace(made.cell, spec=spec), measurements=measurements)


_ARRAYS = {"ssim": "ssim", "lpips_vgg": "lpips"}
"""What metrics call their arrays."""


def _bits(bits: float, convention: str) -> dict[str, np.ndarray]:
    return {
        "bits": np.array([bits]),
        "pixels": np.array([1000]),
        "convention": np.array([CONVENTIONS.index(convention)]),
    }


def featured_cell(
    label: str, num_windows: int, num_frames: int, noise: float, num_sources: int = 8, metric: str = "fvd-i3d"
) -> CellResults:
    """A finished cell with features of six numbers, for a metric of sets of features."""
    places = [(f"v{source}.mp4", window) for source in range(num_sources) for window in range(num_windows)]
    cell = made_cell(label, dict.fromkeys(places, 0.1), num_frames=num_frames, metrics=(metric,))
    key = find_metric(metric).measurement_key
    measurements, references = {}, {}
    for number, row in enumerate(cell.rows):
        generator = np.random.default_rng(number)
        reference = generator.normal(size=6)
        made = reference + noise * np.random.default_rng([number, len(label)]).normal(size=6)
        measured = Measurement(label, row.source, row.window, key, pack_arrays({"features": made}))
        measurements[row.key] = {key: measured}
        identity = reference_identity(row.content_id, row.frame_ids, cell.cell.protocol_hash, row.reader)
        references[identity, key] = pack_arrays({"features": reference})
    return replace(cell, measurements=measurements, references=references)


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
