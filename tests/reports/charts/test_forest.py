"""Forest plots of paired differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from toklab.reports.charts.forest import COLUMNS, draw_forest
from toklab.reports.identity import Identities
from toklab.reports.schema import TableError


def differences(groups: dict[str, str], num_metrics: int = 2) -> pd.DataFrame:
    """To the first system of each group; the last row of all has no interval."""
    rows = []
    for group in dict.fromkeys(groups.values()):
        first, *others = (label for label in groups if groups[label] == group)
        rows += [
            (label, first, group, f"m{m}", f"Metric {m}", "dB", "higher", n - m, n - m - 0.5, n - m + 0.5)
            for n, label in enumerate(others)
            for m in range(num_metrics)
        ]
    rows[-1] = (*rows[-1][:8], math.nan, math.nan)
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.mark.slow
def test_a_row_has_its_difference_and_its_interval(
    systems: Callable[..., Identities], groups: dict[str, str], assert_printable: Callable[[Figure], None]
) -> None:
    frame, identities = differences(groups), systems(groups)
    drawing = draw_forest(frame, identities)
    assert [canvas.get_title() for canvas in drawing.axes] == ["Metric 0 (dB) ↑", "Metric 1 (dB) ↑"]
    for metric, canvas in enumerate(drawing.axes):
        marks = {line.get_label(): line for line in canvas.lines if line.get_marker() not in ("None", "")}
        heights = [float(np.asarray(line.get_ydata())[0]) for line in marks.values()]
        assert len(set(heights)) == len(heights) == 6
        rows = frame[frame["metric"] == f"m{metric}"]
        for label, value in zip(rows["label"], rows["difference"], strict=True):
            assert list(marks[label].get_xdata()) == [value]  # type: ignore
            assert marks[label].get_marker() == identities[label].marker
        bars = [list(line.get_xdata()) for line in canvas.lines if len(np.asarray(line.get_xdata())) == 2]  # type: ignore
        expected = [list(ends) for ends in zip(rows["low"], rows["high"], strict=True) if not math.isnan(ends[0])]
        assert sorted(bar for bar in bars if bar != [0, 0]) == sorted(expected)
    assert_printable(drawing)
    assert sum(text.get_text().startswith("minus ") for text in drawing.texts) == 3


@pytest.mark.slow
def test_many_metrics_stand_below_each_other(
    systems: Callable[..., Identities], groups: dict[str, str], assert_printable: Callable[[Figure], None]
) -> None:
    drawing = draw_forest(differences(groups, 7), systems(groups))
    assert len(drawing.axes) == 7
    assert len({round(canvas.get_position().y0, 6) for canvas in drawing.axes}) == 2
    assert_printable(drawing)


def test_without_rows_or_columns_it_is_refused(systems: Callable[..., Identities], groups: dict[str, str]) -> None:
    with pytest.raises(TableError, match="no row"):
        draw_forest(differences(groups).iloc[:0], systems(groups))
    with pytest.raises(TableError, match="lacks the columns low"):
        draw_forest(differences(groups).drop(columns="low"), systems(groups))
