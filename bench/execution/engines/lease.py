"""What the process that writes the ledger and its workers send each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ledger.records import Row
from ...planning.cell import Cell
from ..known_windows import KnownWindow
from ..options import RunOptions
from .row_sink import WindowRecord
from .work_units import Place, WorkUnit


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker is made with."""

    number: int
    """From 1."""
    run_id: str
    options: RunOptions
    threads: int
    """Of the models, where they run on the processor."""
    card_folders: tuple[Path, ...]
    variables: Mapping[str, str]
    """Environment variables of toklab; those that a node sets itself stay."""
    hidden_paths: tuple[str, ...]
    """Folders that the worker mustn't import from, as the driver doesn't."""
    temporary_folder: Path | None
    """Where workers write what is removed at the end; ``None``: in their node's folder for temporary files."""
    cache_folder: Path | None
    """Where decoded windows are kept for all workers of a node; ``None``: in its folder for temporary files."""
    shares_clips: bool = True
    """Whether decoded windows are kept, as several tokenizers see them."""


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker says of itself."""

    name: str
    """What rows name it by: its number and its machine."""
    node: str
    """Identity of its node."""
    provenance: Mapping[str, Any]
    """Versions, device and machine: see :mod:`toklab.bench.execution.provenance`."""


@dataclass(frozen=True)
class Lease:
    """Units of one cell that a worker is to compute."""

    cell: Cell
    cell_id: str
    """What the worker's own card and weights must come to."""
    measurement_keys: tuple[tuple[str, str], ...]
    """Name of each metric that measures windows, and what it measures under."""
    units: tuple[WorkUnit, ...]
    known: Mapping[Place, KnownWindow]
    """What the ledger had of their windows when the cell was opened."""
    done: frozenset[Place]
    """Those of their windows that were committed since."""
    chosen: frozenset[str]
    """Clips whose reconstruction is to be kept."""
    kept_references: frozenset[str]
    """Those of them whose reference is kept already."""
    references: frozenset[tuple[str, str]]
    """Clips and measurements of references that the ledger has."""
    is_alone: bool
    """Whether nothing else of the run works on the machine, or on the worker's GPU."""


@dataclass(frozen=True)
class Refused:
    """The worker can't compute the cell."""

    reason: str
    hint: str = ""


@dataclass(frozen=True)
class Ready:
    """The model is built."""


@dataclass(frozen=True)
class Working:
    """A forward pass begins, or is over."""

    rows: tuple[Row, ...]
    """Its windows, as they stand in the ledger if it never ends."""
    is_forward: bool = True
    """Whether the forward pass runs; else metrics do."""


@dataclass(frozen=True)
class KeptFile:
    """A kept video."""

    path: str
    """Below the run folder."""
    content: bytes


@dataclass(frozen=True)
class Made:
    """Windows are computed; they are committed together."""

    records: tuple[WindowRecord, ...]
    files: tuple[KeptFile, ...]
    num_windows: int
    num_failed: int
    messages: tuple[str, ...]
    faulty_metrics: frozenset[str]


Event = Refused | Ready | Working | Made
"""What a worker says while it works on a lease."""
