"""What a throughput pass encodes and decodes: windows that are scored, decoded once more."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...datasets.interface import Clip, FailedClip, UnreadableVideo, Window
from ...datasets.source_plan import SourcePlan
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..planning.cell import Cell
from .dataset_windows import DatasetWindows
from .device import Device
from .forward import forward, forward_pieces
from .long_windows import LongClip, gather_pieces
from .preparation import Preparation
from .supervision import Supervision

NUM_PIECES = 2
"""So many pieces of a window that comes in pieces are timed."""


@dataclass(frozen=True)
class TimedBatch:
    """What a pass encodes and decodes."""

    clips: Sequence[Clip]
    """Whole windows of one shape, or the first pieces of one window."""
    are_pieces: bool = False

    @classmethod
    def load(
        cls,
        preparation: Preparation,
        cell: Cell,
        windows: DatasetWindows,
        places: Sequence[tuple[str, int]],
        *,
        causal: bool,
        piece_frames: int | None,
    ) -> TimedBatch:
        """The windows at ``places`` that have the first one's shape, or its first pieces; the decoder is idle then.

        Raises:
            UnreadableVideo: if a window can't be decoded any more.
        """
        chosen = set(places)
        sources = {source for source, _ in places}
        plans = [plan for plan in windows.plans if isinstance(plan, SourcePlan) and plan.source.key in sources]

        def skip(source: str, content_id: str, window: Window) -> bool:
            return (source, window.index) not in chosen

        found: list[Clip] = []
        with preparation.stream(
            cell, replace(windows, plans=plans), causal=causal, skip=skip, piece_frames=piece_frames
        ) as stream:
            for item in gather_pieces(stream):
                if isinstance(item, FailedClip):
                    raise UnreadableVideo(f"{item.source}, window {item.window.index}: {item.reason}")
                if isinstance(item, LongClip):
                    return TimedBatch(_first_pieces(item), are_pieces=True)
                found.append(item)
        return TimedBatch([clip for clip in found if clip.video.shape == found[0].video.shape])

    @property
    def num_frames(self) -> int:
        """Frames of each window."""
        return sum(clip.video.shape[1] for clip in (self.clips if self.are_pieces else self.clips[:1]))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.clips[0].video.shape[-2:]
        return height, width

    def run(self, tokenizer: VideoTokenizer, device: Device, supervision: Supervision) -> Mapping[str, float]:
        """Encode and decode once; gives ``encode_s``, ``decode_s``, ``batch_size`` and ``num_tokens``."""
        if not self.are_pieces:
            with supervision.forward():
                return forward(tokenizer, list(self.clips), device).timing
        assert isinstance(tokenizer, StreamingTokenizer)
        timing: Mapping[str, float] = {}
        for result in forward_pieces(tokenizer, LongClip(self.clips[0], iter(self.clips[1:])), device, supervision):
            timing = result.timing
        return timing

    def halved(self) -> TimedBatch | None:
        """Half of the windows; ``None`` of one."""
        return None if self.are_pieces or len(self.clips) == 1 else TimedBatch(self.clips[: len(self.clips) // 2])


def _first_pieces(long: LongClip) -> list[Clip]:
    """The first pieces of a long window, as those of a window of their own."""
    pieces: list[Clip] = []
    num_frames = 0
    for video in itertools.islice(long.pieces(), NUM_PIECES):
        pieces.append(replace(long.first, video=video, start=num_frames))
        num_frames += video.shape[1]
    window = replace(long.first.window, frame_ids=long.first.window.frame_ids[:num_frames])
    return [replace(piece, window=window) for piece in pieces]
