"""The runner: one cell after another, each streaming into the ledger; resumable, and failures stay where they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from typing import Protocol as TypingProtocol

import torch

from ...datasets.cache import ClipCache
from ...datasets.interface import WHOLE_SOURCE, Dataset, DatasetUnavailable
from ...datasets.readers.worker import DecodeWorker
from ...datasets.stream import ClipStream, SourcePlan
from ...tokenizers.interface import CheckpointUnavailable, TokenizerSpec
from ..catalog.catalog import TokenizerCatalog, datasets, metrics, tokenizers
from ..catalog.complexity import measure_facts
from ..catalog.registry import RegistryError
from ..catalog.tokenizer_entry import CardTokenizer, TokenizerEntry
from ..ledger.ledger import Ledger
from ..ledger.records import CellRecord, RunRecord
from ..metrics.interface import Metric, Unavailable
from ..metrics.weights import WeightsUnavailableError
from ..planning.cell import Cell
from ..planning.plan import Shard
from . import provenance
from .dataset_windows import DatasetWindows, cut_plans
from .evaluation import Evaluation, KnownWindow, Progress
from .reconstructions import ReconstructionKeeper, choose_windows

CLIP_CACHE_FOLDER = "clip-cache"
"""Inside the run folder; holds decoded windows while several tokenizers share them."""

MEASURED_NEEDS = ("pairs", "features", "codes", "encoded")
"""What a metric needs if it measures windows; the others read timings and facts."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed; none of it changes what is measured."""

    device: str = "cpu"
    reader: Literal["auto", "decord", "pyav"] = "auto"
    batch_size: int = 1
    prefetch: int = 4
    """Clips decoded ahead."""
    timeout_s: float = 120.0
    """Seconds after which a decoding child is killed."""
    limit: int | None = None
    """At most so many windows a dataset."""
    shard: Shard = field(default_factory=Shard)
    keep_reconstructions: int | None = 4
    """Windows to keep for each cell; ``None`` keeps all."""
    retry_failed: bool = False
    clip_cache_bytes: int = 4 << 30
    """Disk for decoded windows that several tokenizers share."""


class RunProgress(Progress, TypingProtocol):
    """Hears how the cells go."""

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int) -> None:
        """A cell starts: ``done`` of its ``windows`` are in the ledger already."""

    def finish(self, cell: CellRecord) -> None:
        """A cell is finished, or failed as a whole."""


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
        progress: RunProgress,
        card_folders: Sequence[Path] = (),
        worker: DecodeWorker | None = None,
    ):
        """``worker`` decodes in place of a child process of the runner's own, and outlives it."""
        self.ledger = ledger
        self.options = options
        self.progress = progress
        self.device = torch.device(options.device)
        self.catalog: TokenizerCatalog = tokenizers(tuple(card_folders))
        self._planned: dict[tuple[str, Path | None, str, bool], DatasetWindows] = {}
        self._prepared: dict[str, Metric | Unavailable] = {}
        self._facts: dict[tuple[str, str], dict[str, float]] = {}
        self._cache: ClipCache | None = None
        self._worker = worker or DecodeWorker(options.timeout_s)
        self._owns_worker = worker is None

    def run(self, cells: Sequence[Cell]) -> RunSummary:
        """Run every cell; a cell that can't run is recorded as failed, and the others go on."""
        record = RunRecord(provenance.run_identity(), provenance.utc_now(), "", provenance.collect(self.device))
        self.ledger.record(record)
        finished: list[CellRecord] = []
        cache_folder = self.ledger.folder / CLIP_CACHE_FOLDER
        if len(cells) > 1:
            self._cache = ClipCache(cache_folder, self.options.clip_cache_bytes)
        try:
            with _exact_float32():
                for number, cell in enumerate(cells, start=1):
                    cell_record = self._run_cell(cell, record.run, number, len(cells))
                    finished.append(cell_record)
                    self.progress.finish(cell_record)
        finally:
            if self._owns_worker:
                self._worker.close()
        shutil.rmtree(cache_folder, ignore_errors=True)
        self.ledger.record(replace(record, finished=provenance.utc_now()))
        failed_windows = sum(
            row.status == "failed"
            for cell in finished
            if cell.status == "finished"
            for row in self.ledger.rows(cell.cell)
        )
        return RunSummary(sum(cell.status == "failed" for cell in finished), failed_windows)

    def _run_cell(self, cell: Cell, run: str, number: int, of: int) -> CellRecord:
        entry = self.catalog.entry(cell.tokenizer)
        try:
            identity = cell.identity(entry.identity, weights := entry.weights_identity())
            spec = entry.spec()
            windows = self._windows(cell, spec)
            self._forget_stale_rows(identity, windows)
            evaluation = self._evaluation(cell, identity, spec, windows, run)
            done = windows.count_where(evaluation.needs_nothing)
            self.progress.start(cell, number, of, windows.count, done)
            tokenizer = entry.build(cell.settings, self.device) if done < windows.count else None
        except (CheckpointUnavailable, DatasetUnavailable) as error:
            return self._record_failed_cell(cell, entry, str(error), error.hint)
        except (ValueError, RuntimeError, ImportError) as error:
            reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            return self._record_failed_cell(cell, entry, reason, "")
        self._record_open_cell(cell, identity, weights, entry, spec, windows)
        if tokenizer is not None:
            pieces = evaluation.piece_frames(tokenizer)
            stream = self._stream(cell, windows.dataset, spec.causal, evaluation.needs_nothing, pieces)
            with stream:
                evaluation.run_stream(tokenizer, stream)
        self.ledger.compact(identity)
        return self.ledger.update_cell(identity, status="finished")

    def _record_open_cell(
        self,
        cell: Cell,
        identity: str,
        weights: str,
        entry: TokenizerEntry,
        spec: TokenizerSpec,
        windows: DatasetWindows,
    ) -> None:
        known = self.ledger.cell(identity)
        asked = {name: self._metric(name) for name in cell.metrics}
        record = CellRecord(
            cell=identity,
            tokenizer=cell.tokenizer,
            label=cell.label,
            spec=_plain_spec(spec),
            weights=weights,
            dataset=cell.dataset,
            protocol=cell.protocol.model_dump(mode="json"),
            protocol_hash=cell.protocol.hash,
            settings=cell.settings.as_dict(),
            metrics=tuple(dict.fromkeys((*(known.metrics if known else ()), *cell.metrics))),
            facts=known.facts if known else self._measured_facts(cell, entry),
            missing=windows.missing,
            unavailable={name: (m.reason, m.hint) for name, m in asked.items() if isinstance(m, Unavailable)},
            planned=windows.count,
        )
        self._forget_failed_cells(record)
        if known is None:
            self.ledger.record(record)
        else:
            self.ledger.update_cell(identity, **{name: value for name, value in vars(record).items() if name != "cell"})

    def _evaluation(
        self, cell: Cell, identity: str, spec: TokenizerSpec, windows: DatasetWindows, run: str
    ) -> Evaluation:
        measurements = self.ledger.measurements(identity)
        usable = [m for m in map(self._metric, cell.metrics) if isinstance(m, Metric) and m.applies_to(spec)]
        measuring = {m.measurement_key: m for m in usable if m.needs in MEASURED_NEEDS}
        return Evaluation(
            cell=identity,
            run=run,
            machine=provenance.machine_identity(self.device),
            protocol=cell.protocol,
            metrics=list(measuring.values()),
            ledger=self.ledger,
            device=self.device,
            progress=self.progress,
            keeper=ReconstructionKeeper(
                self.ledger.folder,
                identity,
                cell.protocol.hash,
                choose_windows(windows.clips(), self.options.keep_reconstructions),
            ),
            batch_size=self.options.batch_size,
            known={
                row.key: KnownWindow(row, frozenset(measurements.get(row.key, {})))
                for row in self.ledger.rows(identity)
            },
            retry_failed=self.options.retry_failed,
        )

    def _stream(
        self,
        cell: Cell,
        dataset: Dataset,
        causal: bool,
        skip: Callable[..., bool] | None = None,
        piece_frames: int | None = None,
    ) -> ClipStream:
        shard = self.options.shard
        return ClipStream(
            dataset.sources()[shard.index :: shard.count],
            cell.protocol,
            causal=causal,
            reader=self.options.reader,
            prefetch=self.options.prefetch,
            cache=self._cache,
            max_clips=self.options.limit,
            skip=skip,
            worker=self._worker,
            piece_frames=piece_frames,
        )

    def _windows(self, cell: Cell, spec: TokenizerSpec) -> DatasetWindows:
        key = (cell.dataset, cell.root, cell.protocol.hash, spec.causal)
        if key not in self._planned:
            dataset = datasets().get(cell.dataset)(cell.root)
            self.progress.message(f"looking through {cell.dataset}")
            with self._stream(cell, dataset, spec.causal) as stream:
                plans = cut_plans(stream.plan(), self.options.limit)
            missing = tuple(f"{m.key}: {m.reason}" for m in dataset.missing())
            self._planned[key] = DatasetWindows(dataset, plans, missing)
        return self._planned[key]

    def _measured_facts(self, cell: Cell, entry: TokenizerEntry) -> dict[str, float]:
        key = (cell.tokenizer, cell.protocol.hash)
        if key not in self._facts:
            self._facts[key] = measure_facts(entry, cell.protocol)
        return self._facts[key]

    def _metric(self, name: str) -> Metric | Unavailable:
        if name not in self._prepared:
            self._prepared[name] = self._prepare_metric(name)
        return self._prepared[name]

    def _prepare_metric(self, name: str) -> Metric | Unavailable:
        try:
            metric = metrics().get(name)()
            if (unavailable := metric.unavailable()) is not None:
                return unavailable
            metric.prepare(self.device)
        except WeightsUnavailableError as error:
            return Unavailable(error.reason, error.hint)
        except RegistryError as error:
            return Unavailable(str(error), "fix the plugin, or run without the metric")
        return metric

    def _record_failed_cell(self, cell: Cell, entry: TokenizerEntry, reason: str, hint: str) -> CellRecord:
        record = CellRecord(
            cell=cell.identity(entry.identity, "unresolved"),
            tokenizer=cell.tokenizer,
            label=cell.label,
            spec=_plain_spec(entry.spec()) if isinstance(entry, CardTokenizer) else entry.describe(),
            weights="unresolved",
            dataset=cell.dataset,
            protocol=cell.protocol.model_dump(mode="json"),
            protocol_hash=cell.protocol.hash,
            settings=cell.settings.as_dict(),
            metrics=cell.metrics,
            status="failed",
            reason=reason,
            hint=hint,
            facts=self._measured_facts(cell, entry) if isinstance(entry, CardTokenizer) else {},
        )
        self.ledger.record(record)
        return record

    def _forget_failed_cells(self, record: CellRecord) -> None:
        same = ("label", "dataset", "protocol_hash")
        for known in self.ledger.cells():
            if known.status == "failed" and all(getattr(known, name) == getattr(record, name) for name in same):
                self.ledger.forget_cell(known.cell)

    def _forget_stale_rows(self, cell: str, windows: DatasetWindows) -> None:
        """Drop rows of files that have changed since, or that can be opened now."""
        current = {plan.source.key: plan for plan in windows.plans if isinstance(plan, SourcePlan)}
        stale = [
            row.key
            for row in self.ledger.rows(cell)
            if (plan := current.get(row.source)) is not None
            and (row.window == WHOLE_SOURCE or row.content_id != plan.content_id)
        ]
        self.ledger.forget_rows(cell, stale)


def _plain_spec(spec: TokenizerSpec) -> dict[str, object]:
    plain = {name: value for name, value in vars(spec).items() if isinstance(value, (str, int, float, bool))}
    return {
        **plain,
        "codebook_levels": list(spec.codebook_levels),
        "comparison_group": spec.comparison_group,
        "regularizer_label": spec.regularizer_label,
    }


@contextmanager
def _exact_float32() -> Iterator[None]:
    """TF32 off, so that float32 means float32 on every GPU."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
