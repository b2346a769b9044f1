"""Dot plots: each video a row, each system a marker."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ..identity import Identity
from ..tables.data_frames import grouped, records, require_columns
from ..text import chart_text
from .canvas import SMALL, fit_text, text_width
from .palette import LIGHT_GREY, marker_style
from .panels import HEIGHT, new_sheet, panels_by_group
from .side_labels import SideLabel

MOST_VIDEOS = 24
"""Rows of a plot; of more videos, so many are shown that stand at even steps from the worst to the best."""

ROW = 0.115
"""Inches."""

WIDEST_NAMES = 0.95
"""Inches that names of videos take at most."""


def shown_videos(frame: pd.DataFrame) -> list[str]:
    """Videos from the lowest to the highest median over systems; at even steps where there are too many for a plot.

    Args:
        frame: columns ``source`` and ``value``.
    """
    values = {source: [row["value"] for row in rows] for (source,), rows in grouped(records(frame), "source").items()}
    ordered = sorted(values, key=lambda source: (statistics.median(values[source]), source))
    if len(ordered) <= MOST_VIDEOS:
        return ordered
    return [ordered[round(step * (len(ordered) - 1) / (MOST_VIDEOS - 1))] for step in range(MOST_VIDEOS)]


def draw_videos(
    frame: pd.DataFrame, heading: str, identities: Mapping[str, Identity], notes: Sequence[str] = ()
) -> Figure:
    """One row a video, one marker a system; the videos are :func:`shown_videos`.

    Args:
        frame: columns ``label``, ``source`` (name of the video) and ``value``.
        heading: name of the metric, with unit and arrow.
        identities: of all labels.
        notes: sentences below.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "source", "value"), "table of videos")
    videos = shown_videos(frame)
    places = {source: place for place, source in enumerate(videos)}
    rows = [row for row in records(frame) if row["source"] in places]
    panels = panels_by_group(frame["label"], identities)
    names = [[identities[label].short for label in panel.labels] for panel in panels]
    room = min(WIDEST_NAMES, max(text_width(source, SMALL) for source in videos))
    sheet = new_sheet(
        [panel.title for panel in panels], names, heading, "",
        rows_room=room + 0.06, height=max(HEIGHT, ROW * len(videos)), notes=notes,
    )  # fmt: skip
    best: dict[str, float] = {}
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        canvas.grid(visible=False, axis="y")
        canvas.hlines(range(len(videos)), 0, 1, color=LIGHT_GREY, lw=0.4, transform=canvas.get_yaxis_transform())
        for label in panel.labels:
            own = [row for row in rows if row["label"] == label]
            best[label] = statistics.median([row["value"] for row in own]) if own else 0.0
            canvas.plot(
                [row["value"] for row in own], [places[row["source"]] for row in own], ls="", ms=3, label=label,
                alpha=0.9, **marker_style(identities[label]),
            )  # fmt: skip
    first = sheet.axes[0]
    first.set_yticks(range(len(videos)), [chart_text(fit_text(source, room, SMALL)) for source in videos])
    first.set_ylim(-0.6, len(videos) - 0.4)
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        canvas.tick_params(axis="y", length=0)
        # A key in the order of the medians, as no name belongs to a row.
        ordered = sorted(panel.labels, key=lambda label: best[label])
        middle = (len(videos) - 1) / 2
        sheet.name(canvas, [SideLabel(identities[label].short, middle, identities[label]) for label in ordered])
    return sheet.drawing
