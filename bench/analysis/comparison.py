"""Comparing tokenizers on the windows they share, within a run or between runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from ...datasets.names import is_root_identity
from ...reports.tables.comparison import LEFT_OUT
from ..catalog.broken_metric import BrokenMetric, find_metric
from ..ledger.ledger import FILE_NAME, Ledger
from ..metrics.interface import MeasuredWindow, Metric
from .paired_difference import PairedDifference, paired_difference
from .results import CellResults, name_datasets, read_results


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
        One row a pair, dataset, protocol and metric; columns as :mod:`toklab.reports.tables.comparison` takes them.
        ``attrs["left_out"]`` says what has no counterpart, and timings of two machines.

    Raises:
        ComparisonError: on an unknown label, or where nothing can be compared, such as figures of two protocols.
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


def _differences(pairs: Pairs, metric_names: Sequence[str] | None) -> pd.DataFrame:
    left_out = list(pairs.left_out)
    rows = [row for one, other in pairs.sides for row in _compare(one, other, metric_names, left_out)]
    if not rows:
        reasons = "".join(f"; {reason}" for reason in dict.fromkeys(left_out))
        raise ComparisonError(f"nothing can be compared{reasons}; `toklab report RUN` shows what each has")
    frame = pd.DataFrame(rows)
    frame.attrs[LEFT_OUT] = list(dict.fromkeys(left_out))
    return frame


@dataclass
class Pairs:
    """What is compared with what, and what has no counterpart."""

    sides: list[tuple[Side, Side]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def match(self, ones: Sequence[CellResults], others: Sequence[CellResults], names: tuple[str, str]) -> None:
        """Pair cells of one dataset and protocol; ``names`` are what the two sides are called in sentences.

        Raises:
            ComparisonError: if there is no pair.
        """
        ran = [
            [cell for cell in cells if self._has_run(cell, name)]
            for cells, name in zip((ones, others), names, strict=True)
        ]
        found = [(one, other) for one in ran[0] for other in ran[1] if _place(one) == _place(other)]
        if not found:
            raise ComparisonError(_why_none(ran, names, self.left_out))
        for cells, matched, name in zip(ran, zip(*found, strict=True), names[::-1], strict=True):
            for cell in cells:
                if cell not in matched:
                    self.left_out.append(f"{_described(cell)}: nothing of {name} to compare it with")
        self.sides += [(Side(one.cell.label, one), Side(other.cell.label, other)) for one, other in found]

    def _has_run(self, result: CellResults, name: str) -> bool:
        if result.cell.status == "failed":
            self.left_out.append(f"{_described(result)} ({name}) couldn't run: {result.cell.reason}")
        return result.cell.status != "failed"


def _place(result: CellResults) -> tuple[str, str]:
    return result.cell.dataset, result.cell.protocol_hash


def _described(result: CellResults) -> str:
    cell = result.cell
    return f"{cell.label} on {result.dataset} under {cell.protocol['name']} ({cell.protocol_hash})"


def _why_none(ran: Sequence[Sequence[CellResults]], names: tuple[str, str], left_out: Sequence[str]) -> str:
    if not all(ran):
        return f"{names[0]} and {names[1]} have nothing to compare: {'; '.join(dict.fromkeys(left_out))}"
    datasets = [{result.cell.dataset for result in results} for results in ran]
    if datasets[0] & datasets[1]:
        described = " and ".join(", ".join(map(_described, results)) for results in ran)
        return f"figures under different protocols can't be compared: {described}"
    hint = ""
    if any(is_root_identity(dataset) for dataset in datasets[0] | datasets[1]):
        hint = "; a folder at two places is one dataset if it is run under one name: --dataset NAME=folder:PATH"
    return f"{names[0]} and {names[1]} ran on no dataset in common{hint}"


def _pairs_in_run(results: Sequence[CellResults], labels: Sequence[str], run: str) -> Pairs:
    chosen = [_with_label(results, label, run) for label in labels]
    pairs = Pairs()
    for label, others in zip(labels[1:], chosen[1:], strict=True):
        pairs.match(chosen[0], others, (labels[0], label))
    return _with_weights(pairs)


def _with_label(results: Sequence[CellResults], label: str, run: str) -> list[CellResults]:
    found = [r for r in results if label in (r.label, r.cell.label)] or [
        r for r in results if r.cell.tokenizer == label
    ]
    if not found:
        raise ComparisonError(f"{run} holds no {label!r}; it holds {', '.join(sorted({r.label for r in results}))}")
    return found


def _pairs_between_runs(folders: Sequence[Path]) -> Pairs:
    for folder in folders:
        if not (folder / FILE_NAME).is_file():
            raise ComparisonError(f"{folder} is not a run folder; to compare tokenizers of one run, give --run RUN")
    opened: list[list[CellResults]] = []
    for folder in folders:
        with Ledger(folder) as ledger:
            opened.append(read_results(ledger))
    named = iter(name_datasets([result for results in opened for result in results]))
    runs = [list(itertools.islice(named, len(results))) for results in opened]
    pairs = Pairs()
    for folder, others in zip(folders[1:], runs[1:], strict=True):
        between = Pairs()
        places = (str(folders[0]), str(folder))
        labels = [[result.cell.label for result in results] for results in (runs[0], others)]
        shared = [label for label in dict.fromkeys(labels[0]) if label in labels[1]]
        for one, other, results in ((*places, runs[0]), (*places[::-1], others)):
            alone = [result for result in results if result.cell.label not in shared]
            between.left_out += [f"{_described(result)}: in {one}, not in {other}" for result in alone]
        refused: list[str] = []
        for label in shared:
            sides = [[result for result in results if result.cell.label == label] for results in (runs[0], others)]
            try:
                between.match(sides[0], sides[1], (f"{label} [{places[0]}]", f"{label} [{places[1]}]"))
            except ComparisonError as error:
                refused.append(str(error))
        if not between.sides:
            raise ComparisonError("; ".join(refused) or f"{places[0]} and {places[1]} have no tokenizer in common")
        between = _with_weights(Pairs(between.sides, between.left_out + refused))
        pairs.left_out += between.left_out
        pairs.sides += [
            (replace(one, name=f"{one.name} [{places[0]}]"), replace(other, name=f"{other.name} [{places[1]}]"))
            for one, other in between.sides
        ]
    return pairs


def _with_weights(pairs: Pairs) -> Pairs:
    """The same pairs; cells that differ in their weights alone have these in their names."""
    cells = {side.results.cell.cell_id: side.results.cell for pair in pairs.sides for side in pair}
    keys = [(cell.label, cell.dataset, cell.protocol_hash) for cell in cells.values()]

    def named(side: Side) -> Side:
        cell = side.results.cell
        several = keys.count((cell.label, cell.dataset, cell.protocol_hash)) > 1
        return replace(side, name=f"{side.name}, {cell.weights[:19]}") if several else side

    return Pairs([(named(one), named(other)) for one, other in pairs.sides], pairs.left_out)


def _compare(one: Side, other: Side, names: Sequence[str] | None, left_out: list[str]) -> Iterator[dict[str, object]]:
    cells = one.results.cell, other.results.cell
    same = _same_clips(one.results, other.results)
    for name in dict.fromkeys((*cells[0].metrics, *cells[1].metrics)):
        metric = find_metric(name)
        if metric.needs == "model" or (names and name not in names):
            continue
        place = f"{name} on {one.results.dataset}"
        if isinstance(metric, BrokenMetric):
            left_out.append(f"{place}: {metric.why.reason}")
            continue
        if lacking := [side.name for side, cell in ((one, cells[0]), (other, cells[1])) if name not in cell.metrics]:
            left_out.append(f"{place}: not measured for {', '.join(lacking)}")
            continue
        sides = [_windows(side.results, metric, same) for side in (one, other)]
        machines = sorted({window.machine for windows in sides for window in windows})
        if metric.needs == "timing" and len(machines) > 1:
            left_out.append(f"{place}: timings of several machines can't be compared: {'; '.join(machines)}")
            continue
        outcome = paired_difference(metric, sides[0], sides[1], cells[0].facts, cells[1].facts)
        if isinstance(outcome, PairedDifference):
            yield _row(one, other, metric, outcome)
        else:
            left_out.append(f"{place} of {one.name} and {other.name}: {outcome.reason}")


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
