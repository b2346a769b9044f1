"""What a service for tracking experiments gets: one entry for each tokenizer on a dataset under a protocol."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
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
    """Every cell that ran, with its figures; those of the tokenizer alone are in each of its entries."""
    table = run.table().to_dict("records")
    for result in run.results:
        place = (result.dataset, result.cell.protocol_hash)
        logged = LoggedRun(f"{result.label} on {result.dataset}", _parameters(result))
        for row in table:
            if row["label"] != result.label or (row["dataset"], row["protocol_hash"]) not in (place, ("", "")):
                continue
            name = _REFUSED.sub("_", str(row["metric"]))
            ends = (("", row["value"]), (".low", row["low"]), (".high", row["high"]))
            logged.figures.update({f"{name}{end}": float(value) for end, value in ends if math.isfinite(value)})
            if row["note"]:
                logged.notes[name] = str(row["note"])
        yield logged


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
