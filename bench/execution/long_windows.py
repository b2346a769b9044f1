"""Long windows, piece by piece: what the clip stream gives of them, and how their measurements are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from ...datasets.interface import Clip, FailedClip, UnreadableVideo
from ..catalog.broken_metric import failure_reason, metric_code
from ..ledger.ledger import pack_arrays
from ..ledger.records import Measurement
from ..metrics.interface import Arrays, Metric, WindowBatch

PIECE_FRAMES = 64
"""Frames of a long window that are decoded at once; shorter windows come whole."""
JOINED_PIECES = 64
"""So many pieces' arrays are put together at a time, so that sparse counts don't pile up."""


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
    """What a piecewise metric measures on the pieces of one window."""

    def __init__(self, metric: Metric):
        self.metric = metric
        self._reason = ""
        self._pieces: list[Arrays] = []

    def add(self, batch: WindowBatch) -> None:
        """Measure the next piece."""
        if self._reason:
            return
        try:
            with metric_code(self.metric.name, "measure"):
                self._pieces.extend(self.metric.measure(batch))
                if len(self._pieces) >= JOINED_PIECES:
                    self._pieces = [self.metric.join(self._pieces)]
        except Exception as error:
            self._reason = failure_reason(error)

    def record(self, cell_id: str, source: str, window: int) -> Measurement:
        """What is to be kept of the window: its arrays, or the reason why there are none."""
        arrays = b""
        try:
            if not self._reason:
                with metric_code(self.metric.name, "join"):
                    arrays = pack_arrays(self.metric.join(self._pieces))
        except Exception as error:
            self._reason = failure_reason(error)
        return Measurement(cell_id, source, window, self.metric.measurement_key, arrays, self._reason)
