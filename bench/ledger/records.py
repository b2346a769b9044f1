"""The records the ledger keeps, each field described once; the ledger's tables and columns follow from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any, Literal, TypeVar, get_type_hints

RecordT = TypeVar("RecordT")

SQL_TYPES = {int: "INTEGER", float: "REAL"}
"""Column types of plain numbers; everything else is kept as text or JSON."""


def column_name(described: Field[Any]) -> str:
    """The ledger's column for a field of a record; columns keep the names of the first ledgers."""
    return described.metadata.get("column", described.name)


@dataclass(frozen=True)
class RunRecord:
    """One invocation of the runner on a run folder."""

    run_id: str = field(metadata={"column": "run"})
    """Identity: time of start and process."""
    started: str
    """UTC, ISO 8601."""
    finished: str
    """UTC, ISO 8601; empty while it runs, and for ever if it was killed."""
    provenance: dict[str, Any]
    """Versions, device, commit, command line: see :mod:`toklab.bench.execution.provenance`."""


@dataclass(frozen=True)
class CellRecord:
    """One tokenizer on one dataset under one protocol with one set of inference settings."""

    cell_id: str = field(metadata={"column": "cell"})
    """Forward identity: hash of card, weights, dataset name, protocol and settings."""
    tokenizer: str
    """Name of the card or plugin."""
    label: str
    """Row label: the tokenizer's name and the settings that differ from the default."""
    spec: dict[str, Any]
    """The tokenizer's spec as plain values."""
    weights: str
    """Identity of the weights: ``sha256:…``, ``random:SEED`` or ``none``."""
    dataset: str
    """Identity of the dataset: its name, or kind and resolved root of an unnamed folder."""
    protocol: dict[str, Any]
    """The protocol's fields, its name among them."""
    protocol_hash: str
    settings: dict[str, Any]
    """The inference settings."""
    metrics: tuple[str, ...]
    """Names of the metrics asked for, in order."""
    status: Literal["open", "finished", "failed"] = "open"
    """``finished``: every planned window is scored or failed with a reason; ``failed``: the tokenizer couldn't run."""
    reason: str = ""
    """Why the cell failed."""
    hint: str = field(default="", metadata={"column": "cure"})
    """The command that fixes a failed cell, where one is known."""
    facts: dict[str, float] = field(default_factory=dict)
    """Figures that need no clip: parameters, multiply-adds, codebook size."""
    missing: tuple[str, ...] = ()
    """Videos the dataset's own list names and the disk doesn't hold: ``key: reason``."""
    unavailable: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Metrics that couldn't be computed: name → (reason, hint)."""
    planned: int = 0
    """Windows the dataset gives under the protocol, unreadable sources counted as one each."""
    dataset_notes: tuple[str, ...] = ()
    """What a reader of the figures must know of the videos: ``key: …``."""


@dataclass(frozen=True)
class Row:
    """One window through one cell: scored, or failed with a reason."""

    cell_id: str = field(metadata={"column": "cell"})
    source: str
    """Key of the source video."""
    window: int
    """Index of the window in its source; −1 where the whole source couldn't be read."""
    content_id: str
    """SHA-256 of the source's content."""
    frame_ids: tuple[int, ...]
    """Indices of the window's frames in the source."""
    fps: float
    """Frame rate of the source."""
    reader: str
    """Which reader decoded it."""
    status: Literal["scored", "failed"]
    reason: str
    """Why it failed; empty if scored."""
    timing: dict[str, float]
    """Seconds, batch size and memory of the forward pass: see :mod:`toklab.bench.execution.forward`."""
    machine: str
    """Identity of the machine that ran it."""
    run_id: str = field(metadata={"column": "run"})
    """The invocation that computed it."""
    note: str = ""
    """What makes a scored window doubtful: damaged frames; empty if nothing does."""
    worker: str = ""
    """Which of the run's workers made it, and on which machine; empty for the run's own process."""

    @property
    def key(self) -> tuple[str, int]:
        """What rows of one cell are sorted and matched by."""
        return (self.source, self.window)


@dataclass(frozen=True)
class Measurement:
    """What one metric measured on one window."""

    cell_id: str = field(metadata={"column": "cell"})
    source: str
    window: int
    measurement_key: str = field(metadata={"column": "measurement"})
    """Name, version and weights of what was measured."""
    arrays: bytes
    """Named arrays, in the safetensors format; empty if it failed."""
    reason: str = ""
    """Why the metric couldn't measure this window."""


@dataclass(frozen=True)
class ReferenceMeasurement:
    """What a metric measured on the reference alone, shared by all tokenizers."""

    clip: str
    """Hash of the source's content, the frame ids and the protocol."""
    measurement_key: str = field(metadata={"column": "measurement"})
    arrays: bytes


@dataclass(frozen=True)
class CellFile:
    """The Parquet file of a compacted cell, as it must be."""

    cell_id: str = field(metadata={"column": "cell"})
    digest: str
    """Digest of the whole file; empty while the first one is written."""
    next_digest: str = ""
    """Digest of the file that is about to take its place; until the next commit either may be there."""


PRIMARY_KEYS: dict[type, tuple[str, ...]] = {
    RunRecord: ("run",),
    CellRecord: ("cell",),
    Row: ("cell", "source", "window"),
    Measurement: ("cell", "source", "window", "measurement"),
    ReferenceMeasurement: ("clip", "measurement"),
    CellFile: ("cell",),
}
"""The tables of the ledger, and the columns that identify a row of each."""

TABLES: dict[type, str] = {
    RunRecord: "runs",
    CellRecord: "cells",
    Row: "rows",
    Measurement: "measurements",
    ReferenceMeasurement: "reference_measurements",
    CellFile: "cell_files",
}


@cache
def column_types(record: type) -> dict[str, str]:
    """SQL type of every column of a record class, in order."""
    hints = get_type_hints(record)
    return {
        column_name(f): "BLOB" if hints[f.name] is bytes else SQL_TYPES.get(hints[f.name], "TEXT")
        for f in fields(record)
    }


def to_columns(record: Any) -> tuple[Any, ...]:
    """Values of a record as SQLite takes them; collections become JSON."""
    return tuple(_to_column(getattr(record, f.name)) for f in fields(record))


def default_column(record: type, name: str) -> Any:
    """What a column holds in records that were written before it was there.

    Raises:
        ValueError: if the field has no default.
    """
    described = next(f for f in fields(record) if column_name(f) == name)
    if described.default is not MISSING:
        return _to_column(described.default)
    if described.default_factory is not MISSING:
        return _to_column(described.default_factory())
    raise ValueError(f"the ledger has no column {name}, and {record.__name__} no default for it")


def from_named_columns(record: type[RecordT], names: Sequence[str]) -> Callable[[Sequence[Any]], RecordT]:
    """What makes a record of the values of some columns; those that aren't there take the field's default."""
    decoders = _decoders(record)
    known = [(place, *decoders[name]) for place, name in enumerate(names) if name in decoders]

    def decode(values: Sequence[Any]) -> RecordT:
        return record(
            **{name: values[place] if decoder is None else decoder(values[place]) for place, name, decoder in known}
        )

    return decode


@cache
def _decoders(record: type) -> dict[str, tuple[str, Callable[[Any], Any] | None]]:
    """Field of every column, and what makes its value of the column's."""
    hints = get_type_hints(record)
    kinds = {"dict": json.loads, "tupl": _tuple_from_json}
    return {column_name(f): (f.name, kinds.get(str(hints[f.name])[:4])) for f in fields(record)}


def _tuple_from_json(text: str) -> tuple[Any, ...]:
    return tuple(json.loads(text))


def _to_column(value: Any) -> Any:
    if isinstance(value, str):
        # Neither SQLite nor Parquet takes text that no encoding can write, such as a name that isn't UTF-8 in an error.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, tuple, list)) else value
