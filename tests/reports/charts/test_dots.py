"""Dot plots of videos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from toklab.reports.charts.dots import MOST_VIDEOS, draw_videos, shown_videos
from toklab.reports.identity import Identities


def videos(labels: list[str], number: int) -> pd.DataFrame:
    rows = [(label, f"video {v}", 20.0 + (v * 7) % number + n) for n, label in enumerate(labels) for v in range(number)]
    return pd.DataFrame(rows, columns=["label", "source", "value"])


@pytest.mark.slow
def test_each_video_is_a_row_from_the_lowest_to_the_highest(
    systems: Callable[..., Identities], groups: dict[str, str], assert_printable: Callable[[Figure], None]
) -> None:
    frame = videos(list(groups), 9)
    drawing = draw_videos(frame, "PSNR (dB) ↑", systems(groups))
    assert_printable(drawing)
    order = shown_videos(frame)
    assert [label.get_text() for label in drawing.axes[0].get_yticklabels()] == order
    for canvas, group in zip(drawing.axes, dict.fromkeys(groups.values()), strict=True):
        drawn = {str(line.get_label()): line for line in canvas.lines}
        assert set(drawn) == {label for label in groups if groups[label] == group}
        for label, line in drawn.items():
            own = frame[frame["label"] == label].set_index("source")["value"]
            shown = dict(zip(np.asarray(line.get_ydata()), np.asarray(line.get_xdata()), strict=True))
            assert shown == {place: own[source] for place, source in enumerate(order)}


def test_of_many_videos_some_are_shown_from_the_worst_to_the_best() -> None:
    frame = videos(["a"], 100)
    shown = shown_videos(frame)
    values = frame.set_index("source")["value"]
    assert len(shown) == MOST_VIDEOS
    assert list(values[shown]) == sorted(values[shown])
    assert (values[shown[0]], values[shown[-1]]) == (values.min(), values.max())
