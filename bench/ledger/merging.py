"""Merging run folders: shards of one run into one whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...datasets.names import is_root_identity
from .ledger import Ledger, LedgerError
from .plans import Plan, plan_file, read_plan, write_plan
from .records import CellRecord, ReferenceMeasurement


def merge_runs(folders: Sequence[Path], target: Path) -> None:
    """Merge the ledgers of ``folders`` into a new one at ``target``.

    Windows of different folders must be different windows, or the same computation: a window that two folders scored
    from different frames is an error, and nothing is written then.

    Raises:
        LedgerError: if ``target`` holds a ledger already, two folders contradict each other, or they ran on
            unnamed folders at different places.
    """
    if target.exists() and any(target.iterdir()):
        raise LedgerError(f"{target} exists and is not empty; merge into a new folder")
    sources = [Ledger(folder) for folder in folders]
    try:
        _check_datasets(sources)
        _check_agreement(sources)
        with Ledger(target, write=True) as merged:
            for source in sources:
                _copy(source, merged)
            for cell in merged.cells():
                if cell.status == "finished":
                    merged.compact(cell.cell_id)
    finally:
        for source in sources:
            source.close()


def _check_datasets(sources: Sequence[Ledger]) -> None:
    """Refuse folders that may be copies of one dataset at two places, which nobody can tell."""
    places = [{cell.dataset for cell in source.cells() if is_root_identity(cell.dataset)} for source in sources]
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            if one and other and not (one <= other or other <= one):
                named = " and ".join(sorted(one ^ other))
                raise LedgerError(
                    f"{named} are two datasets; if they are one, "
                    "give it a name when it is run: --dataset NAME=folder:PATH"
                )


def _check_agreement(sources: Sequence[Ledger]) -> None:
    seen: dict[tuple[str, str, int], tuple[str, tuple[int, ...]]] = {}
    for source in sources:
        for cell in source.cells():
            for row in source.rows(cell.cell_id):
                clip = (row.content_id, row.frame_ids)
                if seen.setdefault((row.cell_id, *row.key), clip) != clip:
                    raise LedgerError(f"{source.folder}: {row.source}, window {row.window}, differs from another run's")


def _copy(source: Ledger, merged: Ledger) -> None:
    """Add one ledger's records; windows that are there already stay as they are."""
    merged.record(*source.runs())
    references = source.reference_measurements().items()
    merged.record(*(ReferenceMeasurement(clip, name, arrays) for (clip, name), arrays in references))
    for cell in source.cells():
        plan = _joined_plan(source, merged, cell.cell_id)
        known = merged.cell(cell.cell_id)
        present = {row.key for row in merged.rows(cell.cell_id)}
        rows = [row for row in source.rows(cell.cell_id) if row.key not in present]
        if known is None:
            merged.record(cell)
        else:
            shared = len(source.rows(cell.cell_id)) - len(rows)
            planned = known.planned + cell.planned - shared if plan is None else len(plan.windows)
            merged.update_cell(cell.cell_id, **_joined(known, cell), planned=planned)
        measurements = source.measurements(cell.cell_id)
        merged.record(*rows, *(m for key in measurements for m in measurements[key].values()))


def _joined_plan(source: Ledger, merged: Ledger, cell_id: str) -> Plan | None:
    """The plan of a cell over the folders so far, written into the merged one; ``None`` if an older one has none."""
    plan = read_plan(source.folder, cell_id)
    if merged.cell(cell_id) is not None:
        before = read_plan(merged.folder, cell_id)
        plan = None if plan is None or before is None else before.joined(plan)
    if plan is None:
        plan_file(merged.folder, cell_id).unlink(missing_ok=True)
    else:
        write_plan(merged.folder, cell_id, plan)
    return plan


def _joined(first: CellRecord, second: CellRecord) -> dict[str, object]:
    statuses = {first.status, second.status}
    joined = replace(
        first,
        metrics=tuple(dict.fromkeys((*first.metrics, *second.metrics))),
        missing=tuple(sorted({*first.missing, *second.missing})),
        unavailable={**first.unavailable, **second.unavailable},
        facts={**first.facts, **second.facts},
        status="open" if "open" in statuses else "finished",
    )
    return {name: value for name, value in vars(joined).items() if name not in ("cell_id", "planned")}
