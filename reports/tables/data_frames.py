"""The rows of data frames, which tables and charts are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd

from ..schema import TableError


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows in their order, each by the names of its columns."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def require_columns(frame: pd.DataFrame, columns: Sequence[str], table: str) -> None:
    """Raise :class:`~..schema.TableError`, which names the table, if a column is missing."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"{table} lacks the columns {', '.join(missing)}; it must have: {', '.join(columns)}")


def grouped(rows: Sequence[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Rows by the values of ``keys``, in the order of their first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups
