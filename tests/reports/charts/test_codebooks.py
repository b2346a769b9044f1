from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from toklab.reports.charts.codebooks import draw_codebook_growth, draw_level_marginals
from toklab.reports.identity import Identities
from toklab.reports.schema import TableError

Systems = Callable[..., Identities]


@pytest.fixture
def growth() -> pd.DataFrame:
    rows = [
        (label, tokens, min(100.0, 10.0 * tokens) / share, min(100.0, 10.0 * tokens), 10, 5)
        for label, share in (("a", 1), ("b", 2))
        for tokens in (20, 5, 1)
    ]
    return pd.DataFrame(rows, columns=["label", "tokens", "utilization", "bound", "entries", "compared_at"])


def test_codebook_growth_stays_below_one_limit_for_each_size(
    growth: pd.DataFrame, systems: Systems, assert_printable: Callable[[Figure], None]
) -> None:
    drawing = draw_codebook_growth(growth, systems(["a", "b"]))
    assert_printable(drawing)
    (canvas,) = drawing.axes
    assert {"limit of 10", "a", "b", "Vertical line: compared at 5 tokens."} <= {t.get_text() for t in drawing.texts}
    limit, compared, *curves = canvas.lines
    np.testing.assert_array_equal(np.asarray(limit.get_ydata()), [10, 50, 100])
    assert set(np.asarray(compared.get_xdata())) == {5}
    for curve, used in zip(curves, ([10, 50, 100], [5, 25, 50]), strict=True):
        np.testing.assert_array_equal(np.asarray(curve.get_xdata()), [1, 5, 20])
        np.testing.assert_array_equal(np.asarray(curve.get_ydata()), used)
        # A marker where the table compares, and one at the end.
        assert curve.get_markevery() == [1, 2]
    assert canvas.get_xscale() == "log"
    with pytest.raises(TableError, match="lacks the columns entries"):
        draw_codebook_growth(growth.drop(columns="entries"), systems(["a", "b"]))


def test_codebooks_that_nothing_compares_have_no_mark(growth: pd.DataFrame, systems: Systems) -> None:
    drawing = draw_codebook_growth(growth.assign(compared_at=0), systems(["a", "b"]))
    assert [line.get_markevery() for line in drawing.axes[0].lines[1:]] == [[2], [2]]
    assert not any("compared" in text.get_text() for text in drawing.texts)


def test_level_marginals_have_a_bar_for_each_level_of_each_codebook(
    systems: Systems, assert_printable: Callable[[Figure], None]
) -> None:
    rows = [
        ("a", book, dim, level, 100 / levels)
        for book in (0, 1)
        for dim, levels in enumerate((2, 3))
        for level in range(levels)
    ]
    frame = pd.DataFrame(rows, columns=["label", "codebook", "dimension", "level", "share"])
    identities = systems(["a"])
    drawing = draw_level_marginals(frame, identities)
    assert_printable(drawing)
    assert [panel.get_title(loc="left") for panel in drawing.axes] == ["a, codebook 0", "a, codebook 1"]
    for panel in drawing.axes:
        bars = [bar for bar in panel.patches if isinstance(bar, Rectangle)]
        assert [bar.get_height() for bar in bars] == pytest.approx([50, 50, 100 / 3, 100 / 3, 100 / 3])
        assert {to_hex(bar.get_facecolor()).upper() for bar in bars} == {identities["a"].colour}
    with pytest.raises(TableError, match="no row"):
        draw_level_marginals(frame.iloc[:0], identities)
