"""From a record's content to its files: ``record.json``, and ``record.parquet`` where the windows are many."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..schema import TableError
from .digests import sealed
from .model import FORMAT, MAX_BYTES, VERSION, MeasuredPart, RecordedCell, ResultRecord, WindowFile
from .window_file import pack_windows

RECORD_FILE, WINDOWS_FILE = "record.json", "record.parquet"

INLINE_BYTES = 5 * 2**20
"""Bytes of windows, as JSON, up to which they are in the JSON file."""


class RecordSizeError(TableError):
    """A record that would be too large to be read."""


def record_files(title: str, measured: MeasuredPart, inline_bytes: int = INLINE_BYTES) -> dict[str, str | bytes]:
    """The files of a record by name.

    Args:
        title: of the run.
        measured: what the record says of it.
        inline_bytes: bytes of windows, as JSON, from which on they get a file of their own.

    Raises:
        RecordSizeError: if ``record.json`` would be larger than is read, with the windows in a file of their own.
    """
    if not _are_long(measured.cells, inline_bytes):
        text = _record_text(title, measured, None)
        if len(text.encode()) <= MAX_BYTES:
            return {RECORD_FILE: text}
    packed = pack_windows(measured.cells)
    digest = hashlib.sha256(packed).hexdigest()
    number = sum(len(cell.windows) for cell in measured.cells)
    cells = tuple(cell.model_copy(update={"windows": ()}) for cell in measured.cells)
    without = measured.model_copy(update={"cells": cells})
    text = _record_text(title, without, WindowFile(name=WINDOWS_FILE, sha256=digest, num_windows=number))
    if (size := len(text.encode())) > MAX_BYTES:
        raise RecordSizeError(
            f"{RECORD_FILE} would have {size / 2**20:,.1f} MiB, and a record has at most {MAX_BYTES / 2**20:g}: put "
            "fewer systems into a record, or choose other formats"
        )
    return {RECORD_FILE: text, WINDOWS_FILE: packed}


def _are_long(cells: Iterable[RecordedCell], most: int) -> bool:
    """Whether the windows of some cells take more bytes than so many; few more than those are looked at."""
    for window in (window for cell in cells for window in cell.windows):
        most -= len(window.model_dump_json(exclude_defaults=True).encode())
        if most < 0:
            return True
    return most < 0


def _record_text(title: str, measured: MeasuredPart, window_file: WindowFile | None) -> str:
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": f"toklab {importlib.metadata.version('toklab')}",
        "title": title,
        **measured.model_dump(mode="json", exclude={"cells", "figures"}, exclude_defaults=True),
        "figures": [sealed(figure.model_dump(mode="json")) for figure in measured.figures],
        "cells": [sealed(_plain(cell)) for cell in measured.cells],
    }
    if window_file is not None:
        content["window_file"] = _plain(window_file)
    return _text(sealed(content))


def _text(content: Mapping[str, Any]) -> str:
    """The content as JSON, with a line for each figure and each cell."""
    parts = []
    for name, value in content.items():
        listed = value if isinstance(value, list) else [value]
        items = ",\n  ".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in listed)
        parts.append(f" {json.dumps(name)}: " + (f"[\n  {items}\n ]" if isinstance(value, list) else items))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def schema_text() -> str:
    """The JSON Schema of a record, as it ships."""
    return json.dumps(ResultRecord.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def _plain(part: Any) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)
