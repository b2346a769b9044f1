"""Curves by frame position, and what all small multiples share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from toklab.reports.charts.curves import draw_position_differences, draw_psnr_by_position
from toklab.reports.charts.palette import PALE
from toklab.reports.identity import Identities
from toklab.reports.schema import TableError

Systems = Callable[..., Identities]
COLUMNS = ["label", "position", "psnr", "low", "high"]


def positions(labels: list[str], low: float = math.nan, high: float = math.nan) -> pd.DataFrame:
    rows = [(label, i, 30 - n - i, 30 + low, 30 + high) for n, label in enumerate(labels) for i in (2, 0, 1)]
    return pd.DataFrame(rows, columns=COLUMNS)


def curves(canvas: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in canvas.lines if not str(line.get_label()).startswith("_")}


def test_positions_are_drawn_in_order_as_the_systems_look(systems: Systems) -> None:
    identities = systems(["a", "b"])
    (canvas,) = draw_psnr_by_position(positions(["a", "b"]), identities).axes
    drawn = curves(canvas)
    np.testing.assert_array_equal(np.asarray(drawn["a"].get_xdata()), [0, 1, 2])
    np.testing.assert_array_equal(np.asarray(drawn["b"].get_ydata()), [29, 28, 27])
    for label, line in drawn.items():
        assert (line.get_color(), line.get_marker()) == (identities[label].colour, identities[label].marker)
    with pytest.raises(TableError, match="lacks the columns psnr"):
        draw_psnr_by_position(positions(["a"]).drop(columns="psnr"), identities)


def test_more_than_six_systems_have_a_panel_for_each_group(systems: Systems, groups: dict[str, str]) -> None:
    drawing = draw_psnr_by_position(positions(list(groups)), systems(groups))
    assert len(drawing.axes) == 3
    for canvas, kind in zip(drawing.axes, ("discrete", "continuous-4", "continuous-16"), strict=True):
        assert set(curves(canvas)) == {label for label, group in groups.items() if group == kind}
        assert sum(line.get_color() == PALE for line in canvas.lines) == 6
    assert len({(canvas.get_xlim(), canvas.get_ylim()) for canvas in drawing.axes}) == 1
    titles = [text.get_text() for text in drawing.texts]
    assert [title for title in titles if title.startswith(("Discrete", "Cont"))] == [
        "Discrete", "Continuous, 4 channels", "Continuous, 16 channels",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [2, 9, 24])
def test_all_names_are_on_the_picture_and_apart(
    systems: Systems, groups: dict[str, str], number: int, assert_printable: Callable[[Figure], None]
) -> None:
    known = groups if number == 9 else {f"system {n}": "discrete" for n in range(number)}
    drawing = draw_psnr_by_position(positions(list(known)), systems(known))
    assert_printable(drawing)
    names = [text.get_text() for text in drawing.texts]
    for label in known:
        assert label in names or any("…" in name and label.startswith(name.split("…")[0]) for name in names)


def test_bands_are_drawn_for_few_systems_alone(systems: Systems) -> None:
    for labels, num_bands in ((["a", "b"], 2), (["a", "b", "c", "d"], 0)):
        (canvas,) = draw_psnr_by_position(positions(labels, -1.0, 1.0), systems(labels)).axes
        assert len(canvas.collections) == num_bands


def test_differences_have_a_zero_line_in_the_look_of_its_system(systems: Systems) -> None:
    identities = systems(["a", "b", "c"])
    frame = positions(["b", "c"], -1.0, 1.0).rename(columns={"psnr": "difference"})
    drawing = draw_position_differences(frame, identities, "a")
    (canvas,) = drawing.axes
    (zero,) = [line for line in canvas.lines if set(np.asarray(line.get_ydata())) == {0.0}]
    assert zero.get_color() == identities["a"].colour
    assert set(curves(canvas)) == {"b", "c"}
    assert {"zero: a", "b", "c", "PSNR difference (dB) ↑"} <= {text.get_text() for text in drawing.texts}
    assert len(canvas.collections) == 2
    with pytest.raises(TableError, match="lacks the columns difference"):
        draw_position_differences(positions(["b"]), identities, "a")
