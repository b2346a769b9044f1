"""Evaluation of one cell: clips stream in, rows and measurements are committed as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ...datasets.interface import Clip, FailedClip, OnCorrupt, UnreadableVideo, Window
from ...datasets.protocol import Protocol
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.broken_metric import is_fault
from ..catalog.plugin_code import describe, plugin_code
from ..ledger.in_flight import write_in_flight
from ..ledger.ledger import Ledger
from ..ledger.records import Measurement, ReferenceMeasurement, Row
from ..metrics.interface import Metric, WindowBatch
from ..planning.cell import reference_identity, versioned_reader
from . import provenance
from .clip_cutting import clip_length
from .device import Device, OutOfMemory
from .forward import ForwardResult, forward, forward_pieces
from .long_windows import PIECE_FRAMES, LongClip, PieceMeasurement, gather_pieces
from .look_ahead import Batch, LookAhead
from .progress import Progress
from .reconstructions import ReconstructionKeeper
from .supervision import Supervision

AS_MANY_AS_FIT = 0
"""Batch size: as many windows as fit the device's memory."""
MEMORY_SHARE = 0.8
"""Of the free memory, a batch that is sized by it takes at most so much."""
MOST_WINDOWS = 64
"""Such a batch has at most so many windows."""


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
    ledger: Ledger
    device: Device
    progress: Progress
    keeper: ReconstructionKeeper
    batch_size: int = 1
    """Windows in a forward pass; :data:`AS_MANY_AS_FIT` until the first one showed how much memory a window takes."""
    known: Mapping[tuple[str, int], KnownWindow] = field(default_factory=dict)
    retry_failed: bool = False
    on_corrupt: OnCorrupt = "fail"
    supervision: Supervision = field(default_factory=Supervision)
    versions: Mapping[str, str] = field(default_factory=lambda: provenance.package_versions())
    """Of packages, by name; features of references are kept by that of the reader's."""
    faulty_metrics: set[str] = field(default_factory=set)
    """Names of metrics whose own code fails on a window."""
    _warm: bool = False

    def __post_init__(self) -> None:
        for known in self.known.values():
            self.faulty_metrics |= {m.name for m in self.metrics if is_fault(known.failures.get(m.measurement_key, ""))}

    def needs_nothing(self, source: str, content_id: str, window: Window) -> bool:
        """Whether the ledger has all that is asked of a window: the clip stream's ``skip``."""
        known = self.known.get((source, window.index))
        if known is None or not known.is_current(content_id, window):
            return False
        if known.row.status == "failed":
            return not self.retry_failed
        if known.row.note and self.on_corrupt == "fail":
            return False
        return {metric.measurement_key for metric in self.metrics} <= known.measurements

    def run_stream(self, tokenizer: VideoTokenizer, stream: Iterable[Clip | FailedClip]) -> None:
        """Evaluate every clip; what fails is a row with a reason."""
        items = LookAhead(self._batches(gather_pieces(stream)))
        for item in items:
            if isinstance(item, LongClip):
                assert isinstance(tokenizer, StreamingTokenizer)
                self._evaluate_long(tokenizer, item)
            elif isinstance(item, FailedClip):
                if self.needs_nothing(item.source, item.content_id, item.window):
                    continue
                self.ledger.record(self._row(item, fps=0.0, status="failed", reason=item.reason))
                self.progress.advance(1, 1)
            else:
                self._evaluate(tokenizer, item, items)

    def piece_frames(self, tokenizer: VideoTokenizer) -> int | None:
        """Frames in which a stream should give long windows: see :func:`piece_frames`."""
        return piece_frames(tokenizer, self.metrics, self.protocol)

    def _batches(self, stream: Iterable[Clip | FailedClip | LongClip]) -> Iterator[Batch | FailedClip | LongClip]:
        pending: list[Clip] = []
        for item in stream:
            if not isinstance(item, Clip):
                yield item
                continue
            if pending and (pending[0].video.shape != item.video.shape or len(pending) >= self._num_together):
                yield Batch.of(pending, self.device)
                pending = []
            pending.append(item)
            if len(pending) >= self._num_together:
                yield Batch.of(pending, self.device)
                pending = []
        if pending:
            yield Batch.of(pending, self.device)

    @property
    def _num_together(self) -> int:
        return self.batch_size or 1

    @property
    def largest_batch(self) -> int:
        """Windows in a forward pass, as far as that is known: the most of those scored before, else 1."""
        sizes = [int(known.row.timing.get("batch_size", 1)) for known in self.known.values()]
        return self.batch_size or max(sizes, default=1)

    def _evaluate(self, tokenizer: VideoTokenizer, batch: Batch, items: LookAhead) -> None:
        clips = list(batch.clips)
        if len(clips) > self._num_together:
            # It was put together before memory ran out.
            self._evaluate_parts(tokenizer, clips, items, self._num_together)
            return
        self._note(clips)
        used = self.device.used_bytes()

        def fetch() -> None:
            with self.supervision.waiting():
                items.fetch()

        lacks_memory, reason = False, ""
        try:
            with self.supervision.forward():
                looks_ahead = self.device.copies_ahead and self.batch_size != AS_MANY_AS_FIT
                meanwhile = fetch if looks_ahead else None
                result = forward(tokenizer, clips, self.device, staged=batch.staged, meanwhile=meanwhile)
        except Exception as error:
            lacks_memory, reason = isinstance(error, OutOfMemory), _reason(error)
            result = None
        # Outside the handler, whose error holds on to the tensors of the failed pass.
        if lacks_memory:
            items.drop_copy()
            self.device.release()
        if result is None:
            if len(clips) == 1:
                self._commit_failure(clips[0], reason)
                return
            size = 1
            if lacks_memory:
                # The halves may halve the batch size again.
                size = self.batch_size = max(1, len(clips) // 2)
                self.progress.message(f"out of memory at {len(clips)} windows a batch: going on with {size}")
            self._evaluate_parts(tokenizer, clips, items, size)
            return
        if self.batch_size == AS_MANY_AS_FIT:
            self.batch_size = windows_that_fit(used, result.timing.get("peak_bytes"), self.device.free_bytes())
            self.progress.message(f"{self.batch_size} windows a batch")
        timing = {**result.timing, "warm": float(self._warm)}
        self._warm = True
        finite = result.reconstruction.isfinite().flatten(1).all(dim=1).tolist()
        for index, clip in enumerate(clips):
            if not finite[index]:
                self._commit_failure(clip, _describe_non_finite(result.reconstruction[index]))
                continue
            try:
                window = self._window_batch(tokenizer, result, index)
            except Exception as error:
                # An encoding may hold anything at all.
                self._commit_failure(clip, _reason(error))
                continue
            self._commit_scored(clip, window, timing)

    def _evaluate_parts(self, tokenizer: VideoTokenizer, clips: Sequence[Clip], items: LookAhead, size: int) -> None:
        """Evaluate clips by batches of at most so many."""
        for start in range(0, len(clips), size):
            self._evaluate(tokenizer, Batch.of(clips[start : start + size], self.device), items)

    def _evaluate_long(self, tokenizer: StreamingTokenizer, clip: LongClip) -> None:
        measured = [self._piece_measurement(metric, clip.first) for metric in self._wanted(clip.first)]
        timing: dict[str, float] = {}
        num_scored = 0
        self._note([clip.first])
        try:
            with self.keeper.open(clip.first) as keep:
                for result in forward_pieces(tokenizer, clip, self.device, self.supervision):
                    if not result.reconstruction.isfinite().all():
                        raise NonFiniteReconstruction(_describe_non_finite(result.reconstruction[0], num_scored))
                    batch = self._window_batch(tokenizer, result, 0)
                    for measurement in measured:
                        measurement.add(batch)
                    keep(batch)
                    num_scored += result.reconstruction.shape[2]
                    timing = {**result.timing, "warm": float(self._warm)}
        except Exception as error:
            self._commit_failure(clip.first, _reason(error))
            return
        self._warm = True
        records = [record for measurement in measured for record in self._records(measurement, clip.first)]
        self._commit(clip.first, timing, records, clip.note)

    def _note(self, clips: Sequence[Clip]) -> None:
        """Note what is about to be worked on, for a supervisor who finds this process gone."""
        if self.supervision.is_active:
            rows = [self._row(clip, fps=clip.fps, status="failed") for clip in clips]
            write_in_flight(self.ledger.folder, self.cell_id, rows)

    def _commit_failure(self, clip: Clip, reason: str) -> None:
        self.ledger.record(self._row(clip, fps=clip.fps, status="failed", reason=reason))
        self.progress.advance(1, 1)

    def _row(
        self,
        clip: Clip | FailedClip,
        *,
        fps: float,
        status: Literal["scored", "failed"],
        reason: str = "",
        timing: dict[str, float] | None = None,
        note: str = "",
    ) -> Row:
        return Row(
            cell_id=self.cell_id,
            source=clip.source,
            window=clip.window.index,
            content_id=clip.content_id,
            frame_ids=clip.window.frame_ids,
            fps=fps,
            reader=clip.reader,
            status=status,
            reason=reason,
            timing=timing or {},
            machine=self.machine,
            run_id=self.run_id,
            note=note,
        )

    def _commit_scored(self, clip: Clip, batch: WindowBatch, timing: dict[str, float]) -> None:
        records: list[Measurement | ReferenceMeasurement] = []
        for metric in self._wanted(clip):
            measurement = self._piece_measurement(metric, clip)
            measurement.add(batch)
            records += self._records(measurement, clip)
        with self.keeper.open(clip) as keep:
            keep(batch)
        self._commit(clip, timing, records, clip.note)

    def _known(self, clip: Clip) -> KnownWindow | None:
        known = self.known.get((clip.source, clip.window.index))
        return known if known is not None and known.is_current(clip.content_id, clip.window) else None

    def _wanted(self, clip: Clip) -> list[Metric]:
        """The metrics whose measurements the ledger lacks."""
        known = self._known(clip)
        present = known.measurements if known is not None else frozenset()
        return [metric for metric in self.metrics if metric.measurement_key not in present]

    def _commit(
        self,
        clip: Clip,
        timing: dict[str, float],
        measurements: Sequence[Measurement | ReferenceMeasurement],
        note: str,
    ) -> None:
        rows: list[Row] = []
        known = self._known(clip)
        if known is None or known.row.status != "scored":
            rows.append(self._row(clip, fps=clip.fps, status="scored", timing=timing, note=note))
        self.ledger.record(*rows, *measurements)
        self.progress.advance(1, 0)

    def _window_batch(self, tokenizer: VideoTokenizer, result: ForwardResult, index: int) -> WindowBatch:
        reference = result.reference[index : index + 1]
        reconstruction = result.reconstruction[index : index + 1].clamp(-1, 1)
        if self.protocol.round_to_uint8:
            reference, reconstruction = _round_to_uint8(reference), _round_to_uint8(reconstruction)
        with plugin_code(), self.supervision.step("the tokenizer's encoding or spec"):
            return WindowBatch(reference, reconstruction, result.encoded.select(index), tokenizer.spec)

    def _piece_measurement(self, metric: Metric, clip: Clip) -> PieceMeasurement:
        wants_reference = metric.needs == "features" and not self.ledger.has_reference(
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


def _describe_non_finite(reconstruction: Tensor, start: int = 0) -> str:
    bad = ~reconstruction.isfinite()
    frames = (bad.any(dim=0).flatten(1).any(dim=1).nonzero().flatten() + start).tolist()
    return f"the reconstruction holds {int(bad.sum())} NaN or infinite values, in frames {frames[:5]}"
