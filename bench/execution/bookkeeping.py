"""What the runner writes down of cells: opened or failed, and which rows of earlier runs no longer hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...datasets.interface import WHOLE_SOURCE
from ...datasets.source_plan import SourcePlan
from ...tokenizers.interface import TokenizerSpec
from ..catalog.tokenizer_entry import CardTokenizer, TokenizerEntry
from ..ledger.counted_facts import is_counted_as_set
from ..ledger.in_flight import InFlight, forget_in_flight, read_in_flight
from ..ledger.ledger import Ledger
from ..ledger.plans import read_plan, write_plan
from ..ledger.records import CellRecord
from ..metrics.interface import Metric, Unavailable
from ..planning.cell import Cell
from .dataset_windows import DatasetWindows
from .preparation import Preparation

GO_ON = "give the same command again to go on with its other windows"
"""Hint of a cell that a process ended in."""
UNRESOLVED = "unresolved"
"""Identity of the weights of a cell that failed before they were found."""


class Bookkeeping:
    """Keeps a ledger's cells in line with what is run."""

    def __init__(self, ledger: Ledger, preparation: Preparation):
        self._ledger = ledger
        self._preparation = preparation

    def open_cell(
        self,
        cell: Cell,
        cell_id: str,
        weights: str,
        entry: TokenizerEntry,
        spec: TokenizerSpec,
        windows: DatasetWindows,
    ) -> None:
        """Record a cell that is about to run, with its plan; one that is known keeps what isn't asked now."""
        known = self._ledger.cell(cell_id)
        plan = self._preparation.options.plan(windows.planned()).after(read_plan(self._ledger.folder, cell_id))
        write_plan(self._ledger.folder, cell_id, plan)
        earlier = known.unavailable.items() if known else ()
        record = _describe(
            cell,
            cell_id,
            weights,
            plain_spec(spec) | _stand_in(entry),
            metrics=tuple(dict.fromkeys((*(known.metrics if known else ()), *cell.metrics))),
            facts=known.facts if known and is_counted_as_set(known) else self._preparation.facts(cell, entry),
            missing=windows.missing,
            # The plan has the windows of other shards that an earlier run computed: what was said of these holds on.
            dataset_notes=(
                *(_notes_of_others(known, windows) if known and len(plan.parts) > 1 else ()),
                *windows.notes,
            ),
            unavailable={name: why for name, why in earlier if name not in cell.metrics} | self._unavailable(cell),
            planned=len(plan.windows),
        )
        self._forget_failed_cells(record)
        if known is None:
            self._ledger.record(record)
        else:
            changes = {name: value for name, value in vars(record).items() if name != "cell_id"}
            self._ledger.update_cell(cell_id, **changes)

    def fail_cell(
        self, cell: Cell, entry: TokenizerEntry, reason: str, hint: str = "", *, with_facts: bool = True
    ) -> CellRecord:
        """Record a cell that can't run; ``with_facts`` counts the model's size, which runs its code."""
        has_card = isinstance(entry, CardTokenizer)
        record = _describe(
            cell,
            cell.identity(entry.identity, UNRESOLVED),
            UNRESOLVED,
            plain_spec(entry.spec()) | _stand_in(entry) if has_card else entry.describe(),
            metrics=cell.metrics,
            status="failed",
            reason=reason,
            hint=hint,
            facts=self._preparation.facts(cell, entry) if has_card and with_facts else {},
        )
        self._ledger.record(record)
        return record

    def fail_ended_cell(self, cell: Cell, entry: TokenizerEntry, reason: str) -> CellRecord:
        """Record a cell that an earlier process of this run ended in: the windows it was at, and the cell."""
        left = read_in_flight(self._ledger.folder)
        known = self._ledger.cell(left.cell_id) if left is not None else None
        if left is None or known is None:
            return self.fail_cell(cell, entry, reason, with_facts=False)
        scored = {row.key for row in self._ledger.rows(left.cell_id) if row.status == "scored"}
        lost = InFlight(left.cell_id, tuple(row for row in left.rows if row.key not in scored))
        self._ledger.record(*(replace(row, reason=reason) for row in lost.rows))
        place = f"at {lost.places}: " if lost.rows else ""
        failed = self._ledger.update_cell(left.cell_id, status="failed", reason=f"{place}{reason}", hint=GO_ON)
        forget_in_flight(self._ledger.folder)
        return failed

    def forget_stale_rows(self, cell_id: str, windows: DatasetWindows) -> None:
        """Drop rows of files that have changed since, or that can be opened now."""
        current = {plan.source.key: plan for plan in windows.plans if isinstance(plan, SourcePlan)}
        stale = [
            row.key
            for row in self._ledger.rows(cell_id)
            if (plan := current.get(row.source)) is not None
            and (row.window == WHOLE_SOURCE or row.content_id != plan.content_id)
        ]
        self._ledger.forget_rows(cell_id, stale)

    def usable_metrics(self, cell: Cell, spec: TokenizerSpec) -> list[Metric]:
        """The cell's metrics that can be computed here and mean something for the tokenizer."""
        found = (self._preparation.metric(name) for name in cell.metrics)
        return [metric for metric in found if isinstance(metric, Metric) and self._preparation.applies(metric, spec)]

    def _unavailable(self, cell: Cell) -> dict[str, tuple[str, str]]:
        """Why metrics that this run asks for can't be computed here, and what helps."""
        asked = {name: self._preparation.metric(name) for name in cell.metrics}
        return {name: (found.reason, found.hint) for name, found in asked.items() if isinstance(found, Unavailable)}

    def _forget_failed_cells(self, record: CellRecord) -> None:
        same = ("label", "dataset", "protocol_hash")
        for known in self._ledger.cells():
            # A cell that a process ended in goes on: it keeps what was measured before.
            if known.cell_id == record.cell_id:
                continue
            if known.status == "failed" and all(getattr(known, name) == getattr(record, name) for name in same):
                self._ledger.forget_cell(known.cell_id)


def _notes_of_others(known: CellRecord, windows: DatasetWindows) -> Iterator[str]:
    """What earlier runs noted of videos that this one doesn't look at."""
    own = {plan.source.key for plan in windows.plans if isinstance(plan, SourcePlan)}
    return (note for note in known.dataset_notes if note not in windows.notes and note.rpartition(": ")[0] not in own)


def plain_spec(spec: TokenizerSpec) -> dict[str, object]:
    """A tokenizer's spec as plain values, with what reports print of it."""
    plain = {name: value for name, value in vars(spec).items() if isinstance(value, (str, int, float, bool))}
    return {
        **plain,
        "codebook_levels": list(spec.codebook_levels),
        "comparison_group": spec.comparison_group,
        "regularizer_label": spec.regularizer_label,
    }


def _stand_in(entry: TokenizerEntry) -> dict[str, str]:
    """The card in whose place suites run a tokenizer, so that its figures are never taken for that card's."""
    name = entry.card.stand_in_for if isinstance(entry, CardTokenizer) else ""
    return {"stand_in_for": name} if name else {}


def _describe(cell: Cell, cell_id: str, weights: str, spec: dict[str, Any], **outcome: Any) -> CellRecord:
    return CellRecord(
        cell_id=cell_id,
        tokenizer=cell.tokenizer,
        label=cell.label,
        spec=spec,
        weights=weights,
        dataset=cell.dataset,
        protocol=cell.protocol.model_dump(mode="json"),
        protocol_hash=cell.protocol.hash,
        settings=cell.settings.as_dict(),
        **outcome,
    )
