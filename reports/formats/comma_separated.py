"""CSV: plain numbers in full precision, for programs rather than for print.

Text that a spreadsheet would run has an apostrophe in front.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..schema import Figure, results_frame
from ..tables.plain import frame_to_csv
from ..tables.table import ResultsTable
from .interface import Report

_FACTS = ("group", "system", "label", "regularizer", "weights", "origin")


def report_files(report: Report) -> dict[str, str]:
    """``table.csv``, one line a figure, and ``table_wide.csv``, one line a printed row."""
    return {"table.csv": render_figures(report.figures), "table_wide.csv": render_table(report.table)}


def render_figures(figures: Sequence[Figure]) -> str:
    """One line a figure, with the columns of :mod:`toklab.reports.schema`.

    Raises :class:`~..schema.TableError` on what :func:`~..schema.results_frame` refuses.
    """
    return frame_to_csv(results_frame(figures))


def render_table(table: ResultsTable) -> str:
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
    return frame_to_csv(pd.DataFrame(records))
