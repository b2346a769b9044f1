"""What the cells of a run share, each made once: windows of datasets, metrics, facts, decoded clips, the decoders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ...datasets.interface import Clip, Dataset, FailedClip, VideoSource, Window
from ...datasets.lock import Lock, find_lock, read_lock
from ...datasets.readers.worker import DecodeWorker
from ...datasets.source_plan import KnownFacts, SourcePlan
from ...datasets.stream import ClipStream
from ...datasets.tensors import TensorClip, TensorDataset, TensorStream
from ...tokenizers.interface import TokenizerSpec
from ..catalog.broken_metric import CODE_FAILS, HINT, code_fails, find_metric, metric_code
from ..catalog.catalog import datasets
from ..catalog.complexity import measure_facts
from ..catalog.plugin_code import plugin_code
from ..catalog.tokenizer_entry import TokenizerEntry
from ..metrics.interface import Metric, Unavailable
from ..metrics.weights import WeightsUnavailableError
from ..planning.cell import Cell
from .dataset_windows import DatasetWindows, cut_plans, length_notes, unlocked_notes
from .options import RunOptions
from .shared_clips import SharedClips
from .supervision import Supervision

CLIP_CACHE_FOLDER = "clip-cache"
"""Inside the run folder; holds decoded windows while several tokenizers share them."""
OpenDataset = Callable[[str, Path | None], Dataset]
"""Gives the dataset of a name in the catalog and a root."""
SkipWindow = Callable[[str, str, Window], bool]
"""Whether a window of a source, by key and content, needs no decoding."""
StreamedClip = Clip | FailedClip


def open_registered(name: str, root: Path | None) -> Dataset:
    """A dataset of the catalog."""
    return datasets().get(name)(root)


class Preparation:
    """Opens what cells need, and keeps it for the cells that follow. Close it at the end."""

    def __init__(
        self,
        options: RunOptions,
        say: Callable[[str], None],
        *,
        worker: DecodeWorker | None = None,
        open_dataset: OpenDataset = open_registered,
        supervision: Supervision | None = None,
    ):
        """``worker`` decodes in place of child processes of this one's own, and outlives it."""
        self.options = options
        self.device = torch.device(options.device)
        self._say = say
        self._open_dataset = open_dataset
        self._supervision = supervision or Supervision()
        self._windows: dict[tuple[str, Path | None, str, bool], DatasetWindows] = {}
        self._metrics: dict[str, Metric | Unavailable] = {}
        self._facts: dict[tuple[str, str, str], dict[str, float]] = {}
        self._locks: dict[Path, Lock] = {}
        self._known_facts: KnownFacts = {}
        self._clips: SharedClips | None = None
        self._workers = (
            [worker] if worker is not None else [DecodeWorker(options.timeout_s) for _ in range(options.decode_workers)]
        )
        self._owns_workers = worker is None

    def share_clips(self, folder: Path, cells: Sequence[Cell] | None = None) -> None:
        """Keep decoded windows in ``folder`` as long as others of ``cells`` are still to see them; ``None``: always."""
        self._clips = SharedClips(folder, self.options.clip_cache_bytes, cells)

    def close(self) -> None:
        """End the decoding processes."""
        if self._owns_workers:
            for worker in self._workers:
                worker.close()

    def windows(self, cell: Cell, spec: TokenizerSpec) -> DatasetWindows:
        """The windows of the cell's dataset under its protocol, for causal or for other tokenizers.

        Raises:
            DatasetUnavailable: if the dataset isn't on this machine.
        """
        key = (cell.dataset, cell.root, cell.protocol.hash, spec.causal)
        if key not in self._windows:
            with self._dataset_code():
                dataset = self._open_dataset(cell.dataset_kind or cell.dataset, cell.root)
            self._say(f"looking through {cell.dataset}")
            shard = self.options.shard
            with self._dataset_code():
                sources = self._sources(cell, dataset)
            with self._stream(cell, shard.of(sources), causal=spec.causal) as stream:
                plans = cut_plans(stream.plans(), self.options.limit, self.options.limit_videos)
            with self._dataset_code():
                missing = tuple(f"{m.key}: {m.reason}" for m in dataset.missing())
                notes = length_notes(dataset, plans)
                knows_content = dataset.knows_content
            if not knows_content and self._lock(cell) is None:
                notes = (*notes, *unlocked_notes(plans))
            for note in notes:
                self._say(f"{cell.dataset}: {note}")
            self._windows[key] = DatasetWindows(sources, plans, missing, notes)
        return self._windows[key]

    @contextmanager
    def _dataset_code(self) -> Iterator[None]:
        with plugin_code(), self._supervision.step("the dataset's own code"):
            yield

    def stream(
        self,
        cell: Cell,
        windows: DatasetWindows,
        *,
        causal: bool,
        skip: SkipWindow,
        piece_frames: int | None = None,
    ) -> ClipStream | TensorStream:
        """The planned clips of a dataset in order, without the windows that ``skip`` names."""
        planned = {
            plan.source.key: {window.index for window in plan.windows}
            for plan in windows.plans
            if isinstance(plan, SourcePlan)
        }

        def skip_unplanned(source: str, content: str, window: Window) -> bool:
            return window.index not in planned.get(source, ()) or skip(source, content, window)

        keys = {plan.source if isinstance(plan, FailedClip) else plan.source.key for plan in windows.plans}
        chosen = [source for source in windows.sources if source.key in keys]
        if self._clips is not None:
            self._clips.begin(cell)
        return self._stream(cell, chosen, causal=causal, skip=skip_unplanned, piece_frames=piece_frames)

    def _sources(self, cell: Cell, dataset: Dataset) -> Sequence[VideoSource | TensorClip]:
        """What the dataset gives, and what its lock says that it should give."""
        if isinstance(dataset, TensorDataset):
            return dataset.clips
        lock = self._lock(cell)
        sources = list(dataset.sources())
        place = self._place(cell)
        if lock is None or (place is not None and place.expanduser().is_file()):
            # Who names one file asks for no other that was locked beside it.
            return sources
        return lock.with_missing(sources)

    def _lock(self, cell: Cell) -> Lock | None:
        path = self.options.lock or find_lock(self._place(cell))
        if path is None:
            return None
        if path not in self._locks:
            self._locks[path] = read_lock(path)
            self._say(f"{cell.dataset} is checked against {path}")
        return self._locks[path]

    def _place(self, cell: Cell) -> Path | None:
        data = os.environ.get("TOKLAB_DATA")
        return cell.root or (Path(data) / (cell.dataset_kind or cell.dataset) if data else None)

    def _stream(
        self,
        cell: Cell,
        sources: Sequence[VideoSource | TensorClip],
        *,
        causal: bool,
        skip: SkipWindow | None = None,
        piece_frames: int | None = None,
    ) -> ClipStream | TensorStream:
        clips = [source for source in sources if isinstance(source, TensorClip)]
        if clips:
            return TensorStream(clips, skip=skip)
        cache, is_needed_again = self._clips.shelf(cell) if self._clips is not None else (None, False)
        return ClipStream(
            [source for source in sources if isinstance(source, VideoSource)],
            cell.protocol,
            causal=causal,
            reader=self.options.reader,
            prefetch=self.options.prefetch,
            cache=cache,
            fills_cache=is_needed_again,
            skip=skip,
            workers=self._workers,
            known_facts=self._known_facts,
            piece_frames=piece_frames,
            on_corrupt=self.options.on_corrupt,
            lock=self._lock(cell),
        )

    def facts(self, cell: Cell, entry: TokenizerEntry) -> dict[str, float]:
        """Figures of a tokenizer that need no clip: see :func:`toklab.bench.catalog.complexity.measure_facts`."""
        key = (cell.tokenizer, cell.protocol.hash, cell.settings.of_work.hash)
        if key not in self._facts:
            with self._supervision.step("counting the model's size"):
                self._facts[key] = measure_facts(entry, cell.protocol, cell.settings)
        return self._facts[key]

    def metric(self, name: str) -> Metric | Unavailable:
        """A metric with its weights on the device, or why it can't be computed here."""
        if name not in self._metrics:
            self._metrics[name] = self._prepare_metric(name)
        return self._metrics[name]

    def _prepare_metric(self, name: str) -> Metric | Unavailable:
        if reason := self._supervision.past.broken_metrics.get(name):
            return Unavailable(f"{CODE_FAILS}: {reason}", HINT, is_broken=True)
        metric = find_metric(name)
        try:
            with metric_code(name, "prepare"):
                unavailable = metric.unavailable()
                if unavailable is None:
                    metric.prepare(self.device)
        except WeightsUnavailableError as error:
            unavailable = Unavailable(error.reason, error.hint)
        except Exception as error:
            # A plugin's metric may raise anything at all.
            unavailable = code_fails(error)
        return unavailable or metric

    def applies(self, metric: Metric, spec: TokenizerSpec) -> bool:
        """Whether a metric means anything for a tokenizer; one that can't say is unavailable from then on."""
        try:
            with metric_code(metric.name, "applies_to"):
                return metric.applies_to(spec)
        except Exception as error:
            # A plugin's metric may raise anything at all.
            self._metrics[metric.name] = code_fails(error)
            return False

    @property
    def broken_metrics(self) -> set[str]:
        """Names of metrics whose own code fails, as far as they were asked for."""
        found = ((name, known) for name, known in self._metrics.items() if isinstance(known, Unavailable))
        return {name for name, known in found if known.is_broken}
