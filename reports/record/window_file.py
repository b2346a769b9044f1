"""The windows of a large record as a Parquet file: one row a window of a cell.

``numerators`` and ``weights`` are maps by metric, for whoever reads the file without toklab; ``rest`` is JSON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .model import RecordedCell, RecordedWindow, recorded_number

MAX_ROWS = 20_000_000
MAX_BYTES = 4 * 2**30
"""Unpacked; a small file can be packed from a large one."""

_COLUMNS = ("source", "window", "content_id", "frame_ids", "status", "numerators", "weights")
_MAPS = ("numerators", "weights")
_SCHEMA = pa.schema(
    [
        ("cell_id", pa.string()),
        ("source", pa.string()),
        ("window", pa.int64()),
        ("content_id", pa.string()),
        ("frame_ids", pa.list_(pa.int64())),
        ("status", pa.string()),
        ("numerators", pa.map_(pa.string(), pa.float64())),
        ("weights", pa.map_(pa.string(), pa.float64())),
        ("rest", pa.string()),
    ]
)


class WindowFileError(ValueError):
    """A Parquet file that isn't what a record's windows are kept in."""


def pack_windows(cells: Iterable[RecordedCell]) -> bytes:
    """The windows of all cells as a Parquet file; the same cells give the same bytes."""
    rows = [
        {
            "cell_id": cell.cell_id,
            **{name: getattr(window, name) for name in _COLUMNS if name not in _MAPS},
            **{name: [(key, float(value)) for key, value in getattr(window, name).items()] for name in _MAPS},
            "rest": window.model_dump_json(exclude=set(_COLUMNS), exclude_defaults=True),
        }
        for cell in cells
        for window in cell.windows
    ]
    packed = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), packed, compression="zstd")
    return packed.getvalue()


def unpack_windows(path: Path) -> dict[str, list[RecordedWindow]]:
    """The windows by cell.

    Raises:
        WindowFileError: if the file is something else, or too large.
    """
    found: dict[str, list[RecordedWindow]] = {}
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            size = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
            if metadata.num_rows > MAX_ROWS or size > MAX_BYTES:
                raise WindowFileError(
                    f"{path} has {metadata.num_rows:,} rows and {size / 2**30:,.1f} GiB; a record has at most "
                    f"{MAX_ROWS:,} and {MAX_BYTES / 2**30:g} GiB"
                )
            if not file.schema_arrow.equals(_SCHEMA):
                raise WindowFileError(f"{path} has other columns than a record's windows")
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    found.setdefault(row["cell_id"], []).append(_window(row))
    except WindowFileError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WindowFileError(f"{path} can't be read: {str(error).splitlines()[0]}") from error
    return found


def _window(row: dict[str, Any]) -> RecordedWindow:
    maps = {name: dict(row[name]) for name in _MAPS}
    finite = {name: {key: recorded_number(value) for key, value in values.items()} for name, values in maps.items()}
    listed = {name: row[name] for name in _COLUMNS if name not in _MAPS}
    rest = json.loads(str(row["rest"]))
    # As JSON, so that the rules are those of a record's own file.
    return RecordedWindow.model_validate_json(json.dumps({**rest, **listed, **finite}))
