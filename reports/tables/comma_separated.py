"""Tables as CSV: plain numbers in full precision, for programs rather than for print."""

from __future__ import annotations

import pandas as pd

from ..schema import read_figures
from .table import ResultsTable

_FACTS = ("group", "system", "label", "regularizer", "weights", "origin")


def render_csv_long(frame: pd.DataFrame) -> str:
    """The results table as it is: one line a figure, all columns of the schema.

    Raises :class:`~.schema.TableError` if the frame isn't a results table.
    """
    read_figures(frame)
    return frame.to_csv(index=False, lineterminator="\n")


def render_csv_wide(table: ResultsTable) -> str:
    """One line a printed row, with ``dataset/protocol/hash/metric`` as column names, empty parts left out.

    Each figure stands under its own protocol and metric, also where the printed table marks it as foreign to its
    column: a bare number can't carry a mark.
    """
    records = []
    for row in (row for section in table.sections for row in section.rows):
        record: dict[str, str | float] = {name: getattr(row.source, name) for name in _FACTS}
        for figure in (cell.figure for cell in row.cells if cell.figure is not None):
            parts = (figure.dataset, *figure.protocol_key, figure.metric)
            record["/".join(filter(None, parts))] = figure.value
        records.append(record)
    return pd.DataFrame(records).to_csv(index=False, lineterminator="\n")
