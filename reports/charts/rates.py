"""Charts of quality against bits per pixel, and of its paired differences at equal rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..identity import Identity
from ..schema import Figure as Measured
from ..schema import TableError
from ..tables.columns import metric_heading
from ..tables.data_frames import grouped, records, require_columns
from .canvas import draw_band, label_decades
from .palette import PALE, line_style, marker_style
from .panels import Panel, new_sheet, panels_by_group
from .side_labels import SideLabel

CODEC = "codec"
"""The regularizer of classical codecs."""


def line_name(point: Measured) -> str:
    """What a point is drawn as: the points of one codec are one line, any other stands for itself."""
    return point.system if point.regularizer == CODEC else point.label


def draw_rate_distortion(
    figures: Sequence[Measured],
    metric: str,
    dataset: str,
    identities: Mapping[str, Identity],
    rate: str = "bpp",
    notes: Sequence[str] = (),
) -> Figure:
    """A metric against the rate, one point a measured tokenizer, on a logarithmic rate axis.

    The points of one codec, measured at several rates, are joined: anchors that the tokenizers are read against. They
    are drawn in every panel.

    Args:
        figures: of any datasets and metrics; published and unavailable ones aren't drawn.
        metric: name of the metric on the vertical axis.
        dataset: the dataset both are measured on.
        identities: of all labels.
        rate: name of the metric on the horizontal axis.
        notes: sentences below, such as BD-rates.

    Raises:
        TableError: if no tokenizer has both figures under one protocol, or if several protocols would mix.
    """
    measured = [f for f in figures if f.dataset == dataset and f.origin == "measured" and f.is_available]
    rates = {(f.label, f.protocol_key): f for f in measured if f.metric == rate and f.value > 0}
    points = [f for f in measured if f.metric == metric and (f.label, f.protocol_key) in rates]
    protocols = sorted({f.protocol for f in points}) if len({f.protocol_key for f in points}) > 1 else []
    if not points or protocols:
        problem = f"mixes the protocols {', '.join(protocols)}" if protocols else "finds no tokenizer that has both"
        raise TableError(f"rate–distortion chart of {metric} against {rate} on {dataset} {problem}")
    bits, quality = next(iter(rates.values())), points[0]
    vertical = metric_heading(quality.title, quality.unit, quality.direction)
    rows = [
        {
            "line": line_name(f),
            "label": f.label,
            "rate": rates[f.label, f.protocol_key].value,
            "value": f.value,
            "low": f.low,
            "high": f.high,
        }
        for f in points
    ]
    return _draw(rows, identities, metric_heading(bits.title, bits.unit), vertical, notes=notes)


def draw_rate_differences(
    frame: pd.DataFrame,
    identities: Mapping[str, Identity],
    zero: tuple[str, Identity],
    rate: Measured,
    quality: Measured,
) -> Figure:
    """Difference of quality at equal rate on a logarithmic rate axis; the points of one codec are joined.

    A line has a band where there are intervals, a point that stands alone has bars.

    Args:
        frame: columns ``line`` (the point's codec, or its label), ``label``, ``rate``, ``difference``, ``low``,
            ``high`` (NaN for no interval).
        identities: of all labels.
        zero: name of what the differences are to, and the identity of one of its points.
        rate: any figure of the metric on the horizontal axis.
        quality: any figure of the metric on the vertical axis.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("line", "label", "rate", "difference", "low", "high"), "table of differences")
    vertical = metric_heading(f"{quality.title} difference", quality.unit, quality.direction)
    rows = [{**row, "value": row["difference"]} for row in records(frame)]
    return _draw(rows, identities, metric_heading(rate.title, rate.unit), vertical, zero=zero)


def _draw(
    rows: list[dict[str, Any]],
    identities: Mapping[str, Identity],
    horizontal: str,
    vertical: str,
    *,
    zero: tuple[str, Identity] | None = None,
    notes: Sequence[str] = (),
) -> Figure:
    lines = {name: sorted(points, key=lambda row: row["rate"]) for (name,), points in grouped(rows, "line").items()}
    panels = panels_by_group((row["label"] for row in rows), identities)
    shown = [_shown(panel, lines, joined_everywhere=zero is None) for panel in panels]
    names = [[_name(line, lines[line], identities) for line in column] for column in shown]
    if zero:
        names = [[*column, f"zero: {zero[0]}"] for column in names]
    sheet = new_sheet([panel.title for panel in panels], names, horizontal, vertical, notes=notes)
    for canvas, column in zip(sheet.axes, shown, strict=True):
        canvas.set_xscale("log")
        for name, points in lines.items():
            if name not in column:
                canvas.plot(*_places(points), "o", ms=1.8, color=PALE, zorder=1)
        if zero:
            canvas.axhline(0, lw=0.9, **line_style(zero[1]))
        for name in column:
            _draw_line(canvas, lines[name], identities[lines[name][0]["label"]], has_band=zero is not None)
        canvas.margins(0.08)
    # All panels share one axis.
    label_decades(sheet.axes[0].xaxis)
    for canvas, column, texts in zip(sheet.axes, shown, names, strict=True):
        labels = [
            SideLabel(text, lines[line][-1]["value"], identities[lines[line][0]["label"]])
            for line, text in zip(column, texts, strict=False)
        ]
        if zero:
            labels.append(SideLabel(texts[-1], 0.0, zero[1]))
        sheet.name(canvas, labels)
    return sheet.drawing


def _shown(panel: Panel, lines: Mapping[str, list[dict[str, Any]]], *, joined_everywhere: bool) -> list[str]:
    """Lines of a panel: those of its systems, and codecs that anchor every one."""
    return [
        name
        for name, points in lines.items()
        if any(row["label"] in panel.labels for row in points) or (joined_everywhere and len(points) > 1)
    ]


def _name(line: str, points: list[dict[str, Any]], identities: Mapping[str, Identity]) -> str:
    label = points[0]["label"]
    return line if len(points) > 1 and line not in identities else identities[label].short


def _draw_line(canvas: Axes, points: list[dict[str, Any]], identity: Identity, *, has_band: bool) -> None:
    rates, values = _places(points)
    if len(points) > 1 and has_band:
        draw_band(canvas, rates, points, identity.colour)
    else:
        for row in points:
            if not pd.isna(row["low"]):
                ends = (row["low"], row["high"])
                canvas.vlines(row["rate"], *ends, color=identity.colour, lw=0.5, alpha=0.5)
    style = line_style(identity) if len(points) > 1 else {"linestyle": "", "color": identity.colour}
    canvas.plot(rates, values, lw=1.0, ms=4, label=points[0]["line"], **style, **marker_style(identity))


def _places(points: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    return [row["rate"] for row in points], [row["value"] for row in points]
