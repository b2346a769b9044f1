"""Comparing tokenizers on the windows they share, within a run or between runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..catalog.catalog import metrics
from ..ledger.ledger import FILE_NAME, Ledger
from ..metrics.interface import MeasuredWindow, Metric
from .paired_difference import PairedDifference, paired_difference
from .results import CellResults, read_results


class ComparisonError(ValueError):
    """Tokenizers that can't be compared: unknown, or measured under different protocols."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    """Label, with the run's name where runs are compared."""
    results: CellResults


def compare_items(items: Sequence[str], run: Path | None, metric_names: Sequence[str] | None) -> pd.DataFrame:
    """Compare the first of ``items`` with each of the others.

    Args:
        items: labels (or names) of tokenizers in ``run``; without it, run folders, whose equal labels are compared.
        run: run folder.
        metric_names: only these; ``None``: all that both sides have.

    Returns:
        One row a pair, dataset and metric; columns as :mod:`toklab.reports.tables.comparison` takes them.

    Raises:
        ComparisonError: on an unknown label, or two protocols.
    """
    if len(items) < 2:
        raise ComparisonError("name at least two tokenizers (with --run RUN) or two run folders")
    if run is not None:
        with Ledger(run) as ledger:
            return compare_labels(read_results(ledger), items, metric_names, str(run))
    return _differences(_pairs_between_runs([Path(item) for item in items]), metric_names)


def compare_labels(
    results: Sequence[CellResults], labels: Sequence[str], metric_names: Sequence[str] | None, run: str
) -> pd.DataFrame:
    """Compare the first of some tokenizers of one run with each of the others; as :func:`compare_items`.

    Args:
        results: every cell of the run.
        labels: labels, or names of tokenizers; at least two.
        metric_names: only these; ``None``: all that both sides have.
        run: what errors call the run.
    """
    if len(labels) < 2:
        raise ComparisonError("name at least two tokenizers")
    return _differences(_pairs_in_run(results, labels, run), metric_names)


def _differences(pairs: Iterator[tuple[Side, Side]], metric_names: Sequence[str] | None) -> pd.DataFrame:
    rows = [row for one, other in pairs for row in _compare(one, other, metric_names)]
    if not rows:
        raise ComparisonError("the two have no metric in common; `toklab report RUN` shows what each has")
    return pd.DataFrame(rows)


def _pairs_in_run(results: Sequence[CellResults], labels: Sequence[str], run: str) -> Iterator[tuple[Side, Side]]:
    chosen = [_with_label(results, label, run) for label in labels]
    for other_cells in chosen[1:]:
        matched = False
        for one in chosen[0]:
            for other in other_cells:
                if one.cell.dataset == other.cell.dataset:
                    matched = True
                    yield Side(one.cell.label, one), Side(other.cell.label, other)
        if not matched:
            raise ComparisonError(f"{labels[0]} and {other_cells[0].cell.label} ran on no dataset in common")


def _with_label(results: Sequence[CellResults], label: str, run: str) -> list[CellResults]:
    found = [r for r in results if r.cell.label == label] or [r for r in results if r.cell.tokenizer == label]
    if not found:
        raise ComparisonError(
            f"{run} holds no {label!r}; it holds {', '.join(sorted({r.cell.label for r in results}))}"
        )
    return found


def _pairs_between_runs(folders: Sequence[Path]) -> Iterator[tuple[Side, Side]]:
    for folder in folders:
        if not (folder / FILE_NAME).is_file():
            raise ComparisonError(f"{folder} is not a run folder; to compare tokenizers of one run, give --run RUN")
    opened = []
    for folder in folders:
        with Ledger(folder) as ledger:
            opened.append({(r.cell.label, r.cell.dataset): r for r in read_results(ledger)})
    for folder, other in zip(folders[1:], opened[1:], strict=True):
        shared = [key for key in opened[0] if key in other]
        if not shared:
            raise ComparisonError(f"{folders[0]} and {folder} have no tokenizer and dataset in common")
        for key in shared:
            yield Side(f"{key[0]} [{folders[0]}]", opened[0][key]), Side(f"{key[0]} [{folder}]", other[key])


def _compare(one: Side, other: Side, names: Sequence[str] | None) -> Iterator[dict[str, object]]:
    cells = one.results.cell, other.results.cell
    if cells[0].protocol_hash != cells[1].protocol_hash:
        named = zip((one.name, other.name), cells, strict=True)
        protocols = " and ".join(f"{name} under {cell.protocol['name']} ({cell.protocol_hash})" for name, cell in named)
        raise ComparisonError(f"figures under different protocols can't be compared: {protocols}")
    same = _same_clips(one.results, other.results)
    for name in cells[0].metrics:
        if name not in cells[1].metrics or (names and name not in names):
            continue
        metric = metrics().get(name)()
        if metric.needs == "model":
            continue
        sides = [_windows(side.results, metric, same) for side in (one, other)]
        outcome = paired_difference(metric, sides[0], sides[1], cells[0].facts, cells[1].facts)
        if isinstance(outcome, PairedDifference):
            yield _row(one, other, metric, outcome)


def _same_clips(one: CellResults, other: CellResults) -> set[tuple[str, int]]:
    """Keys of the windows that both saw, from the same frames of the same content."""
    clips = [{row.key: (row.content_id, row.frame_ids) for row in results.scored()} for results in (one, other)]
    return {key for key, clip in clips[0].items() if clips[1].get(key) == clip}


def _windows(results: CellResults, metric: Metric, keys: set[tuple[str, int]]) -> list[MeasuredWindow]:
    return [window for window in results.windows(metric) if window.key in keys]


def _row(one: Side, other: Side, metric: Metric, outcome: PairedDifference) -> dict[str, object]:
    return {
        "dataset": one.results.dataset,
        "metric": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "direction": metric.direction,
        "decimals": metric.decimals,
        "a": one.name,
        "b": other.name,
        "value_a": outcome.value_a,
        "value_b": outcome.value_b,
        "difference": outcome.difference,
        "low": float("nan") if outcome.low is None else outcome.low,
        "high": float("nan") if outcome.high is None else outcome.high,
        "windows_shared": outcome.windows_shared,
        "count": outcome.sources_shared,
        "better": _better(one, other, metric, outcome),
        "note": outcome.note,
    }


def _better(one: Side, other: Side, metric: Metric, outcome: PairedDifference) -> str:
    """The side that is better with its interval clear of zero; empty where it isn't clear."""
    if metric.direction == "none" or outcome.low is None or outcome.high is None or outcome.low <= 0 <= outcome.high:
        return ""
    return one.name if (outcome.difference > 0) == (metric.direction == "higher") else other.name
