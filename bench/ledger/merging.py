"""Merging run folders: shards of one run into one whole.

The order of the folders decides no outcome: a window that one of them scored beats its failure in another, and so does
a measurement, and a cell. Where two scored the same window, the row of the first one is kept.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from ...datasets.interface import WHOLE_SOURCE
from ...datasets.names import is_root_identity
from .counted_facts import joined_facts
from .ledger import FILE_NAME, LOCK_NAME, Ledger, LedgerError
from .plans import Plan, plan_file, read_plan, write_plan
from .records import CellRecord, Measurement, ReferenceMeasurement, Row

UNFINISHED = ".unfinished"
"""Ends the name of a folder that a merge writes."""
REPLACED = ".replaced"
"""Ends the name of the folder that a merge replaces, until the new one is there."""


def merge_runs(folders: Sequence[Path], target: Path, *, replaces: bool = False) -> None:
    """Merge the ledgers of ``folders`` into a new one at ``target``, which appears whole or not at all.

    Where ``replaces`` is set, a run folder that is there stays until the new one is complete, and is removed then.

    Windows of different folders must be different windows, or the same computation: a window that two folders scored
    from different frames is an error, and nothing is written then.

    Raises:
        LedgerError: if ``target`` holds something that isn't to be replaced, two folders contradict each other, or
            they ran on unnamed folders at different places.
    """
    if target.exists() and any(target.iterdir()) and not (replaces and (target / FILE_NAME).is_file()):
        raise LedgerError(
            f"{target} exists and is not empty; merge into a new folder, or replace a run folder with --replace"
        )
    sources: list[Ledger] = []
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(target)
    unfinished = target.parent / f".{target.name}.{os.getpid()}{UNFINISHED}"
    try:
        for folder in folders:
            sources.append(Ledger(folder))
        _check_datasets(sources)
        _check_agreement(sources)
        with Ledger(unfinished, write=True) as merged:
            for source in sources:
                _copy(source, merged)
            for cell in merged.cells():
                _settle(cell, merged)
        _put_in_place(unfinished, target)
    finally:
        for source in sources:
            source.close()
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename a folder to ``target``, and remove what was there; what a killed merge set aside goes with it."""
    if target.exists():
        target.replace(target.parent / f".{target.name}.{os.getpid()}{REPLACED}")
    folder.replace(target)
    for old in target.parent.glob(f".{glob.escape(target.name)}.*{REPLACED}"):
        shutil.rmtree(old, ignore_errors=True)


def remove_unfinished(target: Path) -> None:
    """Remove what killed processes left of a merge into ``target``; a merge that is under way stays."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{UNFINISHED}"):
        process = left.name.removesuffix(UNFINISHED).rpartition(".")[2]
        # The process of a merge may have had the number that is ours now, as the first ones in a container have.
        if not process.isdigit() or (int(process) != os.getpid() and is_running(int(process))):
            continue
        # On a shared disk, it may be at work on another machine.
        with suppress(Timeout, OSError), FileLock(left / LOCK_NAME).acquire(timeout=0):
            shutil.rmtree(left, ignore_errors=True)


def is_running(process: int) -> bool:
    """Whether this machine has a process of this number; ``False`` where that can't be found out."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
                if row.window != WHOLE_SOURCE and seen.setdefault((row.cell_id, *row.key), clip) != clip:
                    raise LedgerError(
                        f"{source.folder}: {row.source}, window {row.window}, has other frames than in another of "
                        "these runs, so one of the videos was changed; run that one again, or merge without it"
                    )


def _copy(source: Ledger, merged: Ledger) -> None:
    """Add one ledger's records; what was scored there already stays as it is."""
    merged.record(*source.runs())
    references = source.reference_measurements().items()
    merged.record(*(ReferenceMeasurement(clip, name, arrays) for (clip, name), arrays in references))
    for cell in source.cells():
        known = merged.cell(cell.cell_id)
        present = {row.key: row for row in merged.rows(cell.cell_id)}
        rows = source.rows(cell.cell_id)
        if known is None:
            merged.record(cell)
            plan = read_plan(source.folder, cell.cell_id)
        else:
            plan = _joined_plan(source, merged, cell.cell_id)
            shared = sum(row.key in present for row in rows)
            planned = known.planned + cell.planned - shared if plan is None else len(plan.windows)
            merged.update_cell(cell.cell_id, **_joined(known, cell), planned=planned)
        _keep_plan(merged, cell.cell_id, plan)
        merged.record(*_better_rows(rows, present), *_better_measurements(source, merged, cell.cell_id))


def _better_rows(rows: Sequence[Row], present: dict[tuple[str, int], Row]) -> Iterator[Row]:
    """Rows that nobody has, or that are scored where the one that is there failed."""
    for row in rows:
        known = present.get(row.key)
        if known is None or (known.status == "failed" and row.status == "scored"):
            yield row


def _better_measurements(source: Ledger, merged: Ledger, cell_id: str) -> Iterator[Measurement]:
    """Measurements that nobody has, or that are good where the one that is there failed."""
    present = merged.measurements(cell_id)
    for key, found in source.measurements(cell_id).items():
        for name, measurement in found.items():
            known = present.get(key, {}).get(name)
            if known is None or (known.reason and not measurement.reason):
                yield measurement


def _settle(cell: CellRecord, merged: Ledger) -> None:
    """What only the whole can tell of a cell: failures that another folder made good, and whether it is finished."""
    same = ("label", "dataset", "protocol_hash")
    others = [c for c in merged.cells() if all(getattr(c, name) == getattr(cell, name) for name in same)]
    if cell.status == "failed":
        if any(other.status != "failed" for other in others):
            merged.forget_cell(cell.cell_id)
        return
    rows = merged.rows(cell.cell_id)
    opened = {row.source for row in rows if row.window != WHOLE_SOURCE}
    now_open = [row.key for row in rows if row.window == WHOLE_SOURCE and row.source in opened]
    plan = read_plan(merged.folder, cell.cell_id)
    if now_open:
        merged.forget_rows(cell.cell_id, now_open)
        if plan is not None:
            kept = {
                index: frozenset(window for window in windows if window[:2] not in now_open)
                for index, windows in plan.parts.items()
            }
            plan = replace(plan, parts=kept)
            write_plan(merged.folder, cell.cell_id, plan)
            merged.update_cell(cell.cell_id, planned=len(plan.windows))
    if cell.status == "finished":
        merged.compact(cell.cell_id)


def _keep_plan(merged: Ledger, cell_id: str, plan: Plan | None) -> None:
    if plan is None:
        plan_file(merged.folder, cell_id).unlink(missing_ok=True)
    else:
        write_plan(merged.folder, cell_id, plan)


def _joined_plan(source: Ledger, merged: Ledger, cell_id: str) -> Plan | None:
    """The plan of a cell over the folders so far; ``None`` if an older one has none."""
    plan, before = read_plan(source.folder, cell_id), read_plan(merged.folder, cell_id)
    return None if plan is None or before is None else before.joined(plan)


def _joined(first: CellRecord, second: CellRecord) -> dict[str, object]:
    """Fields of a cell that is in two folders; it failed only where it failed in both."""
    if first.status == "failed" and second.status != "failed":
        first, second = second, first
    statuses = {cell.status for cell in (first, second) if cell.status != "failed"}
    joined = replace(
        first,
        metrics=tuple(dict.fromkeys((*first.metrics, *second.metrics))),
        missing=tuple(sorted({*first.missing, *second.missing})),
        dataset_notes=tuple(sorted({*first.dataset_notes, *second.dataset_notes})),
        unavailable={**second.unavailable, **first.unavailable},
        facts=joined_facts(first.facts, second.facts),
        status="open" if "open" in statuses else "finished" if statuses else "failed",
    )
    return {name: value for name, value in vars(joined).items() if name not in ("cell_id", "planned")}
