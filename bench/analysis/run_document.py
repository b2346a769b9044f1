"""A finished run as one JSON document, for programs that call the command."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..catalog.broken_metric import CODE_FAILS
from .run import Run

FORMAT = 1
"""Version of the document; it rises where a field changes its meaning or goes."""


def run_document(run: Run, folder: str, exit_code: int, table: pd.DataFrame) -> dict[str, Any]:
    """Figures with intervals, cells with their status, and failures.

    Rows have the columns of :meth:`~.run.Run.table`, :meth:`~.run.Run.accounting` and :meth:`~.run.Run.failures`;
    what isn't there is ``None``.

    Args:
        run: what was measured.
        folder: the run folder, as the user named it.
        exit_code: of the command that ran it.
        table: the run's :meth:`~.run.Run.table`.
    """
    cells = [
        {
            "tokenizer": result.cell.tokenizer,
            "protocol_hash": result.cell.protocol_hash,
            "videos": len({row.content_id for row in result.scored()}),
            **row,
        }
        for result, row in zip(run.results, _records(run.accounting()), strict=True)
    ]
    return {
        "format": FORMAT,
        "exit_code": exit_code,
        "folder": folder,
        "title": run.name,
        "cells": cells,
        "figures": _records(table),
        "failures": _records(run.failures()),
        "remarks": run.all_remarks,
    }


def metric_code_fails(table: pd.DataFrame) -> bool:
    """Whether the code of a metric fails on figures of :meth:`~.run.Run.table`."""
    return any(str(note).startswith(CODE_FAILS) for note in table["note"])


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    """A value that JSON has: it knows neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
