"""Charts of quality against speed or effort, with the systems marked that no other one beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ..identity import Identity
from ..schema import Figure as Measured
from ..schema import TableError
from ..tables.columns import metric_heading
from .canvas import label_decades
from .palette import GREY, PALE, marker_style
from .panels import new_sheet, panels_by_group
from .side_labels import SideLabel

RING = 7.5
"""Points of the ring around a system of the front."""


def front_points(figures: Sequence[Measured], cost: str, quality: str) -> pd.DataFrame:
    """Measured systems with a cost above zero and a quality, and which of them no other of their group beats.

    One beats another if it is better in one figure and no worse in the other. Nobody is on a front alone. Of costs that
    have no better end, such as multiply-adds, lower ones are better here. Figures of one metric are of one condition:
    those measured under others are metrics of their own.

    Args:
        figures: of one dataset under one protocol, and of the tokenizers themselves; published ones are left out.
        cost: name of the metric of speed or effort.
        quality: name of the metric of quality.

    Returns:
        Columns ``label``, ``group``, ``cost``, ``quality`` and ``on_front``.
    """
    measured = [figure for figure in figures if figure.origin == "measured" and figure.is_available]
    costs = {figure.label: figure for figure in measured if figure.metric == cost and figure.value > 0}
    points = [(costs[f.label], f) for f in measured if f.metric == quality and f.label in costs]
    rows = []
    for own_cost, own in points:
        beside = [(c, q) for c, q in points if q.group == own.group]
        beaten = any(_beats(other, (own_cost, own)) for other in beside)
        rows.append((own.label, own.group, own_cost.value, own.value, len(beside) > 1 and not beaten))
    return pd.DataFrame(rows, columns=["label", "group", "cost", "quality", "on_front"])


def draw_front(points: pd.DataFrame, cost: Measured, quality: Measured, identities: Mapping[str, Identity]) -> Figure:
    """Quality against speed or effort on a logarithmic axis; the front of each group is ringed and joined.

    Args:
        points: as :func:`front_points` gives them.
        cost: any figure of the metric on the horizontal axis.
        quality: any figure of the metric on the vertical axis.
        identities: of all labels.

    Raises:
        TableError: if there is no point.
    """
    rows = [dict(zip(points.columns, row, strict=True)) for row in points.to_numpy()]
    if not rows:
        raise TableError(f"no tokenizer has both {cost.metric} and {quality.metric}")
    panels = panels_by_group((row["label"] for row in rows), identities)
    names = [[identities[label].short for label in panel.labels] for panel in panels]
    horizontal, vertical = (metric_heading(f.title, f.unit, f.direction) for f in (cost, quality))
    sheet = new_sheet([panel.title for panel in panels], names, horizontal, vertical)
    by_label = {row["label"]: row for row in rows}
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        canvas.set_xscale("log")
        here = [by_label[label] for label in panel.labels]
        others = [row for row in rows if row["label"] not in panel.labels]
        canvas.plot(
            [row["cost"] for row in others], [row["quality"] for row in others], "o", ms=1.8, color=PALE, zorder=1
        )
        for group in dict.fromkeys(row["group"] for row in here):
            front = sorted(
                (row for row in here if row["group"] == group and row["on_front"]), key=lambda row: row["cost"]
            )
            places = [row["cost"] for row in front], [row["quality"] for row in front]
            canvas.plot(*places, color=GREY, lw=0.7, zorder=2)
            canvas.plot(
                *places, "o", ms=RING, markerfacecolor="none", markeredgecolor=GREY, markeredgewidth=0.7, zorder=2
            )
        for row in here:
            style = marker_style(identities[row["label"]])
            canvas.plot([row["cost"]], [row["quality"]], ls="", ms=4, label=row["label"], zorder=3, **style)
        canvas.margins(0.12)
    label_decades(sheet.axes[0].xaxis)
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        labels = [
            SideLabel(identities[label].short, by_label[label]["quality"], identities[label]) for label in panel.labels
        ]
        sheet.name(canvas, labels)
    return sheet.drawing


def _beats(one: tuple[Measured, Measured], other: tuple[Measured, Measured]) -> bool:
    """Whether a system is at least as good in both figures and better in one."""
    gains = [(a.value - b.value) * (1 if a.direction == "higher" else -1) for a, b in zip(one, other, strict=True)]
    return min(gains) >= 0 and max(gains) > 0
