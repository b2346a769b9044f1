"""The demo run on a published dataset, with the figures of the paper beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toklab.reports.published.literature import vidtok_table1, with_published
from toklab.reports.schema import Figure
from toklab.reports.tables.table import ResultsTable, build_table


@pytest.fixture
def table(figures: list[Figure]) -> ResultsTable:
    measured = [replace(figure, dataset=figure.dataset and "mcl-jcv") for figure in figures]
    return build_table(with_published(measured, vidtok_table1({"vidtok": "0123456789ab"})), title="Results")
