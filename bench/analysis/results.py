"""A run as its cells, with names that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from ...datasets.names import display_names
from ...reports.text import one_line
from ..catalog.catalog import datasets
from ..ledger.ledger import Ledger
from ..ledger.records import CellRecord
from ..planning.suite import Suite, read_suite
from .cell_results import CellResults

CHANGED = "["
"""What the changes of a protocol begin with in its name: ``vidtok[height=32,width=32]``."""


@dataclass(frozen=True)
class RunResults:
    """What a run measured, read once."""

    name: str
    """Title of its suite, or name of its folder."""
    results: tuple[CellResults, ...]
    """Every cell with its windows."""
    provenance: tuple[dict[str, Any], ...]
    """Versions, machine and command of every invocation, in order of time."""
    folder: Path | None = None
    """The run folder; ``None`` where nothing was kept."""
    suite: Suite | None = None
    """The suite it was last run with, where there is one."""
    remarks: tuple[str, ...] = ()
    """What a reader must know of how several runs came together."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a run folder.

        Raises:
            LedgerError: if the folder is no run folder, or damaged.
        """
        with Ledger(folder) as ledger:
            results, runs = read_results(ledger), ledger.runs()
        suite = read_suite(folder)
        name = (suite.title or suite.name) if suite else folder.name
        return cls(name, tuple(results), tuple(run.provenance for run in runs), folder, suite)

    @property
    def all_remarks(self) -> list[str]:
        """What a reader of the figures must know: of the run and of its cells, each remark once."""
        return list(dict.fromkeys((*self.remarks, *(remark for result in self.results for remark in result.remarks))))


def read_results(ledger: Ledger) -> list[CellResults]:
    """Every cell of a ledger."""
    references = ledger.reference_measurements()
    versions = {run.run_id: run.provenance.get("versions", {}) for run in ledger.runs()}
    cells = [CellResults.read(ledger, cell, references, versions) for cell in ledger.cells()]
    return named_together(cells)


def named_together(results: Sequence[CellResults]) -> list[CellResults]:
    """The same cells, read together: with names of datasets, protocols and versions that hold among all of them."""
    return name_versions(name_protocols(name_datasets(results)))


def name_versions(results: Sequence[CellResults]) -> list[CellResults]:
    """The same cells; those of one label are told apart by their weights, and by their identities where these agree.

    A label with several weights names them on every dataset, so that no row of a table holds figures of two models.
    """
    # Two runs may hold the same cell, which is one version.
    cells = {result.cell.cell_id: result.cell for result in results if result.cell.status != "failed"}
    weights = Counter(label for label, _ in {(cell.label, cell.weights) for cell in cells.values()})
    alike = Counter(map(_version, cells.values()))
    qualifiers: dict[str, str] = {}
    for cell_id, cell in cells.items():
        by_weights = [short_weights(cell.weights)] if weights[cell.label] > 1 else []
        by_identity = [f"cell {cell_id[:8]}"] if alike[_version(cell)] > 1 else []
        qualifiers[cell_id] = ", ".join(by_weights + by_identity)
    return [replace(result, qualifier=qualifiers.get(result.cell.cell_id, "")) for result in results]


def _version(cell: CellRecord) -> tuple[str, str, str, str]:
    return (cell.label, cell.weights, cell.dataset, cell.protocol_hash)


def short_weights(weights: str) -> str:
    """The identity of weights as labels have it: the kind of hash, and 12 digits for each file."""
    kind, colon, digests = weights.partition(":")
    return f"{kind}{colon}{'+'.join(digest[:12] for digest in digests.split('+'))}"


def name_datasets(results: Sequence[CellResults]) -> list[CellResults]:
    """The same cells, with names of their datasets that are unique among them; no folder goes by an official name."""
    names = display_names((result.cell.dataset for result in results), reserved=tuple(datasets()))
    return [replace(result, dataset=one_line(names[result.cell.dataset])) for result in results]


def name_protocols(results: Sequence[CellResults]) -> list[CellResults]:
    """The same cells, with one name for each hash of a protocol: the first that tells of no changes, or the first.

    One protocol has two names where it is shipped and somebody set another one's fields to the same values.
    """
    names: dict[str, str] = {}
    for cell in (result.cell for result in results):
        known, name = names.setdefault(cell.protocol_hash, cell.protocol["name"]), cell.protocol["name"]
        if CHANGED in known and CHANGED not in name:
            names[cell.protocol_hash] = name
    return [
        replace(r, cell=replace(r.cell, protocol={**r.cell.protocol, "name": names[r.cell.protocol_hash]}))
        for r in results
    ]
