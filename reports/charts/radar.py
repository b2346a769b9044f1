"""The radar charts in the shape of Figure 1 of the VidTok paper: what is drawn, before it is drawn.

One panel for each comparison group (discrete, continuous with 4 and with 16 channels, and further ones that occur), one
axis for each dataset and metric. Axes have fixed scales (:mod:`.scales`); better is always outward.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..schema import Figure, TableError, group_order, group_title
from ..tables.columns import ARROWS, Column, arrange_columns
from ..tables.rows import ArrangedRow, arrange_rows, row_titles
from .scales import AxisScale, axis_scales, published_titles

TRIPLET = ("discrete", "continuous-4", "continuous-16")
"""Groups that always have a panel."""

MINIMUM_AXES = 3
"""Fewer make no polygon."""

CAPTION = (
    "Each axis has a fixed scale, from its first printed end at the centre to its second at the rim; better is outward."
)
"""Below the radar charts."""


@dataclass(frozen=True)
class RadarAxis:
    """One axis, the same in every panel."""

    dataset: str
    """The dataset, with its protocol where another axis has the same dataset under another one."""
    protocol: str
    protocol_hash: str
    metric: str
    title: str
    unit: str
    direction: str
    scale: AxisScale
    unavailable: str
    """Why no measured tokenizer has a figure on it and the command that fixes it; empty for an axis in use."""

    @property
    def heading(self) -> str:
        """Title and arrow: ``LPIPS ↓``."""
        return f"{self.title} {ARROWS[self.direction]}"


@dataclass(frozen=True)
class RadarModel:
    """One polygon."""

    title: str
    system: str
    """Decides the colour."""
    published: bool
    values: tuple[float | None, ...]
    """One for each axis; ``None`` breaks the polygon there."""


@dataclass(frozen=True)
class RadarPanel:
    """One radar."""

    title: str
    models: tuple[RadarModel, ...]


@dataclass(frozen=True)
class RadarChart:
    """Everything a drawing needs."""

    axes: tuple[RadarAxis, ...]
    panels: tuple[RadarPanel, ...]
    notes: tuple[str, ...]
    """Printed below the chart."""


def build_radar(
    figures: Sequence[Figure],
    metrics: Sequence[str] | None = None,
    *,
    scales: Mapping[tuple[str, str], AxisScale] | None = None,
) -> RadarChart:
    """Arrange figures for the radar charts.

    Args:
        figures: measured ones, published ones, or both.
        metrics: names of the metrics that get axes; ``None``: those Table 1 of the VidTok paper prints, or all that
            have a scale where fewer than three of them are there.
        scales: by (dataset, metric title), in place of the default of :func:`~.scales.axis_scales`.

    Raises:
        TableError: if fewer than three metrics of a dataset have a scale.
    """
    columns, places = arrange_columns(figures, across_protocols=False)
    rows = arrange_rows(figures, places)
    known = axis_scales(figures) | dict(scales or {})
    scaled = [i for i, column in enumerate(columns) if (column.group.dataset, column.title) in known]
    chosen = _chosen(columns, scaled, metrics)
    if len(chosen) < MINIMUM_AXES:
        has = ", ".join(columns[i].metric for i in chosen) or "none"
        raise TableError(
            f"a radar chart needs {MINIMUM_AXES} metrics with a scale, and has: {has}; measure more metrics"
        )
    axes = tuple(_axis(columns[i], known, [row.figures[i] for row in rows if i in row.figures]) for i in chosen)
    drawn = {row.source.group for row in rows if any(_value(row, i, columns[i]) is not None for i in chosen)}
    panels = [_panel(group, rows, chosen, columns) for group in sorted({*TRIPLET, *drawn}, key=group_order)]
    return RadarChart(axes, tuple(panels), _notes(rows, chosen, columns))


def radar_json(chart: RadarChart) -> str:
    """The chart's axes with their scales, and the values drawn on them, as JSON."""
    axes = [
        {
            "dataset": axis.dataset,
            "protocol": axis.protocol,
            "protocol_hash": axis.protocol_hash,
            "metric": axis.metric,
            "title": axis.title,
            "direction": axis.direction,
            "unit": axis.unit,
            "worst": axis.scale.worst,
            "best": axis.scale.best,
            "scale_source": axis.scale.source,
            "unavailable": axis.unavailable,
        }
        for axis in chart.axes
    ]
    panels = [
        {"title": panel.title, "models": [{"title": m.title, "values": m.values} for m in panel.models]}
        for panel in chart.panels
    ]
    return json.dumps({"axes": axes, "panels": panels, "notes": chart.notes}, indent=2, ensure_ascii=False) + "\n"


def _chosen(columns: Sequence[Column], scaled: list[int], metrics: Sequence[str] | None) -> list[int]:
    if metrics is not None:
        return [i for i in scaled if columns[i].metric in metrics]
    usual = [i for i in scaled if columns[i].title in published_titles()]
    return usual if len(usual) >= MINIMUM_AXES else scaled


def _axis(column: Column, scales: Mapping[tuple[str, str], AxisScale], figures: list[Figure]) -> RadarAxis:
    measured = [figure for figure in figures if figure.origin == "measured"]
    unavailable = ""
    if measured and not any(figure.is_available for figure in measured):
        unavailable = next((f.hint for f in measured if f.hint), "") or measured[0].note or "could not be computed"
    return RadarAxis(
        dataset=column.group.title,
        protocol=column.group.protocol,
        protocol_hash=column.group.protocol_hash,
        metric=column.metric,
        title=column.title,
        unit=column.unit,
        direction=column.direction,
        scale=scales[column.group.dataset, column.title],
        unavailable=unavailable,
    )


def _value(row: ArrangedRow, index: int, column: Column) -> float | None:
    figure = row.figures.get(index)
    if figure is None or not figure.is_available:
        return None
    return figure.value if figure.origin == "published" or column.is_home(figure) else None


def _panel(group: str, rows: list[ArrangedRow], chosen: list[int], columns: Sequence[Column]) -> RadarPanel:
    members = [row for row in rows if row.source.group == group]
    members.sort(key=lambda row: row.source.origin == "measured")
    models = []
    for row, title in zip(members, row_titles(members), strict=True):
        values = tuple(_value(row, i, columns[i]) for i in chosen)
        if any(value is not None for value in values):
            published = row.source.origin == "published"
            named = ", ".join(filter(None, (title, row.source.regularizer))) + (" †" if published else "")
            models.append(RadarModel(named, row.source.system, published, values))
    return RadarPanel(group_title(group), tuple(models))


def _notes(rows: list[ArrangedRow], chosen: list[int], columns: Sequence[Column]) -> tuple[str, ...]:
    published = [row for row in rows if row.source.origin == "published"]
    notes = []
    if any(_value(row, i, columns[i]) is not None for row in published for i in chosen):
        notes.append(f"† dashed: published, not measured here ({published[0].source.citation.rpartition(', ')[0]}).")
    for row in published:
        for i in chosen:
            figure = row.figures.get(i)
            if figure is not None and figure.metric != columns[i].metric:
                notes.append(f"{figure.title} of published models: {figure.note}.")
            elif figure is not None and not columns[i].is_home(figure):
                notes.append(f"{figure.system}: protocol {figure.protocol or 'not stated'}.")
    return tuple(dict.fromkeys(notes))
