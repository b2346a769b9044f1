"""Cells with kept reconstructions on the disk, made without a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_cells import made_cell
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.execution.reconstructions import FOLDER, REFERENCE_FOLDER
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.planning.cell import clip_identity
from toklab.datasets.video_writer import write_video


def write_kept_run(
    folder: Path,
    labels: Sequence[str],
    num_clips: int = 3,
    num_frames: int = 3,
    *,
    size: tuple[int, int] = (16, 24),
    groups: Sequence[str] = (),
    seed: int = 0,
) -> list[CellResults]:
    """Cells whose mean squared errors are those of the kept frames, noise of a strength of each system's own.

    Args:
        folder: the run folder.
        labels: of the tokenizers.
        num_clips: windows kept, each of a video of its own.
        num_frames: of a window.
        size: height and width of the frames.
        groups: what each tokenizer is ranked with; one for all if not given.
        seed: of the pixels.
    """
    generator = np.random.default_rng(seed)
    clips = {f"v{number}.mp4": generator.integers(0, 256, (num_frames, *size, 3)) for number in range(num_clips)}
    cells = []
    for number, label in enumerate(labels):
        group = groups[number] if groups else "continuous-4"
        cell = made_cell(label, {(source, 0): 0.5 for source in clips}, group=group, num_frames=num_frames)
        measurements = {}
        for row in cell.rows:
            reference = clips[row.source]
            strength = generator.integers(2, 60, (num_frames, 1, 1, 1))
            made = (reference + strength * generator.normal(0, 1, reference.shape)).round().clip(0, 255)
            name = f"{clip_identity(row.content_id, row.frame_ids)}.mkv"
            write_video(folder / FOLDER / label / name, made.astype(np.uint8), 30.0)
            write_video(
                folder / FOLDER / REFERENCE_FOLDER / cell.cell.protocol_hash / name, reference.astype(np.uint8), 30.0
            )
            errors = (((made - reference) / 255) ** 2).mean((1, 2, 3))
            measurements[row.key] = {
                kind: replace(measurement, arrays=pack_arrays({"mse": errors}))
                for kind, measurement in cell.measurements[row.key].items()
            }
        cells.append(replace(cell, measurements=measurements, folder=folder))
    return cells
