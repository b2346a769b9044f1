"""Windows cut into clips of one length, for metrics that take features of clips."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...datasets.protocol import Protocol
from ...tokenizers.interface import Encoded
from ..metrics.interface import Metric, MetricError, WindowBatch


def clip_length(metric: Metric, protocol: Protocol) -> int | None:
    """Frames of the clips that windows are cut into for a metric; ``None``: it takes windows as they are.

    A metric's own length comes before the protocol's ``feature_frames``, which is for metrics of features alone.
    """
    if metric.clip_frames is not None or metric.needs != "features":
        return metric.clip_frames
    return protocol.feature_frames


class ClipCutter:
    """Cuts the successive pieces of a window into clips, and holds less than a clip in between."""

    def __init__(self, num_frames: int):
        """Args: frames of a clip."""
        self.num_frames = num_frames
        self._rest: WindowBatch | None = None
        self._num_given = 0

    def add(self, piece: WindowBatch) -> Iterator[WindowBatch]:
        """The clips that are complete with this piece, in order, with an empty encoding; all are to be taken."""
        videos = [piece.reference, piece.reconstruction]
        if self._rest is not None:
            videos = [
                torch.cat(pair, 2)
                for pair in zip((self._rest.reference, self._rest.reconstruction), videos, strict=True)
            ]
        end = videos[0].shape[2] // self.num_frames * self.num_frames
        for start in range(0, end, self.num_frames):
            reference, reconstruction = (video[:, :, start : start + self.num_frames] for video in videos)
            self._num_given += 1
            yield WindowBatch(reference, reconstruction, Encoded(), piece.spec)
        # A copy, or the rest would hold the memory of the whole piece.
        reference, reconstruction = (video[:, :, end:].clone() for video in videos)
        self._rest = WindowBatch(reference, reconstruction, Encoded(), piece.spec)

    def finish(self) -> None:
        """Raise :class:`MetricError` if the window, which ends here, has no clip."""
        if not self._num_given:
            num_frames = 0 if self._rest is None else self._rest.reference.shape[2]
            raise MetricError(f"a window of {num_frames} frames holds no clip of {self.num_frames}")
