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
from ..catalog.broken_metric import NOT_AGAIN, is_fault
from ..catalog.plugin_code import describe, plugin_code
from ..ledger.errors import LedgerError
from ..ledger.records import Measurement, ReferenceMeasurement, Row
from ..metrics.interface import Metric, WindowBatch
from ..planning.cell import reference_identity, versioned_reader
from . import provenance
from .batches import AS_MANY_AS_FIT, group_batches, windows_that_fit
from .clip_cutting import clip_length
from .device import Device, OutOfMemory
from .engines.row_sink import RowSink, WindowRecord
from .engines.work_units import Place, WorkUnits
from .forward import ForwardResult, forward, forward_pieces
from .known_windows import KnownWindow
from .long_windows import LongClip, PieceMeasurement, gather_pieces, piece_frames
from .look_ahead import Batch, LookAhead
from .progress import Progress
from .reconstruction_checks import NonFiniteReconstruction, are_finite, describe_non_finite
from .reconstructions import ReconstructionKeeper
from .supervision import Supervision


@dataclass(frozen=True)
class _FailedPass:
    """A forward pass without a result."""

    reason: str
    lacks_memory: bool


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
    """Whether windows that failed are tried again, and metrics that failed on a window."""
    on_corrupt: OnCorrupt = "fail"
    supervision: Supervision = field(default_factory=Supervision)
    versions: Mapping[str, str] = field(default_factory=lambda: provenance.package_versions())
    """Versions of packages, by name: features of references are kept by that of the package that decoded them."""
    faulty_metrics: set[str] = field(default_factory=set)
    """Names of metrics whose own code fails on a window."""
    worker: str = ""
    """Who evaluates, where it isn't the process that writes the ledger."""
    _warm: bool = False

    def __post_init__(self) -> None:
        for known in self.known.values() if not self.retry_failed else ():
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
        return not self._is_refused(known.row) and not self._lacking(known)

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
                self._commit_failure(item, item.reason)
            elif not all(map(self._is_done, item.clips)):
                yield from self._evaluate(tokenizer, item, items)
            yield

    def piece_frames(self, tokenizer: VideoTokenizer) -> int | None:
        """Frames in which a stream should give long windows: see :func:`piece_frames`."""
        return piece_frames(tokenizer, self.metrics, self.protocol)

    def _staged(self, stream: Iterable[Clip | FailedClip | LongClip]) -> Iterator[Batch | FailedClip | LongClip]:
        for item in group_batches(stream, self.units):
            yield Batch.of(item, self.device) if isinstance(item, list) else item

    @property
    def largest_batch(self) -> int:
        """Windows in a forward pass, as far as that is known: the most of those scored before, else 1."""
        if self.batch_size != AS_MANY_AS_FIT:
            return self.batch_size
        return max((int(known.row.timing.get("batch_size", 1)) for known in self.known.values()), default=1)

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
        result = self._forward(tokenizer, batch, items)
        if isinstance(result, _FailedPass):
            yield from self._evaluate_smaller(tokenizer, clips, result, items)
            return
        self.sink.forward_is_over()
        yield
        timing = {**result.timing, "warm": float(self._warm)}
        self._warm = True
        finite = are_finite(result.reconstruction)
        records: list[WindowRecord] = []
        num_failed = 0
        wanted = [index for index, clip in enumerate(clips) if not self._is_done(clip)]
        for index in wanted:
            try:
                if not finite[index]:
                    raise NonFiniteReconstruction(describe_non_finite(result.reconstruction[index]))
                window = self._window_batch(tokenizer, result, index)
            except Exception as error:
                # An encoding may hold anything at all.
                records += self.failure(self.row(clips[index], status="failed", reason=_reason(error)))
                num_failed += 1
            else:
                records += self._measured(clips[index], window, timing)
        self.sink.record(*records)
        self.progress.advance(len(wanted), num_failed)

    def _forward(self, tokenizer: VideoTokenizer, batch: Batch, items: LookAhead) -> ForwardResult | _FailedPass:
        """Encode and decode a batch while the next one is fetched; the first pass may decide the batch size."""
        used = self.device.used_bytes()
        decides_batch_size = self.batch_size == AS_MANY_AS_FIT

        def fetch() -> None:
            with self.supervision.waiting():
                items.fetch()

        # A batch that is copied ahead would lessen the memory by which the size is decided.
        meanwhile = fetch if self.device.copies_ahead and not decides_batch_size else None
        try:
            with self.supervision.forward():
                result = forward(tokenizer, list(batch.clips), self.device, staged=batch.staged, meanwhile=meanwhile)
        except Exception as error:
            failed = _FailedPass(_reason(error), isinstance(error, OutOfMemory))
        else:
            if decides_batch_size:
                self.batch_size = windows_that_fit(used, result.timing.get("peak_bytes"), self.device.free_bytes())
                self.progress.message(f"{self.batch_size} windows a batch")
            return result
        # Outside the handler, whose error holds on to the tensors of the failed pass.
        if failed.lacks_memory:
            items.drop_copy()
            self.device.release()
        return failed

    def _evaluate_smaller(
        self, tokenizer: VideoTokenizer, clips: list[Clip], failed: _FailedPass, items: LookAhead
    ) -> Iterator[None]:
        """Compute a batch whose pass failed in halves, where memory ran out, or else window by window."""
        if len(clips) == 1:
            self._commit_failure(clips[0], failed.reason)
        elif failed.lacks_memory:
            self.batch_size = max(1, len(clips) // 2)
            self.progress.message(f"out of memory at {len(clips)} windows a batch: going on with {self.batch_size}")
            yield from self._evaluate_parts(tokenizer, clips, items)
        else:
            for clip in clips:
                if not self._is_done(clip):
                    yield from self._evaluate(tokenizer, Batch.of([clip], self.device), items)
                    yield

    def _measured(self, clip: Clip, window: WindowBatch, timing: dict[str, float]) -> list[WindowRecord]:
        """What is to be kept of one window of a batch."""
        records: list[Measurement | ReferenceMeasurement] = []
        for metric in self._wanted(clip):
            measurement = self._piece_measurement(metric, clip)
            measurement.add(window)
            records += self._records(measurement, clip)
        with self.keeper.open(clip) as keep:
            keep(window)
        return self._with_row(clip, timing, records, clip.note)

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
                    if not all(are_finite(result.reconstruction)):
                        raise NonFiniteReconstruction(describe_non_finite(result.reconstruction[0], num_scored))
                    batch = self._window_batch(tokenizer, result, 0)
                    for measurement in measured:
                        measurement.add(batch)
                    keep(batch)
                    num_scored += result.reconstruction.shape[2]
                    timing = {**result.timing, "warm": float(self._warm)}
                    # Each piece has its own time.
                    self._note([clip.first])
                    yield
        except LedgerError:
            # A full disk is no failure of the window.
            raise
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

    def _commit_failure(self, clip: Clip | FailedClip, reason: str) -> None:
        if not self._is_done(clip):
            self.sink.record(*self.failure(self.row(clip, status="failed", reason=reason)))
            self.progress.advance(1, 1)

    def failure(self, row: Row) -> list[Row | Measurement]:
        """What the ledger is to hold of a window that failed: the row, or why a score that is there lacks metrics."""
        known = self.known.get(row.key)
        if known is None or not known.is_current(row.content_id, Window(row.window, row.frame_ids)):
            return [row]
        if known.row.status == "failed" or self._is_refused(known.row):
            return [row]
        lacking = [metric.measurement_key for metric in self._lacking(known)]
        return [Measurement(self.cell_id, *row.key, key, b"", f"{NOT_AGAIN}: {row.reason}") for key in lacking]

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

    def _known(self, clip: Clip) -> KnownWindow | None:
        known = self.known.get((clip.source, clip.window.index))
        return known if known is not None and known.is_current(clip.content_id, clip.window) else None

    def _wanted(self, clip: Clip) -> list[Metric]:
        """The metrics that are to measure a window."""
        known = self._known(clip)
        return self.metrics if known is None else self._lacking(known)

    def _lacking(self, known: KnownWindow) -> list[Metric]:
        """The metrics whose measurements the ledger lacks of a window."""
        present = known.successes if self.retry_failed else known.measurements
        return [metric for metric in self.metrics if metric.measurement_key not in present]

    def _is_refused(self, row: Row) -> bool:
        """Whether a score doesn't count, because it rests on damaged frames."""
        return bool(row.note) and self.on_corrupt == "fail"

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


def _round_to_uint8(video: Tensor) -> Tensor:
    return ((video + 1) * 127.5).round() / 127.5 - 1


def _reason(error: Exception) -> str:
    if isinstance(error, OutOfMemory):
        return f"out of memory with one window in the batch: {error}"
    if isinstance(error, (UnreadableVideo, NonFiniteReconstruction)):
        return str(error)
    return describe(error)
