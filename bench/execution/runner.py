"""The runner: one cell after another, each streaming into the ledger; resumable, and failures stay where they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol as TypingProtocol

import torch

from ...datasets.interface import DatasetUnavailable
from ...datasets.readers.worker import DecodeWorker
from ...tokenizers.interface import CheckpointUnavailable, TokenizerSpec
from ..catalog.catalog import tokenizers
from ..catalog.tokenizer_entry import TokenizerEntry
from ..ledger.ledger import Ledger
from ..ledger.plans import planned_rows
from ..ledger.records import CellRecord, RunRecord
from ..planning.cell import Cell
from . import provenance
from .bookkeeping import Bookkeeping
from .dataset_windows import DatasetWindows
from .evaluation import Evaluation, KnownWindow
from .options import RunOptions
from .preparation import OpenDataset, Preparation, open_registered
from .progress import Progress
from .reconstructions import ReconstructionKeeper, choose_windows

CLIP_CACHE_FOLDER = "clip-cache"
"""Inside the run folder; holds decoded windows while several tokenizers share them."""

MEASURED_NEEDS = ("pairs", "features", "codes", "encoded")
"""What a metric needs if it measures windows; the others read timings and facts."""


class TokenizerSource(TypingProtocol):
    """Where the runner finds the tokenizer of a cell: the catalog, or what stands in for it."""

    def entry(self, name: str) -> TokenizerEntry:
        """The tokenizer of a name."""
        ...


@dataclass(frozen=True)
class RunSummary:
    """What a run came to."""

    failed_cells: int
    failed_windows: int

    @property
    def exit_code(self) -> int:
        """1 where anything failed, else 0."""
        return 1 if self.failed_cells or self.failed_windows else 0


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
    ):
        """``worker`` decodes in place of a child process of the runner's own, and outlives it."""
        self.ledger = ledger
        self.options = options
        self.progress = progress
        self.device = torch.device(options.device)
        self._catalog = catalog or tokenizers(tuple(card_folders))
        self._preparation = Preparation(options, progress.message, worker=worker, open_dataset=open_dataset)
        self._books = Bookkeeping(ledger, self._preparation)

    def run(self, cells: Sequence[Cell]) -> RunSummary:
        """Run every cell; a cell that can't run is recorded as failed, and the others go on."""
        record = RunRecord(provenance.run_identity(), provenance.utc_now(), "", provenance.collect(self.device))
        self.ledger.record(record)
        finished: list[CellRecord] = []
        cache_folder = self.ledger.folder / CLIP_CACHE_FOLDER
        if len(cells) > 1:
            self._preparation.share_clips(cache_folder)
        try:
            with _exact_float32():
                for number, cell in enumerate(cells, start=1):
                    cell_record = self._run_cell(cell, record.run_id, number, len(cells))
                    finished.append(cell_record)
                    self.progress.finish(cell_record)
        finally:
            self._preparation.close()
        shutil.rmtree(cache_folder, ignore_errors=True)
        self.ledger.record(replace(record, finished=provenance.utc_now()))
        failed_windows = sum(self._num_failed(cell) for cell in finished if cell.status == "finished")
        return RunSummary(sum(cell.status == "failed" for cell in finished), failed_windows)

    def _num_failed(self, cell: CellRecord) -> int:
        """Planned windows that have no score, for whatever reason."""
        rows, _ = planned_rows(self.ledger.folder, cell.cell_id, self.ledger.rows(cell.cell_id))
        return cell.planned - sum(row.status == "scored" for row in rows)

    def _run_cell(self, cell: Cell, run_id: str, number: int, of: int) -> CellRecord:
        entry = self._catalog.entry(cell.tokenizer)
        try:
            cell_id = cell.identity(entry.identity, weights := entry.weights_identity())
            spec = entry.spec()
            windows = self._preparation.windows(cell, spec)
            self._books.forget_stale_rows(cell_id, windows)
            evaluation = self._evaluation(cell, cell_id, spec, windows, run_id)
            done = windows.count_where(evaluation.needs_nothing)
            self.progress.start(cell, number, of, windows.count, done)
            tokenizer = entry.build(cell.settings, self.device) if done < windows.count else None
        except (CheckpointUnavailable, DatasetUnavailable) as error:
            return self._books.fail_cell(cell, entry, str(error), error.hint)
        except (ValueError, RuntimeError, ImportError) as error:
            reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            return self._books.fail_cell(cell, entry, reason, "")
        self._books.open_cell(cell, cell_id, weights, entry, spec, windows)
        if tokenizer is not None:
            with self._preparation.stream(
                cell,
                windows,
                causal=spec.causal,
                skip=evaluation.needs_nothing,
                piece_frames=evaluation.piece_frames(tokenizer),
            ) as stream:
                evaluation.run_stream(tokenizer, stream)
        self.ledger.compact(cell_id)
        return self.ledger.update_cell(cell_id, status="finished")

    def _evaluation(
        self, cell: Cell, cell_id: str, spec: TokenizerSpec, windows: DatasetWindows, run_id: str
    ) -> Evaluation:
        measurements = self.ledger.measurements(cell_id)
        usable = self._books.usable_metrics(cell, spec)
        measuring = {metric.measurement_key: metric for metric in usable if metric.needs in MEASURED_NEEDS}
        return Evaluation(
            cell_id=cell_id,
            run_id=run_id,
            machine=provenance.machine_identity(self.device),
            protocol=cell.protocol,
            metrics=list(measuring.values()),
            ledger=self.ledger,
            device=self.device,
            progress=self.progress,
            keeper=ReconstructionKeeper(
                self.ledger.folder,
                cell_id,
                cell.protocol.hash,
                choose_windows(windows.clips(), self.options.keep_reconstructions),
            ),
            batch_size=self.options.batch_size,
            known={
                row.key: KnownWindow(row, frozenset(measurements.get(row.key, {}))) for row in self.ledger.rows(cell_id)
            },
            retry_failed=self.options.retry_failed,
            on_corrupt=self.options.on_corrupt,
        )


@contextmanager
def _exact_float32() -> Iterator[None]:
    """TF32 off, so that float32 means float32 on every GPU."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
