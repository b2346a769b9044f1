"""Names beside curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from toklab.reports.charts.side_labels import spread

heights = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(heights)
def test_places_are_apart_in_order_and_inside(wanted: list[float]) -> None:
    places = spread(wanted, 0.1, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    assert all(np.diff(np.array(places)[order]) >= 0.1 - 1e-9)
    assert min(places) >= -1e-9
    assert max(places) <= 1 + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda v: min(np.diff([-1, *sorted(v)])) >= 0.1))
def test_what_is_apart_stays_where_it_is(wanted: list[float]) -> None:
    assert spread(wanted, 0.1, 0.0, 1.0) == pytest.approx(wanted)


def test_the_moves_are_the_least() -> None:
    wanted = [0.05, 0.5, 0.52, 0.55, 0.97, 0.98]
    found = minimize(
        lambda places: ((places - wanted) ** 2).sum(),
        np.linspace(0, 1, 6),
        bounds=[(0, 1)] * 6,
        constraints=[{"type": "ineq", "fun": lambda places: np.diff(places) - 0.1}],
    )
    assert spread(wanted, 0.1, 0.0, 1.0) == pytest.approx(found.x, abs=1e-3)


def test_without_room_they_go_on_below() -> None:
    assert spread([0.5] * 3, 0.6, 0.0, 1.0) == pytest.approx([-0.2, 0.4, 1.0])
