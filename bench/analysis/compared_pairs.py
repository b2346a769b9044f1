"""Which tokenizers a comparison sets side by side, and what has no counterpart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...datasets.names import is_root_identity
from ...reports.record.reading import is_record
from ..ledger.ledger import FILE_NAME
from ..metrics.interface import Metric
from .cell_results import CellResults
from .opening import open_results
from .portable_text import portable_dataset
from .results import named_together


class ComparisonError(ValueError):
    """Tokenizers that can't be compared: unknown, or measured under different protocols."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    """Label, with the run's name where runs are compared."""
    results: CellResults


SidePair = tuple[Side, Side]


@dataclass
class Pairs:
    """What is compared with what, and what has no counterpart."""

    sides: list[SidePair] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Sentences on tokenizers that failed, have no counterpart, or were refused."""

    def match(self, ones: Sequence[CellResults], others: Sequence[CellResults], names: tuple[str, str]) -> None:
        """Pair cells of one dataset and protocol; ``names`` are what the two sides are called in sentences.

        Raises:
            ComparisonError: if there is no pair.
        """
        ran = [self.that_ran(cells, f" ({name})") for cells, name in zip((ones, others), names, strict=True)]
        found = [(one, other) for one in ran[0] for other in ran[1] if place_of(one) == place_of(other)]
        if not found:
            raise ComparisonError(_why_none(ran, names, self.left_out))
        for cells, matched, name in zip(ran, zip(*found, strict=True), names[::-1], strict=True):
            for cell in cells:
                if cell not in matched:
                    self.left_out.append(f"{_described(cell)}: nothing of {name} to compare it with")
        self.sides += [(Side(one.label, one), Side(other.label, other)) for one, other in found]

    def that_ran(self, results: Sequence[CellResults], name: str = "") -> list[CellResults]:
        """Cells that didn't fail; of the others a sentence is left, but where one that ran took their place.

        Args:
            results: cells of a run.
            name: what sentences have behind each cell.
        """
        ran = [result for result in results if result.cell.status != "failed"]
        there = {(result.cell.label, *place_of(result)) for result in ran}
        for result in results:
            if result.cell.status == "failed" and (result.cell.label, *place_of(result)) not in there:
                self.left_out.append(f"{_described(result)}{name} couldn't run: {result.cell.reason}")
        return ran


def place_of(result: CellResults) -> tuple[str, str]:
    """Dataset and hash of the protocol: what two cells must agree in; folders as result records know them."""
    return portable_dataset(result.cell.dataset), result.cell.protocol_hash


def named_pair(metric: Metric, pair: SidePair) -> str:
    """A pair by a metric, as sentences on what is left out begin."""
    one, other = pair
    return f"{metric.name} on {one.results.dataset} of {one.name} and {other.name}"


def _described(result: CellResults) -> str:
    cell = result.cell
    return f"{cell.label} on {result.dataset} under {cell.protocol['name']} ({cell.protocol_hash})"


def _why_none(ran: Sequence[Sequence[CellResults]], names: tuple[str, str], left_out: Sequence[str]) -> str:
    if not all(ran):
        return f"{names[0]} and {names[1]} have nothing to compare: {'; '.join(dict.fromkeys(left_out))}"
    datasets = [{portable_dataset(result.cell.dataset) for result in results} for results in ran]
    if datasets[0] & datasets[1]:
        described = " and ".join(", ".join(map(_described, results)) for results in ran)
        return f"figures under different protocols can't be compared: {described}"
    hint = ""
    if any(is_root_identity(dataset) for dataset in datasets[0] | datasets[1]):
        hint = "; a folder at two places is one dataset if it is run under one name: --dataset NAME=folder:PATH"
    return f"{names[0]} and {names[1]} ran on no dataset in common{hint}"


def pairs_in_run(results: Sequence[CellResults], labels: Sequence[str], run: str) -> Pairs:
    """The first of some tokenizers with each of the others; ``run`` is what errors call the run.

    Raises:
        ComparisonError: if a label is unknown, or nothing can be compared.
    """
    chosen = [known_cells(results, label, run) for label in labels]
    pairs = Pairs()
    for label, others in zip(labels[1:], chosen[1:], strict=True):
        pairs.match(chosen[0], others, (labels[0], label))
    return pairs


def known_cells(results: Sequence[CellResults], name: str, run: str) -> list[CellResults]:
    """As :func:`cells_named`; ``run`` is what errors call the run.

    Raises:
        ComparisonError: if there is none.
    """
    if found := cells_named(results, name):
        return found
    raise ComparisonError(f"{run} holds no {name!r}; it holds {', '.join(sorted({r.label for r in results}))}")


def cells_named(results: Sequence[CellResults], name: str) -> list[CellResults]:
    """Cells of a label, or of a tokenizer's name where that is no label."""
    return [r for r in results if name in (r.label, r.cell.label)] or [r for r in results if r.cell.tokenizer == name]


def pairs_of_table(results: Sequence[CellResults]) -> Pairs:
    """All tokenizers that a table ranks together, each with each other."""
    pairs = Pairs()
    groups: dict[tuple[str, ...], list[CellResults]] = {}
    for result in pairs.that_ran(results):
        groups.setdefault((result.group, *place_of(result)), []).append(result)
    pairs.sides += [
        (Side(one.label, one), Side(other.label, other))
        for members in groups.values()
        for one, other in itertools.combinations(members, 2)
    ]
    return pairs


def pairs_between_runs(folders: Sequence[Path]) -> Pairs:
    """Equal labels of the first run and of each other one; run folders, or result records.

    Raises:
        ComparisonError: if one is neither, or nothing can be compared.
    """
    for folder in folders:
        if not is_record(folder) and not (folder / FILE_NAME).is_file():
            raise ComparisonError(
                f"{folder} is neither a run folder nor a result record; "
                "to compare tokenizers of one run, give --run RUN"
            )
    opened = [list(open_results([folder]).results) for folder in folders]
    named = iter(named_together([result for results in opened for result in results]))
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
        pairs.left_out += between.left_out + refused
        pairs.sides += [
            (replace(one, name=f"{one.name} [{places[0]}]"), replace(other, name=f"{other.name} [{places[1]}]"))
            for one, other in between.sides
        ]
    return pairs
