"""The result record: the run's figures, and what they rest on, for other programs and other people."""

from __future__ import annotations

from ..record.model import MeasuredPart, recorded_figures
from ..record.writing import record_files
from .interface import Report


def report_files(report: Report) -> dict[str, str | bytes]:
    """``record.json``, and ``record.parquet`` where the windows are many."""
    return record_files(report.title, report.measured or MeasuredPart(figures=recorded_figures(report.figures)))
