"""From cells to what a result record holds of them: no videos, no features, no places of this machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ...reports.record.model import (
    Arrays,
    MeasuredPart,
    RecordedArray,
    RecordedCell,
    RecordedEstimate,
    RecordedMeasurement,
    RecordedMetric,
    RecordedRun,
    RecordedWindow,
    recorded_figures,
    recorded_number,
)
from ...reports.schema import Figure
from ..catalog.broken_metric import BrokenMetric, find_metric, guarded
from ..ledger.records import Row
from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable
from ..metrics.ratio import RatioMetric
from ..metrics.repetitions import MEASUREMENT
from .cell_results import CellResults, measures_anything_of
from .portable_text import local_roots, portable, portable_dataset, portable_values
from .results import RunResults

CHARTED = ("psnr", "bpp", "codebook-utilization")
"""Metrics whose measurements charts read, whether a figure was asked for or not."""


def measured_part(run: RunResults, figures: Iterable[Figure]) -> MeasuredPart:
    """What a record says of a run with these figures; published ones are left out."""
    cells, roots = [result.cell for result in run.results], roots_of(run)
    return MeasuredPart(
        figures=recorded_figures(replace(figure, **portable_values(asdict(figure), roots)) for figure in figures),
        protocols={cell.protocol_hash: cell.protocol for cell in cells},
        metrics=_metrics(dict.fromkeys(name for cell in cells for name in cell.metrics)),
        runs=tuple(_recorded_run(provenance, roots) for provenance in run.provenance),
        cells=tuple(_recorded_cell(result, roots) for result in run.results),
    )


def roots_of(run: RunResults) -> list[str]:
    """Folders of this machine that texts of a run may name."""
    folders = {result.folder for result in run.results} | {run.folder}
    commands = [provenance.get("command", []) for provenance in run.provenance]
    return local_roots((result.cell.dataset for result in run.results), filter(None, folders), commands)


def _metrics(names: Iterable[str]) -> dict[str, RecordedMetric]:
    """What the metrics are, as far as they can be had here."""
    found = [metric for metric in map(find_metric, names) if not isinstance(metric, BrokenMetric)]
    return {
        metric.name: RecordedMetric(
            title=metric.title,
            unit=metric.unit,
            direction=metric.direction,
            convention=metric.convention,
            measurement=metric.measurement_key,
        )
        for metric in found
    }


def _recorded_run(provenance: Mapping[str, Any], roots: Sequence[str]) -> RecordedRun:
    known = {name: provenance[name] for name in RecordedRun.model_fields if provenance.get(name) is not None}
    return RecordedRun(**portable_values(known, roots))


def _recorded_cell(result: CellResults, roots: Sequence[str]) -> RecordedCell:
    kept = _kept_measurements(result)
    result = replace(result, cell=replace(result.cell, unavailable=dict(_untimed(result)) | result.cell.unavailable))
    texts = ("label", "reason", "hint", "missing", "unavailable", "dataset_notes", "spec", "settings")
    # As a record has them, so that a record of a record says the same.
    cell = replace(result.cell, **{name: portable_values(getattr(result.cell, name), roots) for name in texts})
    return RecordedCell(
        cell_id=cell.cell_id,
        tokenizer=cell.tokenizer,
        label=cell.label,
        spec=cell.spec,
        weights=cell.weights,
        dataset=portable_dataset(cell.dataset),
        protocol_hash=cell.protocol_hash,
        settings={name: _setting(value) for name, value in cell.settings.items()},
        metrics=tuple(cell.metrics),
        status=cell.status,
        reason=cell.reason,
        hint=cell.hint,
        facts={name: recorded_number(value) for name, value in cell.facts.items()},
        missing=tuple(cell.missing),
        unavailable={name: (reason, hint) for name, (reason, hint) in cell.unavailable.items()},
        planned=cell.planned,
        dataset_notes=tuple(cell.dataset_notes),
        num_outside=result.num_outside,
        missing_shards=tuple(result.missing_shards),
        totals={key: _arrays(arrays) for key, arrays in kept.totals.items()},
        stated={name: _estimate(outcome, roots) for name, outcome in kept.stated.items()},
        windows=tuple(_recorded_window(row, result, kept, roots) for row in result.rows),
    )


def _untimed(result: CellResults) -> Iterator[tuple[str, tuple[str, str]]]:
    """Speeds that no throughput pass measured, and why: the timings of rows must not pass for them."""
    for name in result.cell.metrics:
        metric = find_metric(name)
        if not result.has_pass or metric.measurement != MEASUREMENT or result.windows(metric):
            continue
        if isinstance(outcome := result.evaluate(metric), Unavailable):
            yield name, (outcome.reason, outcome.hint)


@dataclass(frozen=True)
class _Kept:
    """What a record keeps of a cell's measurements."""

    by_window: Mapping[str, Mapping[tuple[str, int], MeasuredWindow]]
    """Measurement key → windows whose arrays are kept."""
    all_keys: frozenset[str]
    """Measurement keys that windows are marked with, kept or not."""
    ratios: Mapping[str, Mapping[tuple[str, int], tuple[float, float]]]
    """Metric → numerator and weight of each window."""
    totals: Mapping[str, Mapping[str, np.ndarray]]
    stated: Mapping[str, Estimate | Unavailable]


def _kept_measurements(result: CellResults) -> _Kept:
    by_window: dict[str, dict[tuple[str, int], MeasuredWindow]] = {}
    ratios: dict[str, dict[tuple[str, int], tuple[float, float]]] = {}
    totals: dict[str, Mapping[str, np.ndarray]] = dict(result.totals)
    stated: dict[str, Estimate | Unavailable] = dict(result.stated)
    keys: set[str] = set()
    for name in dict.fromkeys((*result.cell.metrics, *CHARTED)):
        metric = find_metric(name)
        if isinstance(metric, BrokenMetric) or metric.needs == "model" or name in stated:
            continue
        key = metric.measurement_key
        keys.add(key)
        if metric.needs == "features" or (metric.needs == "codes" and not metric.piecewise):
            if name in result.cell.metrics and measures_anything_of(metric, result.cell):
                stated |= _stated(result, metric)
        elif metric.needs == "codes":
            if key not in totals and (pieces := [dict(window.arrays) for window in result.windows(metric)]):
                joined = guarded(metric, "join", lambda metric=metric, pieces=pieces: metric.join(pieces))
                if not isinstance(joined, Unavailable):
                    totals[key] = joined
        else:
            windows = result.windows(metric)
            by_window.setdefault(key, {window.key: window for window in windows})
            if isinstance(metric, RatioMetric) and name in result.cell.metrics:
                ratios[name] = _ratios(metric, windows)
    return _Kept(by_window, frozenset(keys), ratios, totals, stated)


def _stated(result: CellResults, metric: Metric) -> dict[str, Estimate | Unavailable]:
    """A metric's figure as it is, with the notes that its line of the table has, and what is extrapolated from it."""
    outcome = result.evaluate(metric)
    if isinstance(outcome, Unavailable):
        return {metric.name: outcome}
    lacking = [f"{count} windows without it: {why}" for why, count in sorted(result.reasons(metric).items())]
    found: dict[str, Estimate | Unavailable] = {
        metric.name: replace(outcome, note="; ".join(filter(None, (outcome.note, *lacking))))
    }
    windows = result.windows(metric)
    limit = guarded(metric, "extrapolated", lambda: metric.extrapolated(windows, with_interval=False))
    if isinstance(limit, Estimate):
        found[f"{metric.name}-extrapolated"] = limit
    return found


def _ratios(metric: RatioMetric, windows: Sequence[MeasuredWindow]) -> dict[tuple[str, int], tuple[float, float]]:
    found = guarded(
        metric,
        "numerators",
        lambda: {w.key: (math.fsum(metric.numerators(w).tolist()), metric.denominator(w)) for w in windows},
    )
    return {} if isinstance(found, Unavailable) else found


def _recorded_window(row: Row, result: CellResults, kept: _Kept, roots: Sequence[str]) -> RecordedWindow:
    measured = result.measurements.get(row.key, {})
    measurements = {}
    for key in sorted(kept.all_keys):
        window, known = kept.by_window.get(key, {}).get(row.key), measured.get(key)
        if window is not None and (window.arrays or window.reference_arrays):
            arrays, reference = _arrays(window.arrays), _arrays(window.reference_arrays)
            measurements[key] = RecordedMeasurement(arrays=arrays, reference=reference)
        elif known is not None:
            measurements[key] = RecordedMeasurement(reason=portable(known.reason, roots))
    ratios = {name: values[row.key] for name, values in kept.ratios.items() if row.key in values}
    return RecordedWindow(
        source=row.source,
        window=row.window,
        content_id=row.content_id,
        frame_ids=tuple(row.frame_ids),
        fps=recorded_number(row.fps),
        reader=row.reader,
        status=row.status,
        reason=portable(row.reason, roots),
        note=portable(row.note, roots),
        timing={name: recorded_number(value) for name, value in row.timing.items()},
        machine=row.machine,
        numerators={name: recorded_number(numerator) for name, (numerator, _) in ratios.items()},
        weights={name: recorded_number(weight) for name, (_, weight) in ratios.items()},
        measurements=measurements,
    )


def _arrays(arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {name: _array(array) for name, array in sorted(arrays.items())}


def _array(array: np.ndarray) -> RecordedArray:
    values = array.ravel().tolist()
    if array.dtype.kind == "f":
        values = [recorded_number(value) for value in values]
    return RecordedArray(dtype=array.dtype.name, shape=array.shape, values=tuple(values))  # pyright: ignore[reportArgumentType]


def _setting(value: Any) -> Any:
    return recorded_number(value) if isinstance(value, float) else value


def _estimate(outcome: Estimate | Unavailable, roots: Sequence[str]) -> RecordedEstimate:
    if isinstance(outcome, Unavailable):
        return RecordedEstimate(
            reason=portable(outcome.reason, roots) or "no figure", hint=portable(outcome.hint, roots)
        )
    return RecordedEstimate(
        value=recorded_number(outcome.value),
        low=None if outcome.low is None else recorded_number(outcome.low),
        high=None if outcome.high is None else recorded_number(outcome.high),
        count=outcome.count,
        counted=outcome.counted,
        num_sources=outcome.num_sources,
        interval_note=outcome.interval_note,
        note=portable(outcome.note, roots),
    )
