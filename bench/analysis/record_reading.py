"""From a result record to cells, as a run folder would give them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ...datasets.protocol import Protocol
from ...reports.record.model import (
    Arrays,
    RecordedArray,
    RecordedCell,
    RecordedEstimate,
    RecordedWindow,
    ResultRecord,
    numbers,
)
from ...reports.record.reading import RecordError, read_record
from ...reports.text import one_line
from ..ledger.counted_facts import with_sound_facts
from ..ledger.ledger import pack_arrays
from ..ledger.records import CellRecord, Measurement, Row
from ..metrics.interface import Estimate, Unavailable
from ..metrics.repetitions import MEASUREMENT
from ..planning.cell import reference_identity
from .cell_results import CellResults
from .results import named_together

MAX_CODEBOOK = 2**28
"""Entries of the largest codebook whose counts are laid out in memory."""


@dataclass(frozen=True)
class OpenedRecord:
    """A record as values of a run."""

    title: str
    results: tuple[CellResults, ...]
    provenance: tuple[dict[str, Any], ...]


def open_record(path: Path) -> OpenedRecord:
    """Read a record.

    Raises:
        RecordError: if it isn't as it was written, of another version, or can't be right.
    """
    record = read_record(path)
    try:
        _check_protocols(record)
        results = [_cell_results(cell, record) for cell in record.cells]
    except (ValueError, OverflowError, TypeError) as error:
        raise RecordError(f"{path} is no valid record: {one_line(str(error))}") from error
    runs = tuple(run.model_dump() for run in record.runs)
    return OpenedRecord(record.title, tuple(named_together(results)), runs)


def _check_protocols(record: ResultRecord) -> None:
    """Refuse a protocol under another one's hash: figures of the two would share a column."""
    for digest, values in record.protocols.items():
        try:
            protocol = Protocol.model_validate_json(json.dumps(values))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))
            raise ValueError(
                f"this toklab doesn't know its protocol {digest}: {place}: {problem['msg']}; update toklab"
            ) from error
        if protocol.hash != digest:
            raise ValueError(f"the protocol {protocol.name!r} has the hash {protocol.hash}, not {digest}")


def _cell_results(cell: RecordedCell, record: ResultRecord) -> CellResults:
    described = CellRecord(
        cell_id=cell.cell_id,
        tokenizer=cell.tokenizer,
        label=cell.label,
        spec=cell.spec,
        weights=cell.weights,
        dataset=cell.dataset,
        protocol=record.protocols[cell.protocol_hash],
        protocol_hash=cell.protocol_hash,
        settings=cell.settings,
        metrics=cell.metrics,
        status=cell.status,
        reason=cell.reason,
        hint=cell.hint,
        facts=numbers(cell.facts),
        missing=cell.missing,
        unavailable=cell.unavailable,
        planned=cell.planned,
        dataset_notes=cell.dataset_notes,
    )
    return CellResults(
        cell=with_sound_facts(described),
        rows=[_row(cell.cell_id, window) for window in cell.windows],
        measurements={(w.source, w.window): dict(_measurements(cell.cell_id, w)) for w in cell.windows},
        references=dict(_references(cell)),
        num_outside=cell.num_outside,
        missing_shards=cell.missing_shards,
        has_pass=_has_pass(cell, record),
        totals={key: _counts(key, arrays) for key, arrays in cell.totals.items()},
        stated={name: _outcome(stated) for name, stated in cell.stated.items()},
    )


def _has_pass(cell: RecordedCell, record: ResultRecord) -> bool:
    """Whether speeds come from a throughput pass: repetitions are there, or why there are none."""
    keys = {name: metric.measurement for name, metric in record.metrics.items()}
    speeds = {name: key for name, key in keys.items() if key.startswith(f"{MEASUREMENT}:")}
    timed = (found for window in cell.windows for key, found in window.measurements.items() if key in speeds.values())
    return bool(speeds.keys() & cell.unavailable.keys()) or any(found.arrays for found in timed)


def _row(cell_id: str, window: RecordedWindow) -> Row:
    return Row(
        cell_id=cell_id,
        source=window.source,
        window=window.window,
        content_id=window.content_id,
        frame_ids=window.frame_ids,
        fps=float(window.fps),
        reader=window.reader,
        status=window.status,
        reason=window.reason,
        timing=numbers(window.timing),
        machine=window.machine,
        run_id="",
        note=window.note,
    )


def _measurements(cell_id: str, window: RecordedWindow) -> Iterator[tuple[str, Measurement]]:
    for key, measured in window.measurements.items():
        packed = pack_arrays(_unpacked(measured.arrays)) if measured.arrays else b""
        yield key, Measurement(cell_id, window.source, window.window, key, packed, measured.reason)


def _references(cell: RecordedCell) -> Iterator[tuple[tuple[str, str], bytes]]:
    for window in cell.windows:
        for key, measured in window.measurements.items():
            if measured.reference:
                clip = reference_identity(window.content_id, window.frame_ids, cell.protocol_hash)
                yield (clip, key), pack_arrays(_unpacked(measured.reference))


def _unpacked(arrays: Arrays) -> dict[str, np.ndarray]:
    return {name: _array(name, array) for name, array in arrays.items()}


def _array(name: str, array: RecordedArray) -> np.ndarray:
    if math.prod(array.shape) != len(array.values):
        raise ValueError(f"the array {name} has {len(array.values)} values for the shape {array.shape}")
    whole = not array.dtype.startswith("float")
    if whole and not all(isinstance(value, int) for value in array.values):
        raise ValueError(f"the array {name} of {array.dtype} has values that aren't whole")
    values = array.values if whole else [float(value) for value in array.values]
    return np.array(values, dtype=array.dtype).reshape(array.shape)


def _counts(key: str, arrays: Arrays) -> Mapping[str, np.ndarray]:
    """Counts of codes; codebooks of sizes that no memory holds are refused."""
    unpacked = _unpacked(arrays)
    sizes = unpacked.get("sizes", np.empty(0))
    if (sizes < 1).any() or (sizes > MAX_CODEBOOK).any():
        raise ValueError(f"{key} has codebooks of {', '.join(map(str, sizes.tolist()))} entries")
    for book, size in enumerate(sizes.tolist()):
        codes, counts = unpacked.get(f"codes_{book}"), unpacked.get(f"counts_{book}")
        if codes is None or counts is None or codes.shape != counts.shape or codes.ndim != 1:
            raise ValueError(f"{key} lacks the counts of codebook {book}")
        if codes.size and (
            codes.min() < 0 or codes.max() >= size or counts.min() < 1 or np.diff(codes).min(initial=1) < 1
        ):
            raise ValueError(f"{key} has counts that can't be of codebook {book}, of {size} entries")
    return unpacked


def _outcome(stated: RecordedEstimate) -> Estimate | Unavailable:
    if stated.reason:
        return Unavailable(stated.reason, stated.hint)
    return Estimate(
        value=float(stated.value),
        count=stated.count,
        counted=stated.counted,
        low=None if stated.low is None else float(stated.low),
        high=None if stated.high is None else float(stated.high),
        note=stated.note,
        num_sources=stated.num_sources,
        interval_note=stated.interval_note,
    )
