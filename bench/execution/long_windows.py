"""Long windows, piece by piece: what the clip stream gives of them, and how their measurements are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor

from ...datasets.interface import Clip, FailedClip, UnreadableVideo
from ...datasets.protocol import Protocol
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.broken_metric import NO_MEMORY, failure_reason, metric_code
from ..catalog.plugin_code import describe
from ..ledger.ledger import pack_arrays
from ..ledger.records import Measurement, ReferenceMeasurement
from ..metrics.interface import Arrays, Metric, WindowBatch
from .clip_cutting import ClipCutter, clip_length
from .device import is_out_of_memory

PIECE_FRAMES = 64
"""Frames of a long window that are decoded at once; shorter windows come whole."""
JOINED_PIECES = 64
"""So many pieces' arrays are put together at a time, so that sparse counts don't pile up."""


def piece_frames(tokenizer: VideoTokenizer, metrics: Sequence[Metric], protocol: Protocol) -> int | None:
    """Frames in which a stream should give long windows; ``None`` if they must come whole.

    They come in pieces where the tokenizer works in chunks, and every metric is piecewise or takes clips.
    """
    streams = isinstance(tokenizer, StreamingTokenizer) and tokenizer.can_stream
    takes_pieces = [metric.piecewise or clip_length(metric, protocol) for metric in metrics]
    return PIECE_FRAMES if streams and all(takes_pieces) else None


class LongClip:
    """A window that comes in several clips."""

    def __init__(self, first: Clip, following: Iterator[Clip | FailedClip]):
        """Args: ``first`` piece, and the stream that gives the others."""
        self.first = first
        self._following = following
        self._is_complete = False
        self.note = first.note
        """What makes the frames given so far doubtful; empty if nothing does."""

    def pieces(self) -> Iterator[Tensor]:
        """(C, t, H, W) each, in order.

        Raises:
            UnreadableVideo: where a piece couldn't be decoded.
        """
        yield self.first.video
        while not self._is_complete:
            item = next(self._following)
            self._is_complete = isinstance(item, FailedClip) or item.ends_window
            if isinstance(item, FailedClip):
                raise UnreadableVideo(item.reason)
            self.note = self.note or item.note
            yield item.video

    def skip_rest(self) -> None:
        """Take from the stream what is left of the window."""
        while not self._is_complete:
            item = next(self._following)
            self._is_complete = isinstance(item, FailedClip) or item.ends_window


def gather_pieces(stream: Iterable[Clip | FailedClip]) -> Iterator[Clip | FailedClip | LongClip]:
    """The items of a stream, where the pieces of a window are one item; it ends when the next one is asked for."""
    items = iter(stream)
    for item in items:
        if isinstance(item, FailedClip) or item.is_whole:
            yield item
        else:
            clip = LongClip(item, items)
            yield clip
            clip.skip_rest()


class PieceMeasurement:
    """What a metric measures on the pieces of one window, which may be a single one."""

    def __init__(self, metric: Metric, clip_frames: int | None = None, *, with_reference: bool = False):
        """Set up a measurement.

        Args:
            metric: a piecewise one, unless there are clips or a single piece.
            clip_frames: frames of the clips that the window is cut into; ``None``: it is measured as it comes.
            with_reference: whether the reference is measured as well.
        """
        self.metric = metric
        self._cutter = None if clip_frames is None else ClipCutter(clip_frames)
        self._with_reference = with_reference
        self._reason = ""
        self._made: list[Arrays] = []
        self._references: list[Arrays] = []

    def add(self, batch: WindowBatch) -> None:
        """Measure the next piece."""
        if self._reason:
            return
        try:
            for clip in [batch] if self._cutter is None else self._cutter.add(batch):
                with metric_code(self.metric.name, "measure"):
                    made = self.metric.measure(clip)[0]
                self._collect(self._made, made)
                if self._with_reference:
                    with metric_code(self.metric.name, "measure_reference"):
                        made = self.metric.measure_reference(clip.reference)[0]
                    self._collect(self._references, made)
        except Exception as error:
            self._reason = _reason(error)

    def _collect(self, pieces: list[Arrays], made: Arrays) -> None:
        pieces.append(made)
        if len(pieces) >= JOINED_PIECES:
            with metric_code(self.metric.name, "join"):
                pieces[:] = [self.metric.join(pieces)]

    def record(self, cell_id: str, clip: Clip, reference: str) -> list[Measurement | ReferenceMeasurement]:
        """What is to be kept of the window: its arrays and those of its reference, or the reason why there are none.

        Args:
            cell_id: of the tokenizer.
            clip: the window, or its first piece.
            reference: identity of its pixels.
        """
        place = (cell_id, clip.source, clip.window.index, self.metric.measurement_key)
        try:
            if not self._reason:
                if self._cutter is not None:
                    self._cutter.finish()
                records: list[Measurement | ReferenceMeasurement] = []
                records.append(Measurement(*place, arrays=self._packed(self._made)))
                if self._with_reference:
                    arrays = self._packed(self._references)
                    records.append(ReferenceMeasurement(reference, self.metric.measurement_key, arrays))
                return records
        except Exception as error:
            self._reason = _reason(error)
        return [Measurement(*place, arrays=b"", reason=self._reason)]

    def _packed(self, pieces: list[Arrays]) -> bytes:
        with metric_code(self.metric.name, "join"):
            # A window that came whole is kept as it was measured: metrics that aren't piecewise can't join anything.
            is_whole = self._cutter is None and len(pieces) == 1
            return pack_arrays(pieces[0] if is_whole else self.metric.join(pieces))


def _reason(error: Exception) -> str:
    return f"{NO_MEMORY}: {describe(error)}" if is_out_of_memory(error) else failure_reason(error)
