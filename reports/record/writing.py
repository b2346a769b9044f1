"""From a record's content to its files: ``record.json``, and ``record.parquet`` where the windows are many."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .digests import sealed
from .model import FORMAT, VERSION, MeasuredPart, RecordedCell, ResultRecord, WindowFile
from .window_file import pack_windows

RECORD_FILE, WINDOWS_FILE = "record.json", "record.parquet"

MAX_VALUES = 200_000
"""Numbers that metrics measured, up to which the windows are in the JSON file: about 5 MB."""


def record_files(title: str, measured: MeasuredPart, max_values: int = MAX_VALUES) -> dict[str, str | bytes]:
    """The files of a record by name.

    Args:
        title: of the run.
        measured: what the record says of it.
        max_values: numbers in the windows' arrays from which on the windows get a file of their own.
    """
    cells, files = measured.cells, {}
    window_file: WindowFile | None = None
    if num_values(cells) > max_values:
        packed = pack_windows(cells)
        digest = hashlib.sha256(packed).hexdigest()
        window_file = WindowFile(name=WINDOWS_FILE, sha256=digest, num_windows=sum(len(c.windows) for c in cells))
        files[WINDOWS_FILE] = packed
        cells = tuple(cell.model_copy(update={"windows": ()}) for cell in cells)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": f"toklab {importlib.metadata.version('toklab')}",
        "title": title,
        **measured.model_dump(mode="json", exclude={"cells", "figures"}, exclude_defaults=True),
        "figures": [sealed(figure.model_dump(mode="json")) for figure in measured.figures],
        "cells": [sealed(_plain(cell)) for cell in cells],
    }
    if window_file is not None:
        content["window_file"] = _plain(window_file)
    return {RECORD_FILE: _text(sealed(content)), **files}


def _text(content: Mapping[str, Any]) -> str:
    """The content as JSON, with a line for each figure and each cell."""
    parts = []
    for name, value in content.items():
        listed = value if isinstance(value, list) else [value]
        items = ",\n  ".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in listed)
        parts.append(f" {json.dumps(name)}: " + (f"[\n  {items}\n ]" if isinstance(value, list) else items))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def num_values(cells: Iterable[RecordedCell]) -> int:
    """Numbers in the arrays of all windows."""
    return sum(
        len(array.values)
        for cell in cells
        for window in cell.windows
        for measurement in window.measurements.values()
        for array in (*measurement.arrays.values(), *measurement.reference.values())
    )


def schema_text() -> str:
    """The JSON Schema of a record, as it ships."""
    return json.dumps(ResultRecord.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def _plain(part: Any) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)
