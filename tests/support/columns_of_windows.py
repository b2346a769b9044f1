"""Measured windows as the columns that a ledger gives of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from toklab.bench.ledger.columns import Blobs, MeasurementColumn, MeasurementColumns, RowColumns
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.ledger.texts import Texts
from toklab.bench.metrics.interface import MeasuredWindow
from toklab.bench.metrics.window_columns import WindowColumns


def columns_of(windows: Sequence[MeasuredWindow]) -> WindowColumns:
    """The windows in the ledger's order, by file and index; those without arrays have no measurement."""
    ordered = sorted(windows, key=lambda window: window.key)
    texts = {
        "content_id": _texts([window.source for window in ordered]),
        "source": _texts([window.key[0] for window in ordered]),
        "machine": _texts([window.machine for window in ordered]),
        "frame_ids": _texts([json.dumps(list(range(window.num_frames))) for window in ordered]),
    }
    timing = pa.array([json.dumps(dict(window.timing)) for window in ordered], pa.string())
    indices = np.array([window.window for window in ordered], np.int64)
    rows = RowColumns("cell", texts, indices, np.full(len(ordered), 30.0), timing)
    measured = np.array([place for place, window in enumerate(ordered) if window.arrays], np.int64)
    packed = pa.array([pack_arrays(dict(ordered[place].arrays)) for place in measured], pa.binary())
    column = MeasurementColumn("measured", len(ordered), [Blobs(measured, lambda: packed, {})])
    references = [window.reference_arrays for window in ordered]
    return WindowColumns(
        MeasurementColumns(rows, {"measured": column}),
        np.arange(len(ordered)),
        column,
        references.__getitem__ if any(references) else None,
    )


def _texts(values: Sequence[str]) -> Texts:
    # The first text comes last, so that codes aren't in the order of the texts.
    names = sorted(set(values), reverse=True)
    return Texts(np.array([names.index(value) for value in values], np.int32), tuple(names))
