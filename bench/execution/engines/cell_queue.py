"""The units of one cell that workers are to compute: given out, taken back, and committed as they come."""

from __future__ import annotations

import math
import os
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ....datasets.interface import FailedClip, Window
from ...ledger.errors import writing
from ...ledger.records import ReferenceMeasurement, Row
from ...planning.cell import clip_identity, reference_identity, versioned_reader
from ..bookkeeping import GO_ON
from ..reconstructions import FOLDER, REFERENCE_FOLDER
from .lease import KeptFile, Lease, Made, Working
from .open_cell import OpenCell, RunContext
from .progress_in_order import ProgressInOrder
from .work_units import Place, WorkUnit

MAX_ENDS = 3
"""A window that ends its worker so often has failed; and so has a cell whose model does while it is built."""
LARGEST_LEASE = 64
"""Units that a worker gets at once, at most."""


class CellQueue:
    """What is left of a cell, and what came of the rest. Only who writes the ledger has one."""

    def __init__(self, opened: OpenCell, context: RunContext, progress: ProgressInOrder):
        self.opened = opened
        self._context = context
        self._progress = progress
        self._evaluation = opened.evaluation
        self._done: set[Place] = set()
        self._ends: Counter[object] = Counter()
        self._refusals: dict[str, tuple[str, str]] = {}
        self._num_out = 0
        self._fail_unreadable()
        self._units: deque[WorkUnit] = deque(unit for unit in self._evaluation.units.units if self._open_places(unit))

    @property
    def has_units(self) -> bool:
        """Whether there is something to give out."""
        return bool(self._units) and self.opened.failure is None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to give out, and nothing is out."""
        return not self.has_units and not self._num_out

    def takes(self, worker: str) -> bool:
        """Whether a worker can compute it, as far as one knows."""
        return worker not in self._refusals

    # Giving out

    def lease(self, num_workers: int, *, is_alone: bool) -> Lease:
        """The next units: many at first, one at a time towards the end, so that workers end together."""
        count = min(LARGEST_LEASE, math.ceil(len(self._units) / (2 * num_workers)))
        units = tuple(self._units.popleft() for _ in range(count))
        self._num_out += 1
        places = {(source, window.index) for unit in units for source, _, window in unit.windows()}
        evaluation, cell = self._evaluation, self.opened.cell
        clips = {clip_identity(content, window.frame_ids) for unit in units for _, content, window in unit.windows()}
        chosen = evaluation.keeper.chosen & clips
        return Lease(
            cell,
            evaluation.cell_id,
            tuple((metric.name, metric.measurement_key) for metric in evaluation.metrics),
            units,
            {place: evaluation.known[place] for place in places if place in evaluation.known},
            frozenset(self._done & places),
            chosen,
            frozenset(clip for clip in chosen if (self._reference_folder / f"{clip}.mkv").exists()),
            frozenset(self._references(units)),
            is_alone,
        )

    @property
    def _reference_folder(self) -> Path:
        return self._context.ledger.folder / FOLDER / REFERENCE_FOLDER / self.opened.cell.protocol.hash

    def _references(self, units: Iterable[WorkUnit]) -> Iterable[tuple[str, str]]:
        """What the ledger has of the references of some units."""
        keys = [metric.measurement_key for metric in self._evaluation.metrics if metric.needs == "features"]
        protocol, versions = self.opened.cell.protocol.hash, self._evaluation.versions
        for plan in (plan for unit in units for plan in unit.plans) if keys else ():
            reader = versioned_reader(plan.facts.reader, versions)
            for window in plan.windows:
                clip = reference_identity(plan.content_id, window.frame_ids, protocol, reader)
                yield from ((clip, key) for key in keys if self._context.ledger.has_reference(clip, key))

    # Taking

    def take(self, made: Made) -> None:
        """Commit what a worker made, together."""
        for file in made.files:
            self._keep(file)
        records = [
            record
            for record in made.records
            if not isinstance(record, ReferenceMeasurement)
            or not self._context.ledger.has_reference(record.clip, record.measurement_key)
        ]
        self._context.ledger.record(*records)
        self._done |= {(one.source, one.window) for one in records if not isinstance(one, ReferenceMeasurement)}
        self._evaluation.faulty_metrics |= made.faulty_metrics
        for message in made.messages:
            self._context.progress.message(message)
        self._progress.advance(self.opened.number, made.num_windows, made.num_failed)

    def _keep(self, file: KeptFile) -> None:
        path = self._context.ledger.folder / file.path
        if path.is_relative_to(self._reference_folder) and path.exists():
            return
        unfinished = path.with_name(f".{os.getpid()}.{path.name}")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(file.content)
            os.replace(unfinished, path)

    def complete(self, lease: Lease) -> None:
        """A worker came to the end of a lease: whatever it says nothing of is never asked for again."""
        self._num_out -= 1
        self._done |= {(source, window.index) for unit in lease.units for source, _, window in unit.windows()}

    def give_back(self, lease: Lease) -> None:
        """A worker didn't come to the end of a lease: what it left is given out again."""
        self._num_out -= 1
        self._units.extendleft(unit for unit in reversed(lease.units) if self._open_places(unit))

    def refuse(self, worker: str, lease: Lease, reason: str, hint: str) -> bool:
        """A worker can't compute the cell; whether this is the first word of it."""
        self.give_back(lease)
        is_new = worker not in self._refusals
        self._refusals[worker] = (reason, hint)
        return is_new

    def fail_if_refused(self, workers: Iterable[str]) -> None:
        """Give the cell up if every worker refused it."""
        if self.has_units and not any(map(self.takes, workers)):
            self.fail(*next(iter(self._refusals.values())))

    def fail(self, reason: str, hint: str = "") -> None:
        """Give the cell up; what is out is still taken."""
        self.opened.failure = (reason, hint)
        self._units.clear()

    # Workers that end

    def blame(self, lease: Lease, working: Working | None, reason: str, *, was_ready: bool) -> None:
        """A worker ended: its windows, its unit or the cell has failed if that happened too often."""
        if not was_ready:
            self._ends["building"] += 1
            if self._ends["building"] >= MAX_ENDS:
                self.fail(f"its workers ended {MAX_ENDS} times while they built the model: {reason}")
            return
        rows = working.rows if working is not None else ()
        unit = next((unit for unit in lease.units if self._open_places(unit)), None)
        if unit is None and not rows:
            return
        culprit = tuple(row.key for row in rows) or ("unit", unit.number if unit is not None else -1)
        self._ends[culprit] += 1
        if self._ends[culprit] < MAX_ENDS:
            return
        why = f"its worker ended {MAX_ENDS} times: {reason}"
        if rows:
            self.fail_rows(rows, why)
        elif unit is not None:
            self._fail_windows(unit, why)

    def give_up(self, rows: Sequence[Row], reason: str) -> None:
        """Record that windows have failed whose forward pass hung; the cell too, if that happened too often."""
        self.fail_rows(rows, reason)
        self._ends["hanging"] += 1
        if self._ends["hanging"] >= MAX_ENDS:
            self.fail(f"{MAX_ENDS} windows: {reason}", GO_ON)

    def fail_rows(self, rows: Sequence[Row], reason: str) -> None:
        """Record that windows have failed that a worker was at."""
        left = [replace(row, reason=reason) for row in rows if row.key not in self._done]
        self._commit_failed(left)

    def _fail_windows(self, unit: WorkUnit, reason: str) -> None:
        readers = {plan.source.key: plan.facts.reader for plan in unit.plans}
        places = self._open_places(unit)
        failed = [
            FailedClip(source, content, window, readers[source], reason)
            for source, content, window in unit.windows()
            if (source, window.index) in places
        ]
        self._commit_failed([self._evaluation.row(clip, status="failed", reason=reason) for clip in failed])

    def _fail_unreadable(self) -> None:
        """Record the sources that could not be opened when the cell was planned."""
        failed = [plan for plan in self.opened.windows.plans if isinstance(plan, FailedClip)]
        wanted = [clip for clip in failed if not self._is_done(clip.source, clip.content_id, clip.window)]
        self._commit_failed([self._evaluation.row(clip, status="failed", reason=clip.reason) for clip in wanted])

    def _commit_failed(self, rows: Sequence[Row]) -> None:
        if rows:
            self._context.ledger.record(*(record for row in rows for record in self._evaluation.failure(row)))
            self._done |= {row.key for row in rows}
            self._progress.advance(self.opened.number, len(rows), len(rows))

    def _is_done(self, source: str, content_id: str, window: Window) -> bool:
        return (source, window.index) in self._done or self._evaluation.needs_nothing(source, content_id, window)

    def _open_places(self, unit: WorkUnit) -> set[Place]:
        return {
            (source, window.index)
            for source, content, window in unit.windows()
            if not self._is_done(source, content, window)
        }
