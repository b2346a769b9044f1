"""A worker: one tokenizer, the metrics and a decoder of its own; it takes leases and gives back what it makes.

An actor of Ray is one of these. Nothing here knows Ray.
"""

from __future__ import annotations

import gc
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from ....datasets.identity import content_id
from ....datasets.interface import WHOLE_SOURCE, Clip, DatasetUnavailable, FailedClip, UnreadableVideo, VideoSource
from ....datasets.source_plan import SourcePlan
from ....tokenizers.errors import CheckpointUnavailable
from ....tokenizers.interface import VideoTokenizer
from ...catalog.catalog import TokenizerCatalog, tokenizers
from ...catalog.exact_float32 import exact_float32
from ...catalog.plugin_code import describe, plugin_code
from ...metrics.interface import Metric, Unavailable
from ...planning.cell import Cell
from .. import provenance
from ..dataset_windows import DatasetWindows
from ..device import open_device
from ..evaluation import Evaluation
from ..preparation import Preparation, open_registered
from ..reconstructions import ReconstructionKeeper
from .collecting_sink import CollectingSink
from .lease import Event, Lease, Ready, Refused, WorkerFacts, WorkerSetup
from .work_units import WorkUnits


class CannotRun(ValueError):
    """This worker can't compute a cell; ``hint`` says what fixes it."""

    def __init__(self, reason: str, hint: str = ""):
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class _Held:
    """What a worker holds of the cell that it works on."""

    cell_id: str
    tokenizer: VideoTokenizer
    metrics: list[Metric]
    sources: Mapping[str, VideoSource]
    """The videos of its dataset on this node, by key."""


class Worker:
    """Computes leases, one after the other."""

    def __init__(self, setup: WorkerSetup, node: str = ""):
        """Args: ``setup`` by the driver; ``node``: identity of the machine, where several could have one name."""
        sys.path[:] = [path for path in sys.path if path not in setup.hidden_paths]
        for name, value in setup.variables.items():
            os.environ.setdefault(name, value)
        torch.set_num_threads(setup.threads)
        self._setup = setup
        self._device = torch.device(setup.options.device)
        self._computing = open_device(self._device)
        self.name = f"{setup.number}@{platform.node()}"
        self.node = f"{platform.node()} ({node[:8]})" if node else platform.node()
        self._node_id = node
        temporary = Path(tempfile.gettempdir())
        self._cache = setup.cache_folder or temporary / f"toklab-{setup.run_id}"
        self._folder = tempfile.TemporaryDirectory(prefix="toklab-worker-", dir=setup.temporary_folder)
        self._preparation = Preparation(setup.options, lambda text: None)
        if setup.shares_clips:
            self._preparation.share_clips(self._cache)
        self._datasets: dict[tuple[str, Path | None], Mapping[str, VideoSource]] = {}
        self._held: _Held | None = None

    def describe(self) -> WorkerFacts:
        """Who this is."""
        with exact_float32():
            known = provenance.collect(self._device)
        return WorkerFacts(
            self.name,
            self._node_id,
            {name: value for name, value in known.items() if name != "command"} | {"node": self.node},
        )

    def evaluate(self, lease: Lease) -> Iterator[Event]:
        """Compute a lease, and say what comes of it."""
        with exact_float32():
            try:
                held = self._hold(lease)
            except CannotRun as error:
                yield Refused(str(error), error.hint)
                return
            yield Ready()
            sink = CollectingSink(lease, Path(self._folder.name))
            evaluation = self._evaluation(lease, held, sink)
            is_whole = False
            try:
                for _ in evaluation.steps(held.tokenizer, self._clips(lease, held, evaluation)):
                    yield from sink.take(evaluation.faulty_metrics)
                yield from sink.take(evaluation.faulty_metrics)
                is_whole = True
            finally:
                if not is_whole:
                    # A stream that is left early kills its decoder; the next lease needs another one.
                    self._preparation.close()

    def close(self) -> None:
        """End the decoder, and remove what was written on this node."""
        self._preparation.close()
        self._folder.cleanup()
        if self._setup.cache_folder is None:
            shutil.rmtree(self._cache, ignore_errors=True)

    def _evaluation(self, lease: Lease, held: _Held, sink: CollectingSink) -> Evaluation:
        options = self._setup.options
        return Evaluation(
            cell_id=lease.cell_id,
            run_id=self._setup.run_id,
            machine=provenance.machine_identity(self._device),
            protocol=lease.cell.protocol,
            metrics=held.metrics,
            sink=sink,
            device=self._computing,
            progress=sink,
            keeper=ReconstructionKeeper(
                Path(self._folder.name),
                lease.cell_id,
                lease.cell.protocol.hash,
                lease.chosen,
                lease.kept_references,
            ),
            units=WorkUnits(lease.units, options.planned_batch),
            batch_size=options.batch_size,
            known=lease.known,
            done=lease.done,
            retry_failed=options.retry_failed,
            on_corrupt=options.on_corrupt,
            worker=self.name,
        )

    # What a cell needs

    @cached_property
    def _catalog(self) -> TokenizerCatalog:
        """One for all cells: a card that is edited during a run is no other tokenizer of that run."""
        return tokenizers(self._setup.card_folders)

    def _hold(self, lease: Lease) -> _Held:
        if self._held is not None and self._held.cell_id == lease.cell_id:
            return replace(self._held, metrics=self._metrics(lease))
        self._held = None
        gc.collect()
        self._computing.release()
        cell = lease.cell
        try:
            entry = self._catalog.entry(cell.tokenizer)
            if cell.identity(entry.identity, entry.weights_identity()) != lease.cell_id:
                raise CannotRun(f"{self.node} has another card or other weights of {cell.tokenizer}")
            tokenizer = entry.build(cell.settings, self._device)
            self._held = _Held(lease.cell_id, tokenizer, self._metrics(lease), self._sources(cell))
        except CannotRun:
            raise
        except (CheckpointUnavailable, DatasetUnavailable) as error:
            raise CannotRun(str(error), error.hint) from error
        except Exception as error:
            # A plugin's tokenizer or dataset may raise anything at all.
            raise CannotRun(str(error) if isinstance(error, ValueError) else describe(error)) from error
        return self._held

    def _metrics(self, lease: Lease) -> list[Metric]:
        found: list[Metric] = []
        for name, key in lease.measurement_keys:
            metric = self._preparation.metric(name)
            if isinstance(metric, Unavailable):
                raise CannotRun(f"{name} is unavailable on {self.node}: {metric.reason}", metric.hint)
            if metric.measurement_key != key:
                raise CannotRun(f"{self.node} has another version or other weights of {name}")
            found.append(metric)
        return found

    def _sources(self, cell: Cell) -> Mapping[str, VideoSource]:
        key = (cell.dataset_kind or cell.dataset, cell.root)
        if key not in self._datasets:
            with plugin_code():
                self._datasets[key] = {source.key: source for source in open_registered(*key).sources()}
        return self._datasets[key]

    # Clips

    def _clips(self, lease: Lease, held: _Held, evaluation: Evaluation) -> Iterator[Clip | FailedClip]:
        """The clips of a lease. Where this node can't give one as it was planned, it fails, with the node's name."""
        planned: dict[str, SourcePlan] = {}
        for plan in (plan for unit in lease.units for plan in unit.plans):
            key = plan.source.key
            if all(evaluation.is_idle(key, plan.content_id, window) for window in plan.windows):
                continue
            if reason := self._difference(plan, held.sources.get(key)):
                yield from _failed(plan, evaluation, reason)
            else:
                planned[key] = plan
        windows = DatasetWindows([held.sources[key] for key in planned], list(planned.values()), ())
        given: set[tuple[str, int]] = set()
        with self._preparation.stream(
            lease.cell,
            windows,
            causal=held.tokenizer.spec.causal,
            skip=evaluation.is_idle,
            piece_frames=evaluation.piece_frames(held.tokenizer),
        ) as stream:
            for item in stream:
                plan = planned[item.source]
                place = (item.source, item.window.index)
                if isinstance(item, FailedClip) and item.window.index == WHOLE_SOURCE:
                    del planned[item.source]
                    yield from _failed(plan, evaluation, f"{item.reason} (on {self.node})")
                elif item.window != plan.windows[item.window.index]:
                    # What is left is given below.
                    continue
                else:
                    given.add(place)
                    yield item
        for key, plan in planned.items():
            yield from _failed(plan, evaluation, f"{self.node} cuts {key} into other windows", given)

    def _difference(self, plan: SourcePlan, source: VideoSource | None) -> str:
        """How a video on this node isn't the one that was planned; empty where it is."""
        if source is None:
            return f"{plan.source.path}: {self.node} has no such video"
        try:
            found = content_id(source)
        except UnreadableVideo as error:
            return f"{error} (on {self.node})"
        if found != plan.content_id:
            return f"{source.path}: {self.node} has another content under this name"
        return ""


def _failed(
    plan: SourcePlan,
    evaluation: Evaluation,
    reason: str,
    given: Collection[tuple[str, int]] = (),
) -> Iterator[FailedClip]:
    """The windows of a video that are asked for and weren't given, as failed ones."""
    for window in plan.windows:
        if (plan.source.key, window.index) not in given and not evaluation.needs_nothing(
            plan.source.key, plan.content_id, window
        ):
            yield FailedClip(plan.source.key, plan.content_id, window, plan.facts.reader, reason)
