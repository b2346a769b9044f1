"""Small multiples: charts of many systems are divided by group, with one scale in all panels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..identity import Identity
from ..schema import group_order, group_title
from ..text import chart_text
from .canvas import SMALL, TEXT, fit_text, style_axes, text_width, wrap_text
from .palette import GREY
from .pictures import INCHES, Width
from .side_labels import LEADER, LINE_HEIGHT, MARKER_ROOM, SideLabel, draw_side_labels

MOST_SYSTEMS = 6
"""Systems that share an axis; more are divided by group."""

HEIGHT = 1.25
"""Inches of the axes of a panel, if its names need no more."""

NARROWEST = 1.15
"""Inches that the axes of a panel need at least, before a row takes fewer panels."""

WIDEST_NAMES = 1.62
"""Inches that the names beside a panel may take."""

MOST_PANELS = 3
"""Of a row."""

NAME_OF_AXIS, NUMBERS, TITLE, GAP = 0.15, 0.3, 0.19, 0.06
"""Inches of the name of the vertical axis, of its numbers, of a panel's title, and between panels."""

BELOW, NAME_BELOW = 0.18, 0.14
"""Inches of the numbers of the horizontal axis, and of its name."""

ROWS_GAP = 0.08
"""Inches before panels of named rows, whose names stand at the first panels alone."""


@dataclass(frozen=True)
class Panel:
    """What shares an axis."""

    title: str
    """Empty for the only panel."""
    labels: tuple[str, ...]
    """Of systems."""


@dataclass(frozen=True)
class Sheet:
    """Empty panels of one drawing, with room for names to the right of each."""

    drawing: Figure
    axes: tuple[Axes, ...]
    width: Width
    name_room: float
    """Inches to the right of each panel."""

    def name(self, canvas: Axes, labels: Sequence[SideLabel]) -> None:
        """Draw the names beside a panel, once the limits of all panels are final."""
        draw_side_labels(self.drawing, canvas, labels, self.name_room)


def panels_by_group(labels: Iterable[str], identities: Mapping[str, Identity]) -> list[Panel]:
    """One panel, or one for each group of systems where there are too many for one."""
    known = list(dict.fromkeys(labels))
    groups = sorted({identities[label].group for label in known}, key=group_order)
    if len(known) <= MOST_SYSTEMS or len(groups) == 1:
        return [Panel("", tuple(known))]
    return [
        Panel(group_title(group), tuple(label for label in known if identities[label].group == group))
        for group in groups
    ]


def new_sheet(
    titles: Sequence[str],
    names: Sequence[Sequence[str]],
    horizontal: str,
    vertical: str,
    *,
    rows_room: float = 0.0,
    height: float = HEIGHT,
    notes: Sequence[str] = (),
) -> Sheet:
    """Empty panels that share both axes.

    Args:
        titles: one for each panel.
        names: what stands to the right of each panel.
        horizontal: name of the horizontal axis.
        vertical: name of the vertical axis.
        rows_room: inches of names of rows, which stand at the first panels alone in place of numbers; 0 for numbers.
        height: inches of the axes; more where the names need it.
        notes: sentences below the panels.
    """
    width: Width = "column" if len(titles) == 1 else "page"
    inches = INCHES[width]
    widest = max((text_width(name, TEXT) for column in names for name in column), default=0.0)
    room = (LEADER + MARKER_ROOM + min(widest, WIDEST_NAMES) + 0.03) if widest else 0.03
    left = (NAME_OF_AXIS if vertical else 0.0) + rows_room
    numbers = ROWS_GAP if rows_room else NUMBERS
    counts = range(min(MOST_PANELS, len(titles)), 0, -1)
    number = next((n for n in counts if _axes_width(inches, left, n, numbers, room) >= NARROWEST), 1)
    if number == 1:
        room = min(room, inches - left - numbers - NARROWEST)
    across = _axes_width(inches, left, number, numbers, room)
    height = max(height, LINE_HEIGHT * (max(map(len, names), default=0) - 0.5))
    num_rows = -(-len(titles) // number)
    above = TITLE if any(titles) else 0.08
    below = [line for note in notes for line in wrap_text(note, inches - 0.2)]
    footer = 0.11 * len(below) + (0.08 if below else 0.0)
    total = num_rows * (above + height + BELOW) + NAME_BELOW + footer
    drawing = Figure(figsize=(inches, total))
    FigureCanvasAgg(drawing)
    axes: list[Axes] = []
    for index, title in enumerate(titles):
        row, column = divmod(index, number)
        x = left + column * (numbers + across + room + GAP) + numbers
        y = total - (row + 1) * (above + height) - row * BELOW
        box = (x / inches, y / total, across / inches, height / total)
        canvas = drawing.add_axes(box, sharex=axes[0] if axes else None, sharey=axes[0] if axes else None)
        style_axes(canvas)
        if rows_room and column:
            canvas.tick_params(labelleft=False)
        if title:
            short = fit_text(title, across + room, TEXT)
            _write(drawing, x, y + height + 0.06, short, fontweight="bold", va="bottom", ha="left")
        if index + number >= len(titles):
            _write(drawing, x + across / 2, y - BELOW, horizontal, ha="center", va="top")
        if column == 0 and vertical:
            _write(drawing, 0.02, y + height / 2, vertical, rotation=90, ha="left", va="center")
        axes.append(canvas)
    _write(drawing, 0.05, 0.03, "\n".join(below), fontsize=SMALL, color=GREY, ha="left", va="bottom")
    return Sheet(drawing, tuple(axes), width, room)


def _write(drawing: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """Write at a place in inches from the bottom left corner."""
    width, height = drawing.get_size_inches()
    drawing.text(x / width, y / height, chart_text(text), **{"fontsize": TEXT, **look})


def _axes_width(inches: float, left: float, number: int, numbers: float, room: float) -> float:
    """Inches of the axes where a row has so many panels."""
    return (inches - left - (number - 1) * GAP) / number - numbers - room
