"""Sweeps: cells of one tokenizer that differ in a numeric inference setting, as points of rate, quality and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...reports.charts.sweep import SweepPoint
from ...reports.identity import Identity, identify
from ...reports.schema import Figure
from ...tokenizers.interface import InferenceSettings
from ..catalog.broken_metric import find_metric
from ..metrics.bits import BitsPerPixel
from ..metrics.interface import Metric
from ..metrics.throughput import Latency
from .cell_results import CellResults
from .figure_rows import table_row
from .results import short_weights

QUALITY_NEEDS = ("pairs", "features")
"""What metrics of quality compare: frames, or features of them."""


@dataclass(frozen=True)
class Sweep:
    """A numeric setting that takes several values for at least one tokenizer."""

    setting: str
    points: tuple[SweepPoint, ...]


def find_sweeps(results: Sequence[CellResults], identities: Mapping[str, Identity]) -> Iterator[Sweep]:
    """Every sweep among the cells of one dataset and protocol, in the order of the settings.

    A line of a sweep is what agrees in tokenizer, weights and all other settings. Lines of one point are left out.

    Args:
        results: the cells.
        identities: of their labels; a line looks like its first point.
    """
    finished = [result for result in results if result.num_scored]
    for setting, default in InferenceSettings().as_dict().items():
        if not isinstance(default, int | float) or isinstance(default, bool):
            continue
        lines = {
            series: dict(sorted(line.items()))
            for series, line in _lines(finished, setting, default).items()
            if len(line) > 1
        }
        named = _identities({series: next(iter(line.values())) for series, line in lines.items()}, identities)
        points = [
            _point(named[series], value, result) for series, line in lines.items() for value, result in line.items()
        ]
        if points:
            yield Sweep(setting, tuple(points))


def _lines(results: Sequence[CellResults], setting: str, default: float) -> dict[str, dict[float, CellResults]]:
    """The cells by line and by value of the setting; weights are named where several share a name."""
    lines: dict[tuple[str, str], dict[float, CellResults]] = {}
    for result in results:
        value = result.cell.settings.get(setting, default)
        lines.setdefault((_series(result, setting), result.cell.weights), {})[value] = result
    several = Counter(series for series, _ in lines)
    return {
        f"{series}, {short_weights(weights)}" if several[series] > 1 else series: line
        for (series, weights), line in lines.items()
    }


def _series(result: CellResults, setting: str) -> str:
    """The cell's label without the setting."""
    name = result.cell.tokenizer
    settings = result.cell.label.removeprefix(name).removeprefix(" (").removesuffix(")")
    others = [part for part in settings.split(",") if part and not part.startswith(f"{setting}=")]
    return f"{name} ({','.join(others)})" if others else name


def _identities(firsts: Mapping[str, CellResults], identities: Mapping[str, Identity]) -> dict[str, Identity]:
    """Of each line: the look of its first point, and a name without the setting."""
    named = identify([replace(_figure(first, BitsPerPixel()), label=series) for series, first in firsts.items()])
    return {
        series: replace(identities[first.label], label=series, short=named[series].short, long=named[series].long)
        for series, first in firsts.items()
    }


def _point(series: Identity, value: float, result: CellResults) -> SweepPoint:
    measured = [find_metric(name) for name in result.cell.metrics]
    quality = [_figure(result, metric) for metric in measured if metric.needs in QUALITY_NEEDS]
    rate, time = _figure(result, BitsPerPixel()), _figure(result, Latency())
    return SweepPoint(
        series,
        value,
        quality=tuple(figure for figure in quality if figure.is_available),
        rate=(rate,) if rate.is_available else (),
        time=(time,) if time.is_available else (),
    )


def _figure(result: CellResults, metric: Metric) -> Figure:
    return Figure(**table_row(result, metric))
