"""From a record's files to its content; what can't be relied on is refused by name."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from ..text import one_line
from .digests import is_sealed
from .model import FORMAT, MAX_BYTES, VERSION, ResultRecord, WindowFile
from .window_file import WindowFileError, unpack_windows

WRITE_AGAIN = "write it again with `toklab report RUN --format json`"


class RecordError(ValueError):
    """A file that is no result record, isn't as it was written, or is of another version."""


def read_record(path: Path) -> ResultRecord:
    """Read and check a record; the windows of a file beside it are in its cells.

    Raises:
        RecordError: that names the file, what is wrong with it, and what to do.
    """
    raw = _raw(path)
    _check_version(path, raw)
    if not is_sealed(raw):
        where = next(_changed(raw), "its content isn't what was written")
        raise RecordError(f"{path} was changed: {one_line(where)}; get the file again, or {WRITE_AGAIN}")
    try:
        record = ResultRecord.model_validate_json(json.dumps(raw, allow_nan=False))
    except (ValidationError, RecursionError) as error:
        raise RecordError(f"{path} is no valid record: {_first_problem(error)}; {WRITE_AGAIN}") from error
    if record.window_file is not None:
        record = _with_windows(path, record, record.window_file)
    _check_names(path, record)
    return record


def is_record(path: Path) -> bool:
    """Whether a path looks like that of a record: a JSON file."""
    return path.suffix.lower() == ".json" and path.is_file()


def _raw(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise RecordError(f"{path} has {size / 2**20:,.0f} MiB, and a record at most {MAX_BYTES / 2**20:g}")
        raw = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
        # Numbers that are too large for a float became infinite.
        json.dumps(raw, allow_nan=False).encode()
    except RecordError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))
        raise RecordError(f"{path} can't be read as a result record: {problem}") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise RecordError(f"{path} is no result record; `toklab report RUN --format json` writes one")
    return raw


def _check_version(path: Path, raw: Mapping[str, Any]) -> None:
    version = raw.get("version")
    if version != VERSION or isinstance(version, bool):
        is_newer = isinstance(version, int) and version > VERSION
        fix = "update toklab" if is_newer else WRITE_AGAIN
        shown = one_line(repr(version))[:40]
        raise RecordError(f"{path} is a record of version {shown}, and this toklab reads version {VERSION}: {fix}")


def _changed(raw: Mapping[str, Any]) -> Iterator[str]:
    """Which parts aren't what was written, in words."""
    for kind, title in (("figures", "{metric} of {label} on {dataset}"), ("cells", "{label} on {dataset}")):
        parts = raw.get(kind)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and not is_sealed(part):
                names = {name: str(part.get(name, "?")) for name in ("metric", "label")}
                yield title.format(dataset=part.get("dataset") or "no dataset", **names) + " isn't what was written"


def _with_windows(path: Path, record: ResultRecord, file: WindowFile) -> ResultRecord:
    """The record with the windows of the file beside it, which may have been renamed together with it."""
    choices = dict.fromkeys((path.with_name(file.name), path.with_suffix(".parquet")))
    there = [choice for choice in choices if choice.is_file()]
    if not there:
        raise RecordError(f"{path} needs the file {file.name} beside it, which holds its windows")
    # Under the name that it was written with, another record's may lie.
    found = next((choice for choice in there if _sha256(choice) == file.sha256), None)
    if found is None:
        others = " or ".join(map(str, there))
        raise RecordError(f"{others} isn't the file that {path} was written with; get both again")
    try:
        windows = unpack_windows(found)
    except WindowFileError as error:
        raise RecordError(str(error)) from error
    if sum(map(len, windows.values())) != file.num_windows or set(windows) - {cell.cell_id for cell in record.cells}:
        raise RecordError(f"{found} holds other windows than {path} says; {WRITE_AGAIN}")
    cells = [cell.model_copy(update={"windows": tuple(windows.get(cell.cell_id, ()))}) for cell in record.cells]
    return record.model_copy(update={"cells": tuple(cells)})


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check_names(path: Path, record: ResultRecord) -> None:
    """Refuse what is there twice, and cells without their protocol."""
    cells = Counter(cell.cell_id for cell in record.cells)
    problems = [f"the cell {cell_id} is there twice" for cell_id, count in cells.items() if count > 1]
    for cell in record.cells:
        if cell.protocol_hash not in record.protocols:
            problems.append(f"{cell.label} has the protocol {cell.protocol_hash}, which the record doesn't describe")
        windows = Counter((window.source, window.window) for window in cell.windows)
        problems += [f"{cell.label} has window {key} twice" for key, count in windows.items() if count > 1]
    if problems:
        raise RecordError(f"{path} is no valid record: {one_line(problems[0])}; {WRITE_AGAIN}")


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    # Of a choice of types, pydantic names each; the first place says enough.
    place = ".".join(map(str, found[0]["loc"]))
    return one_line(f"{place}: {found[0]['msg']}"[:300])
