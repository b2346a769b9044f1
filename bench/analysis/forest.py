"""The forest plot of a place: each system's paired differences to a reference, by every metric of quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pandas as pd

from ...reports.charts.forest import COLUMNS, draw_forest
from ...reports.charts.pictures import Chart, make_chart
from ...reports.identity import Identity
from ...reports.schema import Figure
from ...reports.tables.comparison import LEFT_OUT
from ..catalog.broken_metric import find_metric
from .cell_results import CellResults
from .compared_pairs import ComparisonError, Pairs, Side, pairs_of_table
from .comparison import compare_pairs
from .places import Place
from .sweep import QUALITY_NEEDS

FOREST_COLUMNS = (*COLUMNS, "videos", "verdict", "note")


def quality_metrics(place: Place) -> list[str]:
    """Names of the metrics that compare frames or features of a place and have a better end, in its order."""
    names = dict.fromkeys(name for result in place.results for name in result.cell.metrics)
    metrics = {name: find_metric(name) for name in names}
    return [name for name, metric in metrics.items() if metric.needs in QUALITY_NEEDS and metric.direction != "none"]


def paired_differences(
    place: Place,
    zero: CellResults | None,
    figures: Sequence[Figure],
    identities: Mapping[str, Identity],
    left_out: list[str],
) -> Iterator[Chart]:
    """The forest plot, if any two systems can be paired.

    Without ``zero`` the reference is the system of each group that is best by the first metric of quality, and
    intervals, windows and verdicts are those of the table.

    Args:
        place: where the systems were measured.
        zero: the reference.
        figures: of the place.
        identities: of all labels.
        left_out: takes sentences on what ``zero`` can't be compared with.
    """
    names = quality_metrics(place)
    if not names:
        return
    rows = _rows_to_best(place, names, figures) if zero is None else _rows_to(zero, place, names, left_out)
    if not rows:
        return
    order = {label: number for number, label in enumerate(identities)}
    rows.sort(key=lambda row: (order[row["label"]], names.index(row["metric"])))
    frame = pd.DataFrame(rows, columns=list(FOREST_COLUMNS))
    to = f"the system of each group that is best by {find_metric(names[0]).title}"
    together = "all pairs of a group by one metric"
    if zero is not None:
        to, together = identities[zero.label].short, "all of its differences by one metric"
    caption = (
        f"Paired differences to {to}, {place.words}: system minus reference, with 95 % intervals that hold for "
        f"{together} at once. An interval without zero shows a difference."
    )
    yield make_chart(
        f"paired_differences{place.suffix}", "Paired differences", caption, draw_forest(frame, identities), frame
    )


def _rows_to(zero: CellResults, place: Place, names: Sequence[str], left_out: list[str]) -> list[dict[str, Any]]:
    """The differences of all others to ``zero``."""
    others = [result for result in place.results if result is not zero and result.num_scored]
    try:
        compared = compare_pairs(Pairs([(Side(other.label, other), Side(zero.label, zero)) for other in others]), names)
    except ComparisonError:
        if others:
            left_out.append(f"No paired differences to {zero.label} {place.words}: nothing can be compared with it")
        return []
    left_out += [f"No paired difference {place.words}: {why}" for why in compared.attrs[LEFT_OUT]]
    return [_oriented(row, zero.label, "") for row in cast(list[dict[str, Any]], compared.to_dict("records"))]


def _rows_to_best(place: Place, names: Sequence[str], figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """The differences within each group to its best system by the first of the metrics, as the table judges them."""
    references = _best_of_groups(place, figures, names[0])
    groups = {result.label: result.group for result in place.results}
    try:
        compared = compare_pairs(
            pairs_of_table([result for result in place.results if result.num_scored]), names, is_table=True
        )
    except ComparisonError:
        return []
    rows = []
    for row in cast(list[dict[str, Any]], compared.to_dict("records")):
        group = groups[row["a"]]
        if (reference := references.get(group, "")) in (row["a"], row["b"]):
            rows.append(_oriented(row, reference, group))
    return rows


def _best_of_groups(place: Place, figures: Sequence[Figure], metric: str) -> dict[str, str]:
    """The label that each group's differences are to."""
    best: dict[str, Figure] = {}
    labels = {result.label for result in place.results}
    for figure in figures:
        if figure.metric != metric or figure.origin != "measured" or not figure.is_available:
            continue
        sign = 1 if figure.direction == "higher" else -1
        known = best.get(figure.group)
        if figure.label in labels and (known is None or sign * figure.value > sign * known.value):
            best[figure.group] = figure
    return {group: figure.label for group, figure in best.items()}


def _oriented(row: Mapping[str, Any], reference: str, group: str) -> dict[str, Any]:
    """A comparison as system minus reference."""
    is_second = row["b"] == reference
    sign = 1 if is_second else -1
    ends = sorted((sign * row["low"], sign * row["high"]))
    verdict = row["verdict"]
    words = {"A": "better", "B": "worse"} if is_second else {"A": "worse", "B": "better"}
    return {
        "label": row["a"] if is_second else row["b"],
        "to": reference,
        "group": group,
        **{name: row[name] for name in ("metric", "title", "unit", "direction", "note")},
        "difference": sign * row["difference"],
        "low": ends[0],
        "high": ends[1],
        "videos": row["count"],
        "verdict": words.get(verdict, verdict),
    }
