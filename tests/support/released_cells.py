"""Cells as a run of a released model would leave them: real protocol and dataset name, made-up measurements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from run_folders import CELL, ROW
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.planning.cell import canonical_hash
from toklab.datasets.protocol import Protocol, load_protocol
from toklab.tokenizers.interface import InferenceSettings

MODEL = "vidtok_fsq_causal_488_4096"
"""A discrete tokenizer of VidTok's Table 5, so that nothing is sampled."""

ARRAYS = {"psnr": "mse", "ssim": "ssim", "lpips-vgg": "lpips", "lpips-alex": "lpips", "ssim-skimage": "ssim"}
"""What the metrics call their arrays."""


def released_cell(
    windows: Mapping[str, Sequence[Sequence[float]]],
    *,
    tokenizer: str = MODEL,
    dataset: str = "mcl-jcv",
    protocol: Protocol | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str = "sha256:01",
    is_complete: bool = False,
    repeats: int = 0,
    spec: Mapping[str, Any] | None = None,
    **arrays: Mapping[str, Sequence[Sequence[float]]],
) -> CellResults:
    """A finished cell.

    Args:
        windows: mean squared error of each frame of each window, by video.
        tokenizer: name of the card.
        dataset: its official name.
        protocol: ``vidtok`` if not given.
        settings: that differ from the default.
        weights: their identity.
        is_complete: whether no limit cut the plan.
        repeats: frames that each video's last window repeats.
        spec: further facts on the tokenizer.
        arrays: the same for other metrics, ``_`` in place of ``-``.
    """
    protocol = protocol or load_protocol("vidtok")
    settings = {**InferenceSettings().as_dict(), **(settings or {})}
    measured = {"psnr": windows, **{name.replace("_", "-"): values for name, values in arrays.items()}}
    identity = canonical_hash([tokenizer, weights, dataset, protocol.hash, settings])
    cell = replace(
        CELL,
        cell_id=identity,
        tokenizer=tokenizer,
        label=tokenizer if protocol.name == "vidtok" else f"{tokenizer} {protocol.name}",
        spec={"title": "VidTok", "regularizer": "fsq", **(spec or {})},
        weights=weights,
        dataset=dataset,
        protocol=protocol.model_dump(mode="json"),
        protocol_hash=protocol.hash,
        settings=settings,
        metrics=tuple(measured),
        status="finished",
        planned=sum(map(len, windows.values())),
    )
    rows, measurements = [], {}
    for source, of_source in windows.items():
        for index, errors in enumerate(of_source):
            count = len(errors)
            ids = list(range(index * count, (index + 1) * count))
            if repeats and index == len(of_source) - 1:
                ids[-repeats:] = [ids[-repeats - 1]] * repeats
            row = replace(
                ROW, cell_id=identity, source=source, window=index, content_id=f"of {source}", frame_ids=tuple(ids)
            )
            rows.append(row)
            for name, values in measured.items():
                key = find_metric(name).measurement_key
                packed = pack_arrays({ARRAYS[name]: np.asarray(values[source][index], dtype=np.float64)})
                measurements.setdefault(row.key, {})[key] = Measurement(identity, source, index, key, packed)
    return CellResults(cell, rows, measurements, {}, is_complete=is_complete, dataset=dataset)


def random_windows(
    seed: int, num_sources: int = 12, num_windows: int = 2, num_frames: int = 4, level: float = 1e-3
) -> dict[str, list[list[float]]]:
    """Mean squared errors that differ much between videos and frames, by video and window."""
    generator = np.random.default_rng(seed)
    found = {}
    for source in range(num_sources):
        of_source = level * np.exp(generator.normal(0, 1.2))
        errors = of_source * np.exp(generator.normal(0, 0.8, (num_windows, num_frames)))
        found[f"videoSRC{source + 1:02}.mp4"] = errors.tolist()
    return found


def scaled(windows: Mapping[str, Sequence[Sequence[float]]], factor: float) -> dict[str, list[list[float]]]:
    """The same windows, every frame's value times a factor."""
    return {name: (factor * np.asarray(of)).tolist() for name, of in windows.items()}


def without(result: CellResults, metric: str, sources: Collection[str]) -> CellResults:
    """A cell as a run leaves it that was ended while it added a metric."""
    key = find_metric(metric).measurement_key
    kept = {
        (source, window): {name: each for name, each in found.items() if name != key or source not in sources}
        for (source, window), found in result.measurements.items()
    }
    return replace(result, measurements=kept)
