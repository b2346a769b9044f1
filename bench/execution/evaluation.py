"""Evaluation of one cell: clips stream in, rows and measurements are committed as they come."""

from __future__ import annotations

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
from ..ledger.in_flight import write_in_flight
from ..ledger.ledger import Ledger
from ..ledger.records import Measurement, ReferenceMeasurement, Row
from ..metrics.interface import Metric, WindowBatch
from ..planning.cell import reference_identity, versioned_reader
from . import provenance
from .clip_cutting import clip_length
from .forward import ForwardResult, OutOfMemory, forward, forward_pieces
from .long_windows import PIECE_FRAMES, LongClip, PieceMeasurement, gather_pieces
from .progress import Progress
from .reconstructions import ReconstructionKeeper
from .supervision import Supervision


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
    device: torch.device
    progress: Progress
    keeper: ReconstructionKeeper
    batch_size: int = 1
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
        for item in self._batches(gather_pieces(stream)):
            if isinstance(item, LongClip):
                assert isinstance(tokenizer, StreamingTokenizer)
                self._evaluate_long(tokenizer, item)
            elif isinstance(item, FailedClip):
                if self.needs_nothing(item.source, item.content_id, item.window):
                    continue
                self.ledger.record(self._row(item, fps=0.0, status="failed", reason=item.reason))
                self.progress.advance(1, 1)
            else:
                self._evaluate(tokenizer, item)

    def piece_frames(self, tokenizer: VideoTokenizer) -> int | None:
        """Frames in which a stream should give long windows: see :func:`piece_frames`."""
        return piece_frames(tokenizer, self.metrics, self.protocol)

    def _batches(self, stream: Iterable[Clip | FailedClip | LongClip]) -> Iterator[list[Clip] | FailedClip | LongClip]:
        pending: list[Clip] = []
        for item in stream:
            if not isinstance(item, Clip):
                yield item
                continue
            if pending and (pending[0].video.shape != item.video.shape or len(pending) >= self.batch_size):
                yield pending
                pending = []
            pending.append(item)
            if len(pending) >= self.batch_size:
                yield pending
                pending = []
        if pending:
            yield pending

    def _evaluate(self, tokenizer: VideoTokenizer, clips: list[Clip]) -> None:
        self._note(clips)
        try:
            with self.supervision.forward():
                result = forward(tokenizer, clips, self.device)
        except OutOfMemory as error:
            if len(clips) == 1:
                self._commit_failure(clips[0], _reason(error))
                return
            # The halves may halve the batch size again.
            half = self.batch_size = max(1, len(clips) // 2)
            self.progress.message(f"out of memory at {len(clips)} windows a batch: going on with {half}")
            for start in range(0, len(clips), half):
                self._evaluate(tokenizer, clips[start : start + half])
            return
        except Exception as error:
            if len(clips) == 1:
                self._commit_failure(clips[0], _reason(error))
                return
            for clip in clips:
                self._evaluate(tokenizer, [clip])
            return
        timing = {**result.timing, "warm": float(self._warm)}
        self._warm = True
        finite = result.reconstruction.isfinite().flatten(1).all(dim=1).tolist()
        for index, clip in enumerate(clips):
            if not finite[index]:
                self._commit_failure(clip, _describe_non_finite(result.reconstruction[index]))
                continue
            try:
                batch = self._window_batch(tokenizer, result, index)
            except Exception as error:
                # An encoding may hold anything at all.
                self._commit_failure(clip, _reason(error))
                continue
            self._commit_scored(clip, batch, timing)

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
