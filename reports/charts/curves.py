"""Charts of a run: PSNR by frame position, a metric against bits per pixel, and what is used of a codebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..schema import Figure as Measured
from ..schema import TableError
from ..tables.columns import ARROWS
from ..text import chart_text
from .palette import GREY, LIGHT_GREY, MARKERS, system_colours

SIZE = (5.6, 3.4)
"""Inches."""

LEGEND_ENTRY_HEIGHT = 0.18
"""Inches; a legend that is higher than the figure makes it higher."""

PANEL_SIZE = (5.6, 1.7)
"""Inches of one of several panels."""

LIMIT_STYLES = ("--", ":", "-.")
"""Lines of the limits of several sizes of codebooks."""

ANCHOR = "codec"
"""The regularizer of classical codecs."""

BARS_WIDTH = 0.8
"""Width of the bars of a dimension together, of 1 from one dimension to the next."""


def draw_psnr_by_position(frame: pd.DataFrame) -> Figure:
    """PSNR of each frame position, one line a label, with a band where there are intervals.

    Args:
        frame: columns ``label``, ``position`` (frame of the window, from 0), ``psnr``, ``low``, ``high`` (dB; NaN for
            no interval).

    Raises:
        TableError: if a column is missing.
    """
    _require(frame, ("label", "position", "psnr", "low", "high"))
    figure, canvas = _canvas("frame position in the window", "PSNR (dB) ↑")
    curves: dict[str, list[dict[str, Any]]] = {}
    for row in _records(frame):
        curves.setdefault(row["label"], []).append(row)
    colours = system_colours(curves, [list(curves)])
    for number, (label, unsorted) in enumerate(curves.items()):
        rows = sorted(unsorted, key=lambda row: row["position"])
        positions = [row["position"] for row in rows]
        marker = MARKERS[number % len(MARKERS)]
        canvas.plot(
            positions,
            [row["psnr"] for row in rows],
            marker,
            ls="-",
            ms=3.5,
            color=colours[label],
            label=chart_text(label),
        )
        low, high = ([row[end] for row in rows] for end in ("low", "high"))
        canvas.fill_between(positions, low, high, color=colours[label], alpha=0.15, linewidth=0)
    canvas.xaxis.set_major_locator(MaxNLocator(integer=True))
    _add_legend(figure, canvas)
    return figure


def draw_rate_distortion(figures: Sequence[Measured], metric: str, dataset: str, rate: str = "bpp") -> Figure:
    """A metric against the rate, one point a measured tokenizer, on a logarithmic rate axis.

    The points of one codec, measured at several rates, are joined: anchors that the tokenizers are read against.

    Args:
        figures: of any datasets and metrics; published and unavailable ones aren't drawn.
        metric: name of the metric on the vertical axis.
        dataset: the dataset both are measured on.
        rate: name of the metric on the horizontal axis.

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
    axes = [f"{f.title}{f' ({f.unit})' if f.unit else ''}" for f in (next(iter(rates.values())), points[0])]
    drawing, canvas = _canvas(axes[0], f"{axes[1]} {ARROWS[points[0].direction]}".rstrip())
    canvas.set_xscale("log")
    _label_decades(canvas.xaxis)
    systems = list(dict.fromkeys(f.system for f in points))
    colours = system_colours(systems, [systems])
    entries: dict[str, list[Measured]] = {}
    for point in points:
        entries.setdefault(point.system if point.regularizer == ANCHOR else point.label, []).append(point)
    for number, (name, unsorted) in enumerate(entries.items()):
        curve = sorted(unsorted, key=lambda point: rates[point.label, point.protocol_key].value)
        canvas.errorbar(
            [rates[point.label, point.protocol_key].value for point in curve],
            [point.value for point in curve],
            [
                [_reach(point, point.value - point.low) for point in curve],
                [_reach(point, point.high - point.value) for point in curve],
            ],
            fmt=MARKERS[number % len(MARKERS)],
            ls="--" if len(curve) > 1 else "",
            lw=1,
            ms=6,
            color=colours[curve[0].system],
            label=chart_text(name),
        )
    _add_legend(drawing, canvas)
    return drawing


def _reach(point: Measured, distance: float) -> float:
    """Length of one half of an error bar; none where there is no interval."""
    return max(0.0, distance) if point.has_interval else 0.0


def draw_codebook_growth(frame: pd.DataFrame) -> Figure:
    """Utilization against the tokens it rests on, one line a label, below the most that so many tokens could reach.

    Args:
        frame: columns ``label``, ``tokens``, ``utilization`` and ``bound`` (percent), ``entries`` (of all codebooks).

    Raises:
        TableError: if a column is missing.
    """
    _require(frame, ("label", "tokens", "utilization", "bound", "entries"))
    figure, canvas = _canvas("tokens", "codebook utilization (%) ↑")
    points = sorted(_records(frame), key=lambda point: point["tokens"])
    for number, (entries, limit) in enumerate(sorted(_grouped(points, "entries").items())):
        bounds = {point["tokens"]: point["bound"] for point in limit}
        style, name = LIMIT_STYLES[number % len(LIMIT_STYLES)], f"limit, {entries[0]:,} entries"
        canvas.plot(list(bounds), list(bounds.values()), ls=style, lw=1, color=GREY, label=chart_text(name))
    labels = list(dict.fromkeys(frame["label"]))
    colours = system_colours(labels, [labels])
    curves = _grouped(points, "label")
    for number, label in enumerate(labels):
        tokens, used = ([point[name] for point in curves[label,]] for name in ("tokens", "utilization"))
        marker = MARKERS[number % len(MARKERS)]
        canvas.plot(tokens, used, marker, ls="-", ms=3.5, color=colours[label], label=chart_text(label))
    canvas.set_xscale("log")
    canvas.set_yscale("log")
    _label_decades(canvas.xaxis)
    _label_decades(canvas.yaxis)
    _add_legend(figure, canvas)
    return figure


def draw_level_marginals(frame: pd.DataFrame) -> Figure:
    """Share of tokens at each level of each dimension of scalar quantizers, one panel a label and codebook.

    A dash across the bars of a dimension is the share of every level if all were used alike.

    Args:
        frame: columns ``label``, ``codebook``, ``dimension``, ``level`` (from 0) and ``share`` (percent).

    Raises:
        TableError: if a column is missing, or there is no row.
    """
    _require(frame, ("label", "codebook", "dimension", "level", "share"))
    panels = _grouped(_records(frame), "label", "codebook")
    if not panels:
        raise TableError("chart of level marginals has no row")
    several = len({book for _, book in panels}) > 1
    names = [f"{label}, codebook {book}" if several else label for label, book in panels]
    width, height = PANEL_SIZE
    figure = Figure(figsize=(width, height * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    colours = system_colours(names, [names])
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for canvas, name, bars in zip(axes, names, panels.values(), strict=True):
        dimensions = _grouped(sorted(bars, key=lambda bar: bar["level"]), "dimension")
        for (dimension,), levels in dimensions.items():
            left, bar_width = dimension - BARS_WIDTH / 2, BARS_WIDTH / len(levels)
            centres = [left + (place + 0.5) * bar_width for place in range(len(levels))]
            canvas.bar(centres, [bar["share"] for bar in levels], 0.85 * bar_width, color=colours[name])
            canvas.plot([left, left + BARS_WIDTH], [100 / len(levels)] * 2, color="black", lw=1)
        canvas.set_title(chart_text(name), fontsize=9, loc="left")
        canvas.set_xticks([dimension for (dimension,) in dimensions])
        canvas.set_ylabel("tokens (%)")
        canvas.set_xlim(-0.5, len(dimensions) - 0.5)
        canvas.spines[["top", "right"]].set_visible(False)
        canvas.tick_params(axis="x", length=0)
    axes[-1].set_xlabel("dimension; its levels from left to right")
    return figure


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def _grouped(records: Sequence[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Records by the values of ``keys``, in the order of their first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(tuple(record[key] for key in keys), []).append(record)
    return groups


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"curve table lacks the columns {', '.join(missing)}; it must have: {', '.join(columns)}")


def _canvas(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    canvas = figure.add_subplot()
    canvas.set_xlabel(chart_text(horizontal))
    canvas.set_ylabel(chart_text(vertical))
    canvas.grid(color=LIGHT_GREY, linewidth=0.5)
    canvas.spines[["top", "right"]].set_visible(False)
    canvas.set_axisbelow(True)
    return figure, canvas


def _label_decades(axis: Axis) -> None:
    """Plain numbers at one and three of each decade of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _add_legend(figure: Figure, canvas: Axes) -> None:
    # Outside the axes, where it hides no point however many there are.
    legend = canvas.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.set_figheight(max(SIZE[1], LEGEND_ENTRY_HEIGHT * (len(legend.get_texts()) + 1)))
