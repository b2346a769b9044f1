"""Figures and a report of a demo run."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from figure_builder import demo_figures, make_figure
from toklab.reports.formats.interface import Report
from toklab.reports.report import compose_report
from toklab.reports.schema import Figure, results_frame


@pytest.fixture
def figure() -> Callable[..., Figure]:
    """:func:`make_figure`, which builds one valid figure from the fields that matter to a test."""
    return make_figure


@pytest.fixture
def figures() -> list[Figure]:
    """A demo run on one dataset; LPIPS and FVD lack their weights."""
    return demo_figures()


@pytest.fixture(scope="session")
def demo_report() -> Report:
    """The report of the demo run, with its radar charts drawn."""
    return compose_report(demo_figures(), "Demo", {})


@pytest.fixture
def frame(figures: list[Figure]) -> pd.DataFrame:
    """The demo run as a results table."""
    return results_frame(figures)
