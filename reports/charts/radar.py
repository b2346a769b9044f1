"""The radar charts in the shape of Figure 1 of the VidTok paper: what is drawn, before it is drawn.

One panel for each comparison group that has a system (discrete, continuous with 4 and with 16 channels, and further
ones), one axis for each dataset and metric. Axes have fixed scales (:mod:`.scales`); better is always outward. An axis
on which nothing was measured is left out and named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..identity import Identities, Identity, identify
from ..schema import Figure, TableError, group_order, group_title
from ..tables.columns import Column, arrange_columns, metric_heading
from ..tables.rows import ArrangedRow, arrange_rows
from .scales import AxisScale, axis_scales, published_titles

MINIMUM_AXES = 3
"""Fewer make no polygon."""

CAPTION = "Each axis has a fixed scale, which is named; it begins with its worst end, and better is outward."
"""Below the radar charts."""

CLIPPED_NOTE = "Triangles that point outward or inward: beyond that end of the scale."
"""Below them where a system has such a mark."""


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
    unavailable: str = ""
    """Why no measured tokenizer has a figure on it, or the command that fixes it; empty for an axis in use."""

    @property
    def heading(self) -> str:
        """Title and arrow: ``LPIPS ↓``."""
        return metric_heading(self.title, direction=self.direction)


@dataclass(frozen=True)
class RadarModel:
    """One polygon."""

    identity: Identity
    values: tuple[float | None, ...]
    """One for each axis; ``None`` breaks the polygon there."""
    protocol: str = ""
    """Named where the system has another polygon under another protocol."""

    @property
    def title(self) -> str:
        """Name of the system, with the protocol where that has to be said."""
        return f"{self.identity.short} [{self.protocol}]" if self.protocol else self.identity.short

    @property
    def published(self) -> bool:
        """Whether its figures are published ones."""
        return self.identity.is_published


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
    missing: tuple[RadarAxis, ...] = ()
    """Axes that are left out, as nothing was measured on them."""


def build_radar(
    figures: Sequence[Figure],
    metrics: Sequence[str] | None = None,
    *,
    identities: Identities | None = None,
    scales: Mapping[str, AxisScale] | None = None,
) -> RadarChart:
    """Arrange figures for the radar charts.

    Args:
        figures: measured ones, published ones, or both.
        metrics: names of the metrics that get axes; ``None``: those Table 1 of the VidTok paper prints, or all that
            have a scale where fewer than three of them were measured.
        identities: of all systems; as :func:`~..identity.identify` gives them if not given.
        scales: by metric, for all datasets, in place of the default of :func:`~.scales.axis_scales`.

    Raises:
        TableError: if fewer than three metrics that have a scale were measured.
    """
    columns, places = arrange_columns(figures, across_protocols=False)
    rows = arrange_rows(figures, places)
    identities = identify(figures) if identities is None else identities
    known = _scales(figures, columns, scales or {})
    on_axis = {i: [row.figures[i] for row in rows if i in row.figures] for i in known}
    used = [i for i in known if _is_used(on_axis[i])]
    chosen = _chosen(columns, used, metrics)
    if len(chosen) < MINIMUM_AXES:
        has = ", ".join(columns[i].metric for i in chosen) or "none"
        raise TableError(
            f"a radar chart needs {MINIMUM_AXES} measured metrics with a scale, and has: {has}; measure more metrics"
        )
    wanted = _chosen(columns, list(known), metrics) if metrics or _is_usual(columns, chosen) else []
    missing = tuple(_axis(columns[i], known[i], on_axis[i]) for i in wanted if i not in used)
    axes = tuple(_axis(columns[i], known[i]) for i in chosen)
    drawn = {row.source.group for row in rows if any(_value(row, i, columns[i]) is not None for i in chosen)}
    panels = [_panel(group, rows, chosen, columns, identities) for group in sorted(drawn, key=group_order)]
    return RadarChart(axes, tuple(panels), _notes(rows, chosen, columns), missing)


def radar_json(chart: RadarChart) -> str:
    """The chart's axes with their scales, and the values drawn on them, as JSON."""
    panels = [
        {"title": panel.title, "models": [{"title": m.title, "values": m.values} for m in panel.models]}
        for panel in chart.panels
    ]
    content = {
        "axes": [_axis_json(axis) for axis in chart.axes],
        "missing": [_axis_json(axis) for axis in chart.missing],
        "panels": panels,
        "notes": chart.notes,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _axis_json(axis: RadarAxis) -> dict[str, object]:
    return {
        "dataset": axis.dataset,
        "protocol": axis.protocol,
        "protocol_hash": axis.protocol_hash,
        "metric": axis.metric,
        "title": axis.title,
        "direction": axis.direction,
        "unit": axis.unit,
        "worst": axis.scale.worst,
        "best": axis.scale.best,
        "logarithmic": axis.scale.is_logarithmic,
        "scale_source": axis.scale.source,
        "unavailable": axis.unavailable,
    }


def _scales(
    figures: Sequence[Figure], columns: Sequence[Column], given: Mapping[str, AxisScale]
) -> dict[int, AxisScale]:
    """The scale of each column that has one, by its index."""
    usual = axis_scales(figures)
    found: dict[int, AxisScale] = {}
    for index, column in enumerate(columns):
        scale = given.get(column.metric, usual.get((column.group.dataset, column.title)))
        if scale is not None and column.group.dataset and column.direction != "none":
            found[index] = scale
    return found


def _is_used(figures: Sequence[Figure]) -> bool:
    """Whether anything was measured on an axis; of a chart of published figures alone, whether any is there."""
    measured = [figure for figure in figures if figure.origin == "measured"]
    return any(figure.is_available for figure in measured or figures)


def _is_usual(columns: Sequence[Column], chosen: Sequence[int]) -> bool:
    return all(columns[i].title in published_titles() for i in chosen)


def _chosen(columns: Sequence[Column], among: Sequence[int], metrics: Sequence[str] | None) -> list[int]:
    if metrics is not None:
        return [i for i in among if columns[i].metric in metrics]
    usual = [i for i in among if columns[i].title in published_titles()]
    return usual if len(usual) >= MINIMUM_AXES else list(among)


def _axis(column: Column, scale: AxisScale, lacking: Sequence[Figure] = ()) -> RadarAxis:
    """An axis; ``lacking`` are the figures of one on which nothing was measured."""
    measured = [figure for figure in lacking if figure.origin == "measured"]
    hint = next((figure.hint for figure in measured if figure.hint), "")
    return RadarAxis(
        dataset=column.group.title,
        protocol=column.group.protocol,
        protocol_hash=column.group.protocol_hash,
        metric=column.metric,
        title=column.title,
        unit=column.unit,
        direction=column.direction,
        scale=scale,
        unavailable=(hint or measured[0].note or "could not be computed") if measured else "",
    )


def _value(row: ArrangedRow, index: int, column: Column) -> float | None:
    figure = row.figures.get(index)
    if figure is None or not figure.is_available:
        return None
    return figure.value if figure.origin == "published" or column.is_home(figure) else None


def _panel(
    group: str, rows: list[ArrangedRow], chosen: list[int], columns: Sequence[Column], identities: Identities
) -> RadarPanel:
    members = [row for row in rows if row.source.group == group]
    members.sort(key=lambda row: row.source.origin == "measured")
    models = []
    for row in members:
        values = tuple(_value(row, i, columns[i]) for i in chosen)
        if any(value is not None for value in values):
            models.append(RadarModel(identities.of(row.source), values, row.protocol))
    return RadarPanel(group_title(group), tuple(models))


def _notes(rows: list[ArrangedRow], chosen: list[int], columns: Sequence[Column]) -> tuple[str, ...]:
    published = [row for row in rows if row.source.origin == "published"]
    drawn = [row for row in published if any(_value(row, i, columns[i]) is not None for i in chosen)]
    notes = []
    if drawn:
        papers = dict.fromkeys(re.sub(r", Table \d+$", "", row.source.citation) for row in drawn)
        notes.append(f"† dotted: published, not measured here ({'; '.join(papers)}).")
    for row in published:
        for i in chosen:
            figure = row.figures.get(i)
            if figure is not None and figure.metric != columns[i].metric:
                notes.append(f"{figure.title} of published models: {figure.note}.")
            elif figure is not None and not columns[i].is_home(figure):
                notes.append(f"{figure.system}: protocol {figure.protocol or 'not stated'}.")
    return tuple(dict.fromkeys(notes))
