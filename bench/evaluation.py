"""Evaluation of one cell: clips stream in, rows and measurements are committed as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol as TypingProtocol

import torch
from torch import Tensor

from ..datasets.interface import Clip, FailedClip, Window
from ..datasets.protocol import Protocol
from ..tokenizers.interface import VideoTokenizer
from .cell import reference_identity
from .forward import ForwardResult, OutOfMemory, forward
from .ledger import Ledger, pack_arrays
from .metrics.interface import Metric, WindowBatch
from .reconstructions import ReconstructionKeeper
from .records import Measurement, ReferenceMeasurement, Row


class Progress(TypingProtocol):
    """Who is told how a run goes on."""

    def advance(self, windows: int, failed: int) -> None:
        """So many windows are committed, so many of them failed."""

    def message(self, text: str) -> None:
        """Something the user should know, such as a halved batch."""


@dataclass(frozen=True)
class KnownWindow:
    """What the ledger already has of a window."""

    row: Row
    measurements: frozenset[str]

    def is_current(self, content_id: str, window: Window) -> bool:
        """Whether the row was computed from these very frames."""
        return self.row.content_id == content_id and self.row.frame_ids == window.frame_ids


@dataclass
class Evaluation:
    """Runs one tokenizer over a stream of clips into the ledger."""

    cell: str
    """Forward identity."""
    run: str
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
    _warm: bool = False

    def needs_nothing(self, source: str, content_id: str, window: Window) -> bool:
        """Whether the ledger has all that is asked of a window: the clip stream's ``skip``."""
        known = self.known.get((source, window.index))
        if known is None or not known.is_current(content_id, window):
            return False
        if known.row.status == "failed":
            return not self.retry_failed
        return {metric.measurement_key for metric in self.metrics} <= known.measurements

    def run_stream(self, tokenizer: VideoTokenizer, stream: Iterable[Clip | FailedClip]) -> None:
        """Evaluate every clip; what fails is a row with a reason."""
        for item in self._batches(stream):
            if isinstance(item, FailedClip):
                if self.needs_nothing(item.source, item.content_id, item.window):
                    continue
                self.ledger.record(self._failed_row(item, item.reader, 0.0, item.reason))
                self.progress.advance(1, 1)
            else:
                self._evaluate(tokenizer, item)

    def _batches(self, stream: Iterable[Clip | FailedClip]) -> Iterator[list[Clip] | FailedClip]:
        pending: list[Clip] = []
        for item in stream:
            if isinstance(item, FailedClip):
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
        try:
            result = forward(tokenizer, clips, self.device)
        except OutOfMemory as error:
            if len(clips) == 1:
                self._commit_failure(clips[0], f"out of memory with one window in the batch: {error}")
                return
            self.batch_size = max(1, len(clips) // 2)
            self.progress.message(f"out of memory at {len(clips)} windows a batch: going on with {self.batch_size}")
            for start in range(0, len(clips), self.batch_size):
                self._evaluate(tokenizer, clips[start : start + self.batch_size])
            return
        except Exception as error:
            if len(clips) == 1:
                self._commit_failure(clips[0], f"{type(error).__name__}: {error}")
                return
            for clip in clips:
                self._evaluate(tokenizer, [clip])
            return
        timing = {**result.timing, "warm": float(self._warm)}
        self._warm = True
        finite = result.reconstruction.isfinite().flatten(1).all(dim=1).tolist()
        for index, clip in enumerate(clips):
            if finite[index]:
                self._commit_scored(clip, self._window_batch(tokenizer, result, index), timing)
            else:
                self._commit_failure(clip, _describe_non_finite(result.reconstruction[index]))

    def _commit_failure(self, clip: Clip, reason: str) -> None:
        self.ledger.record(self._failed_row(clip, clip.reader, clip.fps, reason))
        self.progress.advance(1, 1)

    def _failed_row(self, clip: Clip | FailedClip, reader: str, fps: float, reason: str) -> Row:
        return Row(
            cell=self.cell,
            source=clip.source,
            window=clip.window.index,
            content_id=clip.content_id,
            frame_ids=clip.window.frame_ids,
            fps=fps,
            reader=reader,
            status="failed",
            reason=reason,
            timing={},
            machine=self.machine,
            run=self.run,
        )

    def _commit_scored(self, clip: Clip, batch: WindowBatch, timing: dict[str, float]) -> None:
        known = self.known.get((clip.source, clip.window.index))
        current = known is not None and known.is_current(clip.content_id, clip.window)
        present = known.measurements if known is not None and current else frozenset()
        wanted = [metric for metric in self.metrics if metric.measurement_key not in present]
        records: list[Row | Measurement | ReferenceMeasurement] = []
        if not (known is not None and current and known.row.status == "scored"):
            row = self._failed_row(clip, clip.reader, clip.fps, "")
            records.append(replace(row, status="scored", timing=timing))
        for metric in wanted:
            records.extend(self._measure(metric, batch, clip))
        self.keeper.keep(clip, batch)
        self.ledger.record(*records)
        self.progress.advance(1, 0)

    def _window_batch(self, tokenizer: VideoTokenizer, result: ForwardResult, index: int) -> WindowBatch:
        reference = result.reference[index : index + 1]
        reconstruction = result.reconstruction[index : index + 1].clamp(-1, 1)
        if self.protocol.round_to_uint8:
            reference, reconstruction = _round_to_uint8(reference), _round_to_uint8(reconstruction)
        return WindowBatch(reference, reconstruction, result.encoded.select(index), tokenizer.spec)

    def _measure(self, metric: Metric, batch: WindowBatch, clip: Clip) -> list[Measurement | ReferenceMeasurement]:
        place = (self.cell, clip.source, clip.window.index, metric.measurement_key)
        records: list[Measurement | ReferenceMeasurement] = []
        try:
            records.append(Measurement(*place, arrays=pack_arrays(metric.measure(batch)[0])))
            reference = reference_identity(clip.content_id, clip.window.frame_ids, self.protocol.hash)
            if metric.needs == "features" and not self.ledger.has_reference(reference, metric.measurement_key):
                arrays = pack_arrays(metric.measure_reference(batch.reference)[0])
                records.append(ReferenceMeasurement(reference, metric.measurement_key, arrays))
        except Exception as error:
            return [Measurement(*place, arrays=b"", reason=f"{type(error).__name__}: {error}")]
        return records


def _round_to_uint8(video: Tensor) -> Tensor:
    return ((video + 1) * 127.5).round() / 127.5 - 1


def _describe_non_finite(reconstruction: Tensor) -> str:
    bad = ~reconstruction.isfinite()
    frames = bad.any(dim=0).flatten(1).any(dim=1).nonzero().flatten().tolist()
    return f"the reconstruction holds {int(bad.sum())} NaN or infinite values, in frames {frames[:5]}"
