"""Quality against speed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from figure_builder import make_figure
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure as Drawing
from toklab.reports.charts.fronts import draw_front, front_points
from toklab.reports.identity import identify
from toklab.reports.schema import Figure, TableError

Values = list[tuple[float, float]]


def figures_of(values: Values, group: str = "discrete", **fields: object) -> list[Figure]:
    """Systems with a flicker, the cost, and a PSNR."""
    return [
        make_figure(tokenizer=f"{group} {n}", system=f"{group} {n}", group=group, metric=metric, value=value, **fields)
        for n, pair in enumerate(values)
        for metric, value in zip(("flicker", "psnr"), pair, strict=True)
    ]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=8))
def test_the_front_is_all_that_nobody_beats(values: Values) -> None:
    points = front_points(figures_of([(float(c), float(q)) for c, q in values]), "flicker", "psnr")
    expected = [
        not any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in values) for cost, quality in values
    ]
    assert list(points["on_front"]) == expected


def test_groups_have_fronts_of_their_own_and_published_ones_none() -> None:
    figures = [
        *figures_of([(0.1, 30.0), (0.2, 29.0)]),
        *figures_of([(1.0, 20.0), (2.0, 21.0)], "continuous-4"),
        *figures_of([(0.01, 40.0)], "continuous-16"),
        *figures_of([(0.001, 50.0)], "other", origin="published"),
    ]
    points = front_points(figures, "flicker", "psnr")
    assert dict(zip(points["label"], points["on_front"], strict=True)) == {
        "discrete 0": True, "discrete 1": False, "continuous-4 0": True, "continuous-4 1": True,
        "continuous-16 0": False,
    }  # fmt: skip


def test_the_front_is_ringed_on_a_logarithmic_axis(assert_printable: Callable[[Drawing], None]) -> None:
    figures = [
        *figures_of([(10.0**n, 20.0 + n % 3) for n in range(5)]),
        *figures_of([(3.0, 30.0), (30.0, 31.0)], "continuous-4"),
    ]
    points = front_points(figures, "flicker", "psnr")
    drawing = draw_front(points, figures[0], figures[1], identify(figures))
    assert_printable(drawing)
    assert len(drawing.axes) == 2
    for canvas, group in zip(drawing.axes, ("discrete", "continuous-4"), strict=True):
        assert canvas.get_xscale() == "log"
        rings = [line for line in canvas.lines if line.get_markerfacecolor() == "none"]
        front = points[(points["group"] == group) & points["on_front"]]
        assert sorted(x for line in rings for x in line.get_xdata()) == sorted(front["cost"])  # type: ignore
    with pytest.raises(TableError, match="no tokenizer has both"):
        draw_front(points.iloc[:0], figures[0], figures[1], identify(figures))


@pytest.mark.parametrize(
    "costs", [(3.2, 4.6), (1.25, 1.3, 1.8), (1.01, 1.03), (6.0, 8.5), (0.031, 0.046), (3.4e3, 3.5e3), (2e10, 3e10)]
)
def test_numbers_along_the_logarithmic_axis_are_those_of_their_places(
    costs: tuple[float, ...], assert_printable: Callable[[Drawing], None]
) -> None:
    figures = figures_of([(cost, 20.0 + n) for n, cost in enumerate(costs)])
    drawing = draw_front(front_points(figures, "flicker", "psnr"), figures[0], figures[1], identify(figures))
    assert_printable(drawing)
    axis = drawing.axes[0].xaxis
    low, high = axis.get_view_interval()
    ticks = {tick.get_loc(): tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high}
    assert len(ticks) > 1
    assert [float(text.replace(",", "")) for text in ticks.values()] == pytest.approx(list(ticks), rel=1e-9)
    assert max(map(len, ticks.values())) <= len("30,000,000,000")
