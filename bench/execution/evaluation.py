"""Evaluation of one cell: clips stream in, rows and measurements are committed as they come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ...datasets.interface import Clip, FailedClip, OnCorrupt, UnreadableVideo, Window
from ...datasets.protocol import Protocol
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.broken_metric import is_fault
from ..catalog.plugin_code import describe, plugin_code
from ..ledger.records import Measurement, ReferenceMeasurement, Row
from ..metrics.interface import Metric, WindowBatch
from ..planning.cell import reference_identity, versioned_reader
from . import provenance
from .clip_cutting import clip_length
from .device import Device, OutOfMemory
from .engines.row_sink import RowSink, WindowRecord
from .engines.work_units import Place, WorkUnits
from .forward import ForwardResult, forward, forward_pieces
from .long_windows import PIECE_FRAMES, LongClip, PieceMeasurement, gather_pieces
from .look_ahead import Batch, LookAhead
from .options import MOST_WINDOWS
from .progress import Progress
from .reconstructions import ReconstructionKeeper
from .supervision import Supervision

AS_MANY_AS_FIT = 0
"""Batch size: as many windows as fit the device's memory."""
MEMORY_SHARE = 0.8
"""Of the free memory, a batch that is sized by it takes at most so much."""


@dataclass(frozen=True)
class KnownWindow:
    """What the ledger already has of a window."""

    row: Row
    failures: Mapping[str, str]
    """Key of each measurement, and why it failed; empty for those that didn't."""

    @property
    def measurements(self) -> frozenset[str]:
        """Keys of what was measured, with or without success."""
        return frozenset(self.failures)

    def is_current(self, content_id: str, window: Window) -> bool:
        """Whether the row was computed from these very frames."""
        return self.row.content_id == content_id and self.row.frame_ids == window.frame_ids


@dataclass
class Evaluation:
    """Runs one tokenizer over a stream of clips into the ledger."""

    cell_id: str
    """Forward identity."""
    run_id: str
    machine: str
    protocol: Protocol
    metrics: list[Metric]
    """Prepared metrics that measure windows, one for each measurement."""
    sink: RowSink
    """Where the rows go."""
    device: Device
    progress: Progress
    keeper: ReconstructionKeeper
    units: WorkUnits
    """What is in a batch."""
    batch_size: int = 1
    """Windows that a forward pass takes of a batch, at most; fewer once memory ran out.

    :data:`AS_MANY_AS_FIT` until the first window showed how much memory one takes.
    """
    known: Mapping[tuple[str, int], KnownWindow] = field(default_factory=dict)
    done: frozenset[Place] = frozenset()
    """Windows that were committed since the ledger was asked."""
    retry_failed: bool = False
    on_corrupt: OnCorrupt = "fail"
    supervision: Supervision = field(default_factory=Supervision)
    versions: Mapping[str, str] = field(default_factory=lambda: provenance.package_versions())
    """Of packages, by name; features of references are kept by that of the reader's."""
    faulty_metrics: set[str] = field(default_factory=set)
    """Names of metrics whose own code fails on a window."""
    worker: str = ""
    """Who evaluates, where it isn't the process that writes the ledger."""
    _warm: bool = False

    def __post_init__(self) -> None:
        for known in self.known.values():
            self.faulty_metrics |= {m.name for m in self.metrics if is_fault(known.failures.get(m.measurement_key, ""))}

    def needs_nothing(self, source: str, content_id: str, window: Window) -> bool:
        """Whether the ledger has all that is asked of a window: the clip stream's ``skip``."""
        if (source, window.index) in self.done:
            return True
        known = self.known.get((source, window.index))
        if known is None or not known.is_current(content_id, window):
            return False
        if known.row.status == "failed":
            return not self.retry_failed
        if known.row.note and self.on_corrupt == "fail":
            return False
        return {metric.measurement_key for metric in self.metrics} <= known.measurements

    def is_idle(self, source: str, content_id: str, window: Window) -> bool:
        """Whether nothing is asked of a window's whole batch: the clip stream's ``skip``.

        Windows that are done are computed again beside neighbours that aren't, so that a batch is always the same.
        """
        batch = self.units.batch(source, window.index)
        return all(self.needs_nothing(*one) for one in batch or [(source, content_id, window)])

    def run_stream(self, tokenizer: VideoTokenizer, stream: Iterable[Clip | FailedClip]) -> None:
        """Evaluate every clip; what fails is a row with a reason."""
        for _ in self.steps(tokenizer, stream):
            pass

    def steps(self, tokenizer: VideoTokenizer, stream: Iterable[Clip | FailedClip]) -> Iterator[None]:
        """Evaluate every clip, and pause before each forward pass and after each commit."""
        items = LookAhead(self._staged(gather_pieces(stream)))
        for item in items:
            if isinstance(item, LongClip):
                assert isinstance(tokenizer, StreamingTokenizer)
                if not self._is_done(item.first):
                    yield from self._evaluate_long(tokenizer, item)
            elif isinstance(item, FailedClip):
                if self._is_done(item):
                    continue
                self.sink.record(self.row(item, status="failed", reason=item.reason))
                self.progress.advance(1, 1)
            elif not all(map(self._is_done, item.clips)):
                yield from self._evaluate(tokenizer, item, items)
            yield

    def piece_frames(self, tokenizer: VideoTokenizer) -> int | None:
        """Frames in which a stream should give long windows: see :func:`piece_frames`."""
        return piece_frames(tokenizer, self.metrics, self.protocol)

    def _staged(self, stream: Iterable[Clip | FailedClip | LongClip]) -> Iterator[Batch | FailedClip | LongClip]:
        for item in self._batches(stream):
            yield Batch.of(item, self.device) if isinstance(item, list) else item

    @property
    def largest_batch(self) -> int:
        """Windows in a forward pass, as far as that is known: the most of those scored before, else 1."""
        sizes = [int(known.row.timing.get("batch_size", 1)) for known in self.known.values()]
        return self.batch_size or max(sizes, default=1)

    def _batches(self, stream: Iterable[Clip | FailedClip | LongClip]) -> Iterator[list[Clip] | FailedClip | LongClip]:
        pending: list[Clip] = []
        missing: set[tuple[str, int]] = set()
        current: object = None
        for item in stream:
            first = item.first if isinstance(item, LongClip) else item
            place = (first.source, first.window.index)
            if (batch := self.units.batch_of(*place)) is None or batch != current:
                yield from _of_one_shape(pending)
                pending, current = [], batch
                missing = {(source, window.index) for source, _, window in self.units.batch(*place)}
            missing.discard(place)
            if isinstance(item, Clip):
                pending.append(item)
            else:
                yield item
            if not missing:
                yield from _of_one_shape(pending)
                pending = []
        yield from _of_one_shape(pending)

    def _is_done(self, clip: Clip | FailedClip) -> bool:
        return self.needs_nothing(clip.source, clip.content_id, clip.window)

    def _evaluate(self, tokenizer: VideoTokenizer, batch: Batch, items: LookAhead) -> Iterator[None]:
        """Compute a batch and commit its windows together."""
        clips = list(batch.clips)
        if len(clips) > (self.batch_size or 1):
            batch.staged.drop()
            yield from self._evaluate_parts(tokenizer, clips, items)
            return
        self._note(clips)
        yield
        used = self.device.used_bytes()
        is_measured = self.batch_size == AS_MANY_AS_FIT

        def fetch() -> None:
            with self.supervision.waiting():
                items.fetch()

        meanwhile = fetch if self.device.copies_ahead and not is_measured else None
        try:
            with self.supervision.forward():
                result = forward(tokenizer, clips, self.device, staged=batch.staged, meanwhile=meanwhile)
        except Exception as error:
            result, reason, lacks_memory = None, _reason(error), isinstance(error, OutOfMemory)
        else:
            reason, lacks_memory = "", False
        # Outside the handler, whose error holds on to the tensors of the failed pass.
        if lacks_memory:
            items.drop_copy()
            self.device.release()
        if result is None:
            if len(clips) == 1:
                self._commit_failure(clips[0], reason)
            elif lacks_memory:
                self.batch_size = max(1, len(clips) // 2)
                self.progress.message(f"out of memory at {len(clips)} windows a batch: going on with {self.batch_size}")
                yield from self._evaluate_parts(tokenizer, clips, items)
            else:
                for clip in clips:
                    if not self._is_done(clip):
                        yield from self._evaluate(tokenizer, Batch.of([clip], self.device), items)
                        yield
            return
        if is_measured:
            self.batch_size = windows_that_fit(used, result.timing.get("peak_bytes"), self.device.free_bytes())
            self.progress.message(f"{self.batch_size} windows a batch")
        self.sink.forward_is_over()
        yield
        timing = {**result.timing, "warm": float(self._warm)}
        self._warm = True
        finite = _are_finite(result.reconstruction)
        records: list[WindowRecord] = []
        wanted = [index for index, clip in enumerate(clips) if not self._is_done(clip)]
        for index in wanted:
            if not finite[index]:
                reason = _describe_non_finite(result.reconstruction[index])
                records.append(self.row(clips[index], status="failed", reason=reason))
                continue
            try:
                window = self._window_batch(tokenizer, result, index)
            except Exception as error:
                # An encoding may hold anything at all.
                records.append(self.row(clips[index], status="failed", reason=_reason(error)))
                continue
            records += self._scored(clips[index], window, timing)
        self.sink.record(*records)
        self.progress.advance(len(wanted), sum(isinstance(one, Row) and one.status == "failed" for one in records))

    def _evaluate_parts(self, tokenizer: VideoTokenizer, clips: list[Clip], items: LookAhead) -> Iterator[None]:
        """Compute clips, so many at a time as the batch size then says: a part may change it."""
        while clips:
            size = self.batch_size or 1
            yield from self._evaluate(tokenizer, Batch.of(clips[:size], self.device), items)
            yield
            clips = clips[size:]

    def _evaluate_long(self, tokenizer: StreamingTokenizer, clip: LongClip) -> Iterator[None]:
        measured = [self._piece_measurement(metric, clip.first) for metric in self._wanted(clip.first)]
        timing: dict[str, float] = {}
        num_scored = 0
        self._note([clip.first])
        yield
        try:
            with self.keeper.open(clip.first) as keep:
                for result in forward_pieces(tokenizer, clip, self.device, self.supervision):
                    if not all(_are_finite(result.reconstruction)):
                        raise NonFiniteReconstruction(_describe_non_finite(result.reconstruction[0], num_scored))
                    batch = self._window_batch(tokenizer, result, 0)
                    for measurement in measured:
                        measurement.add(batch)
                    keep(batch)
                    num_scored += result.reconstruction.shape[2]
                    timing = {**result.timing, "warm": float(self._warm)}
                    # Each piece has its own time.
                    self._note([clip.first])
                    yield
        except Exception as error:
            self._commit_failure(clip.first, _reason(error))
            return
        self._warm = True
        records = [record for measurement in measured for record in self._records(measurement, clip.first)]
        self.sink.record(*self._with_row(clip.first, timing, records, clip.note))
        self.progress.advance(1, 0)

    def _note(self, clips: Sequence[Clip]) -> None:
        """Note what is about to be worked on, for who finds this process gone."""
        self.sink.note([self.row(clip, status="failed") for clip in clips if not self._is_done(clip)])

    def _commit_failure(self, clip: Clip, reason: str) -> None:
        if not self._is_done(clip):
            self.sink.record(self.row(clip, status="failed", reason=reason))
            self.progress.advance(1, 1)

    def row(
        self,
        clip: Clip | FailedClip,
        *,
        status: Literal["scored", "failed"],
        reason: str = "",
        timing: dict[str, float] | None = None,
        note: str = "",
    ) -> Row:
        """What the ledger is to hold of a window."""
        return Row(
            cell_id=self.cell_id,
            source=clip.source,
            window=clip.window.index,
            content_id=clip.content_id,
            frame_ids=clip.window.frame_ids,
            fps=clip.fps if isinstance(clip, Clip) else 0.0,
            reader=clip.reader,
            status=status,
            reason=reason,
            timing=timing or {},
            machine=self.machine,
            run_id=self.run_id,
            note=note,
            worker=self.worker,
        )

    def _scored(self, clip: Clip, batch: WindowBatch, timing: dict[str, float]) -> list[WindowRecord]:
        """What is to be kept of a window that came whole."""
        records: list[Measurement | ReferenceMeasurement] = []
        for metric in self._wanted(clip):
            measurement = self._piece_measurement(metric, clip)
            measurement.add(batch)
            records += self._records(measurement, clip)
        with self.keeper.open(clip) as keep:
            keep(batch)
        return self._with_row(clip, timing, records, clip.note)

    def _known(self, clip: Clip) -> KnownWindow | None:
        known = self.known.get((clip.source, clip.window.index))
        return known if known is not None and known.is_current(clip.content_id, clip.window) else None

    def _wanted(self, clip: Clip) -> list[Metric]:
        """The metrics whose measurements the ledger lacks."""
        known = self._known(clip)
        present = known.measurements if known is not None else frozenset()
        return [metric for metric in self.metrics if metric.measurement_key not in present]

    def _with_row(
        self,
        clip: Clip,
        timing: dict[str, float],
        measurements: Sequence[Measurement | ReferenceMeasurement],
        note: str,
    ) -> list[WindowRecord]:
        """A window's measurements, and its row where the ledger has none that is scored."""
        known = self._known(clip)
        if known is not None and known.row.status == "scored":
            return list(measurements)
        return [self.row(clip, status="scored", timing=timing, note=note), *measurements]

    def _window_batch(self, tokenizer: VideoTokenizer, result: ForwardResult, index: int) -> WindowBatch:
        reference = result.reference[index : index + 1]
        reconstruction = result.reconstruction[index : index + 1].clamp(-1, 1)
        if self.protocol.round_to_uint8:
            reference, reconstruction = _round_to_uint8(reference), _round_to_uint8(reconstruction)
        with plugin_code(), self.supervision.step("the tokenizer's encoding or spec"):
            return WindowBatch(reference, reconstruction, result.encoded.select(index), tokenizer.spec)

    def _piece_measurement(self, metric: Metric, clip: Clip) -> PieceMeasurement:
        wants_reference = metric.needs == "features" and not self.sink.has_reference(
            self._reference(clip), metric.measurement_key
        )
        return PieceMeasurement(metric, clip_length(metric, self.protocol), with_reference=wants_reference)

    def _records(self, measurement: PieceMeasurement, clip: Clip) -> list[Measurement | ReferenceMeasurement]:
        """What is to be kept of a window that was measured."""
        records = measurement.record(self.cell_id, clip, self._reference(clip))
        if any(isinstance(record, Measurement) and is_fault(record.reason) for record in records):
            self.faulty_metrics.add(measurement.metric.name)
        return records

    def _reference(self, clip: Clip) -> str:
        reader = versioned_reader(clip.reader, self.versions)
        return reference_identity(clip.content_id, clip.window.frame_ids, self.protocol.hash, reader)


def windows_that_fit(used: int | None, peak: float | None, free: int | None) -> int:
    """Windows whose forward pass fits the memory of a device together; 1 where that isn't known, as on a CPU.

    Args:
        used: bytes that were in use before the pass of one window.
        peak: most bytes in use during it.
        free: bytes that are free after it.
    """
    if used is None or peak is None or free is None or peak <= used:
        return 1
    return max(1, min(MOST_WINDOWS, int(MEMORY_SHARE * free / (peak - used))))


def piece_frames(tokenizer: VideoTokenizer, metrics: Sequence[Metric], protocol: Protocol) -> int | None:
    """Frames in which a stream should give long windows; ``None`` if they must come whole.

    They come in pieces where the tokenizer works in chunks, and every metric is piecewise or takes clips.
    """
    streams = isinstance(tokenizer, StreamingTokenizer) and tokenizer.can_stream
    takes_pieces = [metric.piecewise or clip_length(metric, protocol) for metric in metrics]
    return PIECE_FRAMES if streams and all(takes_pieces) else None


def _of_one_shape(clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    """Clips of a batch that can be stacked, in order."""
    for _, group in itertools.groupby(clips, key=lambda clip: clip.video.shape):
        yield list(group)


def _round_to_uint8(video: Tensor) -> Tensor:
    return ((video + 1) * 127.5).round() / 127.5 - 1


class NonFiniteReconstruction(ValueError):
    """A reconstruction with values that aren't numbers, or infinite."""


def _reason(error: Exception) -> str:
    if isinstance(error, OutOfMemory):
        return f"out of memory with one window in the batch: {error}"
    if isinstance(error, (UnreadableVideo, NonFiniteReconstruction)):
        return str(error)
    return describe(error)


def _are_finite(reconstruction: Tensor) -> list[bool]:
    """Whether each clip of (B, 3, T, H, W) is without NaN and infinite values; both show in its extremes."""
    extremes = torch.stack([torch.stack(clip.aminmax()) for clip in reconstruction])
    return extremes.isfinite().all(dim=1).tolist()


def _describe_non_finite(reconstruction: Tensor, start: int = 0) -> str:
    bad = ~reconstruction.isfinite()
    frames = (bad.any(dim=0).flatten(1).any(dim=1).nonzero().flatten() + start).tolist()
    return f"the reconstruction holds {int(bad.sum())} NaN or infinite values, in frames {frames[:5]}"
