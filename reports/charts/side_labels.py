"""Names beside the curves or points that they stand for, spread so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..identity import Identity
from ..text import chart_text
from .canvas import TEXT, fit_text
from .palette import GREY, marker_style

LINE_HEIGHT = 0.118
"""Inches from one name to the next."""

LEADER = 0.14
"""Inches between the axes and the marker before a name, which leaders cross."""

MARKER_ROOM = 0.12
"""Inches from the middle of that marker to its name."""


@dataclass(frozen=True)
class SideLabel:
    """A name to the right of the axes."""

    text: str
    height: float
    """Where it belongs, on the vertical axis."""
    identity: Identity | None = None
    """Whose marker stands before it; ``None`` for what is no system."""
    end: float | None = None
    """Where on the horizontal axis its curve ends, to which a leader goes; ``None`` for no leader."""


def spread(wanted: Sequence[float], spacing: float, low: float, high: float) -> list[float]:
    """Places at least ``spacing`` apart between ``low`` and ``high``, in the wanted order, with least squared moves.

    Where there is no room for all, they go on below ``low``.
    """
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    # Minus its rank times the spacing, each place need only be no lower than the one before: isotonic regression.
    blocks: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        blocks.append((wanted[index] - rank * spacing, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (last, last_count), (before, count) = blocks.pop(), blocks.pop()
            blocks.append(((before * count + last * last_count) / (count + last_count), count + last_count))
    levels = [level for level, count in blocks for _ in range(count)]
    top = high - (len(order) - 1) * spacing
    places = [0.0] * len(wanted)
    for rank, (index, level) in enumerate(zip(order, levels, strict=True)):
        places[index] = min(max(level, low), top) + rank * spacing
    return places


def draw_side_labels(drawing: Figure, canvas: Axes, labels: Sequence[SideLabel], room: float) -> None:
    """Draw names to the right of axes whose limits are final.

    Args:
        drawing: of the axes.
        canvas: the axes.
        labels: the names.
        room: inches between the axes and what stands to the right of them.
    """
    box = canvas.get_position()
    width, height = drawing.get_size_inches()
    right, bottom, top = box.x1 * width, box.y0 * height, box.y1 * height

    def inches(x: float, y: float) -> tuple[float, float]:
        across, up = canvas.transData.transform((x, y)) / drawing.dpi
        return float(across), min(max(float(up), bottom), top)

    left = canvas.get_xlim()[0]
    wanted = [inches(left, label.height)[1] for label in labels]
    middle = LINE_HEIGHT / 2
    for label, place, own in zip(
        labels, spread(wanted, LINE_HEIGHT, bottom + middle / 2, top - middle / 2), wanted, strict=True
    ):
        at = right + LEADER
        if label.end is not None:
            start = (inches(label.end, label.height)[0], own)
            colour = label.identity.colour if label.identity else GREY
            xs, ys = (start[0], right, at), (own, own, place)
            drawing.add_artist(
                Line2D(xs, ys, color=colour, linewidth=0.4, alpha=0.8, transform=drawing.dpi_scale_trans)
            )
        if label.identity:
            drawing.add_artist(
                Line2D(
                    [at], [place], linestyle="", markersize=3.4, transform=drawing.dpi_scale_trans,
                    **marker_style(label.identity),
                )
            )  # fmt: skip
        before = MARKER_ROOM if label.identity else 0.03
        text = fit_text(label.text, room - LEADER - before)
        drawing.text(
            at + before, place, chart_text(text), fontsize=TEXT, va="center_baseline", ha="left",
            color="black" if label.identity else GREY, transform=drawing.dpi_scale_trans,
        )  # fmt: skip
