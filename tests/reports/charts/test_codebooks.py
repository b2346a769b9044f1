import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from toklab.reports.charts.codebooks import draw_codebook_growth, draw_level_marginals
from toklab.reports.schema import TableError


@pytest.fixture
def growth():
    rows = [
        (label, tokens, min(100.0, 10.0 * tokens) / share, min(100.0, 10.0 * tokens), 10, 5)
        for label, share in (("a", 1), ("b", 2))
        for tokens in (20, 5, 1)
    ]
    return pd.DataFrame(rows, columns=["label", "tokens", "utilization", "bound", "entries", "compared_at"])


def test_codebook_growth_stays_below_one_limit_for_each_size(growth):
    (canvas,) = draw_codebook_growth(growth).axes
    _, labels = canvas.get_legend_handles_labels()
    assert labels == ["limit, 10 entries", "compared at 5 tokens", "a", "b"]
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
        draw_codebook_growth(growth.drop(columns="entries"))


def test_codebooks_that_nothing_compares_have_no_mark(growth):
    (canvas,) = draw_codebook_growth(growth.assign(compared_at=0)).axes
    assert canvas.get_legend_handles_labels()[1] == ["limit, 10 entries", "a", "b"]
    assert [line.get_markevery() for line in canvas.lines[1:]] == [[2], [2]]


def test_level_marginals_have_a_bar_for_each_level_of_each_codebook():
    rows = [
        ("a", book, dim, level, 100 / levels)
        for book in (0, 1)
        for dim, levels in enumerate((2, 3))
        for level in range(levels)
    ]
    frame = pd.DataFrame(rows, columns=["label", "codebook", "dimension", "level", "share"])
    panels = draw_level_marginals(frame).axes
    assert [panel.get_title(loc="left") for panel in panels] == ["a, codebook 0", "a, codebook 1"]
    for panel in panels:
        heights = [bar.get_height() for bar in panel.patches if isinstance(bar, Rectangle)]
        assert heights == pytest.approx([50, 50, 100 / 3, 100 / 3, 100 / 3])
    with pytest.raises(TableError, match="no row"):
        draw_level_marginals(frame.iloc[:0])
