"""What the cells of a run share, each made once: windows of datasets, metrics, facts, decoded clips, the decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ...datasets.cache import ClipCache
from ...datasets.interface import Clip, Dataset, FailedClip, VideoSource, Window
from ...datasets.lock import Lock, find_lock, read_lock
from ...datasets.readers.worker import DecodeWorker
from ...datasets.stream import ClipStream, SourcePlan
from ...datasets.tensors import TensorClip, TensorDataset, TensorStream
from ...tokenizers.interface import TokenizerSpec
from ..catalog.catalog import datasets, metrics
from ..catalog.complexity import measure_facts
from ..catalog.registry import RegistryError
from ..catalog.tokenizer_entry import TokenizerEntry
from ..metrics.interface import Metric, Unavailable
from ..metrics.weights import WeightsUnavailableError
from ..planning.cell import Cell
from .dataset_windows import DatasetWindows, cut_plans, length_notes
from .options import RunOptions

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
    ):
        """``worker`` decodes in place of a child process of this one's own, and outlives it."""
        self.options = options
        self.device = torch.device(options.device)
        self._say = say
        self._open_dataset = open_dataset
        self._windows: dict[tuple[str, Path | None, str, bool], DatasetWindows] = {}
        self._metrics: dict[str, Metric | Unavailable] = {}
        self._facts: dict[tuple[str, str], dict[str, float]] = {}
        self._locks: dict[Path, Lock] = {}
        self._cache: ClipCache | None = None
        self._worker = worker or DecodeWorker(options.timeout_s)
        self._owns_worker = worker is None

    def share_clips(self, folder: Path) -> None:
        """Keep decoded windows in ``folder``, for runs in which several cells see the same ones."""
        self._cache = ClipCache(folder, self.options.clip_cache_bytes)

    def close(self) -> None:
        """End the decoding process."""
        if self._owns_worker:
            self._worker.close()

    def windows(self, cell: Cell, spec: TokenizerSpec) -> DatasetWindows:
        """The windows of the cell's dataset under its protocol, for causal or for other tokenizers.

        Raises:
            DatasetUnavailable: if the dataset isn't on this machine.
        """
        key = (cell.dataset, cell.root, cell.protocol.hash, spec.causal)
        if key not in self._windows:
            dataset = self._open_dataset(cell.dataset_kind or cell.dataset, cell.root)
            self._say(f"looking through {cell.dataset}")
            shard = self.options.shard
            sources = self._sources(cell, dataset)
            with self._stream(cell, shard.of(sources), causal=spec.causal) as stream:
                plans = cut_plans(stream.plans(), self.options.limit, self.options.limit_videos)
            missing = tuple(f"{m.key}: {m.reason}" for m in dataset.missing())
            notes = length_notes(dataset, plans)
            for note in notes:
                self._say(f"{cell.dataset}: {note}")
            self._windows[key] = DatasetWindows(dataset, plans, missing, notes)
        return self._windows[key]

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
        dataset = windows.dataset
        chosen = [source for source in self._sources(cell, dataset) if source.key in keys]
        return self._stream(cell, chosen, causal=causal, skip=skip_unplanned, piece_frames=piece_frames)

    def _sources(self, cell: Cell, dataset: Dataset) -> Sequence[VideoSource | TensorClip]:
        """What the dataset gives, and what its lock says that it should give."""
        if isinstance(dataset, TensorDataset):
            return dataset.clips
        lock = self._lock(cell)
        return dataset.sources() if lock is None else lock.with_missing(dataset.sources())

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
        return ClipStream(
            [source for source in sources if isinstance(source, VideoSource)],
            cell.protocol,
            causal=causal,
            reader=self.options.reader,
            prefetch=self.options.prefetch,
            cache=self._cache,
            skip=skip,
            worker=self._worker,
            piece_frames=piece_frames,
            on_corrupt=self.options.on_corrupt,
            lock=self._lock(cell),
        )

    def facts(self, cell: Cell, entry: TokenizerEntry) -> dict[str, float]:
        """Figures of a tokenizer that need no clip: see :func:`toklab.bench.catalog.complexity.measure_facts`."""
        key = (cell.tokenizer, cell.protocol.hash)
        if key not in self._facts:
            self._facts[key] = measure_facts(entry, cell.protocol)
        return self._facts[key]

    def metric(self, name: str) -> Metric | Unavailable:
        """A metric with its weights on the device, or why it can't be computed here."""
        if name not in self._metrics:
            self._metrics[name] = self._prepare_metric(name)
        return self._metrics[name]

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
