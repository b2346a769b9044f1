"""What a service for tracking experiments gets: one entry for each tokenizer on a dataset under a protocol."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..analysis.cell_results import CellResults
from ..analysis.run import Run

_REFUSED = re.compile(r"[^\w.\- /]")
"""What names of metrics can't have in MLflow."""


class LoggingError(ValueError):
    """Why a service doesn't take figures: its package isn't here, or it refuses."""


@dataclass(frozen=True)
class LoggedRun:
    """One entry."""

    name: str
    parameters: dict[str, str]
    """Tokenizer, dataset, protocol, weights and settings."""
    figures: dict[str, float] = field(default_factory=dict)
    """By metric, with ``.low`` and ``.high`` for the ends of its interval; those that are unavailable are left out."""
    notes: dict[str, str] = field(default_factory=dict)
    """By metric: warnings, and why a figure is unavailable."""


def logged_runs(run: Run) -> Iterator[LoggedRun]:
    """Each tokenizer on a dataset under a protocol, with its figures; those of the tokenizer alone are in each of its
    entries.
    """
    table = run.table().to_dict("records")
    for result in _cells_of_table(run):
        rows = [row for row in table if row["label"] == result.label]
        # Figures of the tokenizer alone differ between some protocols: then the protocol's own row counts.
        general = {row["metric"]: row for row in rows if not row["dataset"]}
        place = (result.dataset, result.cell.protocol_hash)
        own = {row["metric"]: row for row in rows if (row["dataset"], row["protocol_hash"]) == place}
        logged = LoggedRun(f"{result.label} on {result.dataset}", _parameters(result))
        for metric, row in (general | own).items():
            name = _REFUSED.sub("_", str(metric))
            ends = (("", row["value"]), (".low", row["low"]), (".high", row["high"]))
            logged.figures.update({f"{name}{end}": float(value) for end, value in ends if math.isfinite(value)})
            if row["note"]:
                logged.notes[name] = str(row["note"])
        yield logged


def _cells_of_table(run: Run) -> Iterable[CellResults]:
    """The cells of a run, without those that failed and whose place in the table another one took."""
    found: dict[tuple[str, str, str], CellResults] = {}
    for result in run.results:
        place = (result.label, result.dataset, result.cell.protocol_hash)
        if place not in found or result.cell.status != "failed":
            found[place] = result
    return found.values()


def _parameters(result: CellResults) -> dict[str, str]:
    cell = result.cell
    named = {
        "tokenizer": cell.tokenizer,
        "label": result.label,
        "dataset": result.dataset,
        "protocol": cell.protocol["name"],
        "protocol_hash": cell.protocol_hash,
        "weights": cell.weights,
        "windows": result.num_scored,
    }
    return {name: str(value) for name, value in {**named, **cell.settings}.items()}
