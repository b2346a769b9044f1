"""Points of charts are numbers that pgfplots reads."""

from __future__ import annotations

import pandas as pd
from toklab.reports.formats.tex.data import pgfplots_data
from toklab.reports.identity import Identities


def test_truth_is_a_number() -> None:
    points = pd.DataFrame({"label": ["a", "b"], "cost": [1.5, float("nan")], "on_front": [True, False]})
    assert pgfplots_data(points, Identities([])).splitlines() == [
        "# series 0: a", "# series 1: b", "series cost on_front", "0 1.5 1", "1 nan 0",
    ]  # fmt: skip
