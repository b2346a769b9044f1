"""The runner: one cell after another, each streaming into the ledger; resumable, and failures stay where they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol as TypingProtocol

import torch

from ...datasets.interface import DatasetUnavailable
from ...datasets.readers.worker import DecodeWorker
from ...tokenizers.interface import CheckpointUnavailable, TokenizerSpec
from ..catalog.catalog import tokenizers
from ..catalog.exact_float32 import exact_float32
from ..catalog.plugin_code import describe
from ..catalog.tokenizer_entry import TokenizerEntry
from ..ledger.in_flight import forget_in_flight, read_in_flight, write_in_flight
from ..ledger.ledger import Ledger, LedgerError
from ..ledger.records import CellRecord, RunRecord
from ..planning.cell import Cell
from . import provenance
from .bookkeeping import Bookkeeping
from .dataset_windows import DatasetWindows
from .device import Device, open_device
from .due_cell import DueCell
from .engines.local import LocalEngine
from .engines.open_cell import Engine, OpenCell, RunContext
from .engines.row_sink import LedgerSink
from .engines.work_units import WorkUnits
from .evaluation import Evaluation
from .known_windows import KnownWindows
from .long_windows import piece_frames
from .options import RunOptions
from .preparation import CLIP_CACHE_FOLDER, OpenDataset, Preparation, open_registered
from .progress import Progress
from .reconstructions import ReconstructionKeeper, choose_windows, remove_unfinished
from .run_summary import RunSummary
from .speed_records import SpeedRecords
from .supervision import BUILDING, Supervision
from .throughput_pass import ThroughputPass

MEASURED_NEEDS = ("pairs", "features", "codes", "encoded")
"""What a metric needs if it measures windows; the others read timings and facts."""


class TokenizerSource(TypingProtocol):
    """Where the runner finds the tokenizer of a cell: the catalog, or what stands in for it."""

    def entry(self, name: str) -> TokenizerEntry:
        """The tokenizer of a name."""
        ...


@dataclass
class _Run:
    """One call of the runner."""

    record: RunRecord
    timing: ThroughputPass
    finished: list[CellRecord]


class Runner:
    """Runs cells into the ledger of one folder."""

    def __init__(
        self,
        ledger: Ledger,
        options: RunOptions,
        progress: Progress,
        card_folders: Sequence[Path] = (),
        worker: DecodeWorker | None = None,
        *,
        catalog: TokenizerSource | None = None,
        open_dataset: OpenDataset = open_registered,
        supervision: Supervision | None = None,
        engine: Engine | None = None,
        computing: Device | None = None,
    ):
        """Set up a runner.

        ``worker`` decodes in place of child processes of the runner's own, and outlives it; ``computing`` stands in for
        the device that the options name.
        """
        self.ledger = ledger
        self._engine: Engine = engine or LocalEngine()
        self.supervision = supervision or Supervision()
        self.options = options
        self.progress = progress
        self.device = torch.device(options.device)
        self._computing = computing or open_device(self.device)
        self._catalog = catalog or tokenizers(tuple(card_folders))
        self._preparation = Preparation(
            options, progress.message, worker=worker, open_dataset=open_dataset, supervision=self.supervision
        )
        self._faulty_metrics: set[str] = set()
        self._books = Bookkeeping(ledger, self._preparation)

    def run(self, cells: Sequence[Cell]) -> RunSummary:
        """Run every cell; a cell that can't run is recorded as failed, and the others go on."""
        with exact_float32():
            found = provenance.collect(self.device)
        record = RunRecord(provenance.run_identity(), provenance.utc_now(), "", found)
        self.ledger.record(record)
        self._forget_unfinished()
        remove_unfinished(self.ledger.folder)
        cache_folder = self.ledger.folder / CLIP_CACHE_FOLDER
        self._preparation.share_clips(cache_folder, cells)
        timing = ThroughputPass(
            SpeedRecords(self.ledger, provenance.machine_identity(self.device), record.run_id),
            self._preparation,
            self._computing,
            self.progress.message,
            self.options.timing_s,
            self.supervision,
            untimed=self._engine.untimed,
        )
        run = _Run(record, timing, [])
        context = RunContext(self.ledger, self._preparation, self.progress, record.run_id)
        try:
            with exact_float32():
                self._engine.run(context, self._open_cells(cells, run), lambda opened: self._finish(opened, run))
                # Nothing else may work while speeds are measured.
                self._engine.close()
                self.supervision.tell(engine=None)
                timing.run()
        finally:
            self._engine.close()
            self._preparation.close()
        if timing.num_timed:
            self.progress.message(f"timing took {timing.spent_s:.1f} s")
        shutil.rmtree(cache_folder, ignore_errors=True)
        self.ledger.record(replace(run.record, finished=provenance.utc_now()))
        broken = self._faulty_metrics | self._preparation.broken_metrics | timing.failed_metrics
        return RunSummary.of(self.ledger, run.finished, len(broken))

    def _forget_unfinished(self) -> None:
        """Drop the note that a killed run left, unless it is this run's own: its windows are computed again."""
        if self.supervision.goes_on:
            return
        if (left := read_in_flight(self.ledger.folder)) and left.rows:
            self.progress.message(f"the last run ended at {left.places}; this is computed again")
        forget_in_flight(self.ledger.folder)

    def _settled(self, number: int) -> CellRecord | None:
        """A cell that an earlier process of this run came to the end of."""
        cell_id = self.supervision.past.settled.get(str(number))
        return self.ledger.cell(cell_id) if cell_id else None

    def _open_cells(self, cells: Sequence[Cell], run: _Run) -> Iterator[OpenCell]:
        """The cells that can run, each opened when the engine asks for it; the others are finished at once."""
        for number, cell in enumerate(cells, start=1):
            self.supervision.tell(cell=number)
            if known := self._settled(number):
                run.finished.append(known)
                if known.status == "finished":
                    self._time_settled(cell, known.cell_id, number, len(cells), run)
                self.supervision.tell(settled=known.cell_id)
                continue
            opened = self._open(cell, run.record.run_id, number, len(cells))
            if isinstance(opened, OpenCell):
                if not self._engine.builds_models:
                    # Workers run it from here on: nothing that ends this process is the tokenizer's doing.
                    self.supervision.tell(cell=None, engine="Ray's workers")
                yield opened
            else:
                self._settle(opened, number, run)

    def _open(self, cell: Cell, run_id: str, number: int, of: int) -> OpenCell | CellRecord:
        entry = self._catalog.entry(cell.tokenizer)
        if reason := self.supervision.past.ended_in.get(str(number)):
            return self._books.fail_ended_cell(cell, entry, reason)
        # What an earlier process of this run was at when a metric ended it is computed again.
        forget_in_flight(self.ledger.folder)
        tokenizer = None
        try:
            with self.supervision.step(BUILDING):
                weights = entry.weights_identity()
                cell_id = cell.identity(entry.identity, weights)
                spec = entry.spec()
            windows = self._preparation.windows(cell, spec)
            self._books.forget_stale_rows(cell_id, windows)
            evaluation = self._evaluation(cell, cell_id, spec, windows, run_id)
            done = windows.count_where(evaluation.needs_nothing)
            if self._engine.builds_models:
                self.progress.start(cell, number, of, windows.count, done, windows.num_videos)
                if done < windows.count:
                    with self.supervision.step(BUILDING):
                        tokenizer = entry.build(cell.settings, self.device)
                        # Tokenizer and metrics are asked how they take windows: where that fails, this cell does.
                        evaluation.piece_frames(tokenizer)
        except LedgerError:
            raise
        except (CheckpointUnavailable, DatasetUnavailable) as error:
            return self._books.fail_cell(cell, entry, str(error), error.hint)
        except Exception as error:
            # A plugin's tokenizer or dataset may raise anything at all.
            return self._books.fail_cell(cell, entry, str(error) if isinstance(error, ValueError) else describe(error))
        self._books.open_cell(cell, cell_id, weights, entry, spec, windows)
        if self.supervision.is_active and self._engine.builds_models:
            write_in_flight(self.ledger.folder, cell_id)
        return OpenCell(cell, number, of, entry, spec, windows, evaluation, done, tokenizer)

    def _finish(self, opened: OpenCell, run: _Run) -> None:
        """Record that a cell's windows are all computed, or that nobody could run it."""
        cell_id = opened.evaluation.cell_id
        self.supervision.tell(cell=opened.number)
        self._faulty_metrics |= opened.evaluation.faulty_metrics
        self.ledger.compact(cell_id)
        forget_in_flight(self.ledger.folder)
        if opened.failure is not None:
            reason, hint = opened.failure
            record = self.ledger.update_cell(cell_id, status="failed", reason=reason, hint=hint)
        else:
            record = self.ledger.update_cell(cell_id, status="finished")
            self._time_later(opened, run.timing)
        # Why an earlier run lacks a metric that this one doesn't ask for is no news.
        news = {name: why for name, why in record.unavailable.items() if name in opened.cell.metrics}
        self._settle(replace(record, unavailable=news), opened.number, run)

    def _settle(self, cell: CellRecord, number: int, run: _Run) -> None:
        run.finished.append(cell)
        self.progress.finish(cell)
        if (workers := self._engine.provenance()) and workers != run.record.provenance.get("workers"):
            run.record = replace(run.record, provenance={**run.record.provenance, "workers": workers})
            self.ledger.record(run.record)
        self.supervision.tell(cell=number)
        self.supervision.tell(settled=cell.cell_id)

    def _time_settled(self, cell: Cell, cell_id: str, number: int, of: int, run: _Run) -> None:
        """Time a cell later whose windows an earlier process of this run scored."""
        if str(number) in self.supervision.past.ended_in:
            return
        entry = self._catalog.entry(cell.tokenizer)
        try:
            with self.supervision.step(BUILDING):
                spec = entry.spec()
            windows = self._preparation.windows(cell, spec)
            evaluation = self._evaluation(cell, cell_id, spec, windows, run.record.run_id)
        except LedgerError:
            raise
        except Exception as error:
            # A plugin's tokenizer or dataset that was opened before may still raise anything at all.
            self.progress.message(f"{cell.label}: the throughput pass failed: {describe(error)}")
            run.timing.failed_metrics |= set(cell.metrics)
        else:
            opened = OpenCell(cell, number, of, entry, spec, windows, evaluation, windows.count)
            self._time_later(opened, run.timing)

    def _time_later(self, opened: OpenCell, timing: ThroughputPass) -> None:
        """Have a cell timed after the windows of all cells, if it is due."""
        cell, entry, evaluation = opened.cell, opened.entry, opened.evaluation
        usable = self._books.usable_metrics(cell, opened.spec)
        if not timing.is_due(usable, opened.windows, evaluation.known):
            return
        metrics, protocol = evaluation.metrics, cell.protocol
        timing.add(
            DueCell(
                cell,
                evaluation.cell_id,
                opened.number,
                opened.spec.comparison_group,
                lambda: entry.build(cell.settings, self.device),
                usable,
                opened.windows,
                evaluation.largest_batch,
                lambda tokenizer: piece_frames(tokenizer, metrics, protocol),
            )
        )

    def _evaluation(
        self, cell: Cell, cell_id: str, spec: TokenizerSpec, windows: DatasetWindows, run_id: str
    ) -> Evaluation:
        usable = self._books.usable_metrics(cell, spec)
        measuring = {metric.measurement_key: metric for metric in usable if metric.needs in MEASURED_NEEDS}
        return Evaluation(
            cell_id=cell_id,
            run_id=run_id,
            machine=provenance.machine_identity(self.device),
            protocol=cell.protocol,
            metrics=list(measuring.values()),
            sink=LedgerSink(self.ledger, cell_id, notes=self.supervision.is_active),
            device=self._computing,
            progress=self.progress,
            keeper=ReconstructionKeeper(
                self.ledger.folder,
                cell_id,
                cell.protocol.hash,
                choose_windows(windows.clips(), self.options.keep_reconstructions),
            ),
            units=WorkUnits.of(windows.plans, self.options.planned_batch),
            batch_size=self.options.batch_size,
            known=KnownWindows(self.ledger.columns(cell_id)),
            retry_failed=self.options.retry_failed,
            on_corrupt=self.options.on_corrupt,
            supervision=self.supervision,
        )
