"""Decoding one window of a planned source, or a piece of it, unless it is in the cache."""

from __future__ import annotations

import time

import torch

from .cache import ClipCache, clip_key
from .interface import Clip, OnCorrupt, UnreadableVideo, Window
from .protocol import Protocol
from .readers.choice import ReaderChoice
from .readers.interface import ReaderName
from .readers.worker import DecodeWorker
from .source_plan import SourcePlan

BYTES_PER_PIXEL = 12
"""Three channels, float32."""


class WindowDecoder:
    """Has windows decoded by workers; asked by several threads, each with a worker of its own."""

    def __init__(
        self,
        protocol: Protocol,
        reader: ReaderChoice,
        *,
        cache: ClipCache | None,
        fills_cache: bool,
        piece_frames: int | None,
        on_corrupt: OnCorrupt,
    ):
        """See :class:`toklab.datasets.stream.ClipStream`."""
        self._protocol = protocol
        self._reader: ReaderChoice = reader
        self._cache = cache
        self._fills_cache = fills_cache
        self._piece_frames = piece_frames
        self._on_corrupt: OnCorrupt = on_corrupt

    def starts(self, window: Window) -> range:
        """Where the pieces of a window start in it; 0 alone where it comes whole."""
        num_frames = len(window.frame_ids)
        return range(0, num_frames, self._piece_frames or num_frames)

    def num_bytes(self, plan: SourcePlan, window: Window, start: int) -> int:
        """Bytes of a decoded piece."""
        try:
            height, width = self._protocol.clip_size(plan.facts.height, plan.facts.width)
        except ValueError:
            # Frames too small for the protocol: decoding says so.
            return 0
        return len(self._frame_ids(window, start)) * height * width * BYTES_PER_PIXEL

    def decode(self, plan: SourcePlan, window: Window, start: int, worker: DecodeWorker) -> Clip:
        """The piece of a window that begins at one of :meth:`starts`.

        Raises:
            UnreadableVideo: if it can't be decoded, or is damaged and damaged windows fail.
        """
        frame_ids = self._frame_ids(window, start)

        def key(reader: ReaderName) -> str:
            return clip_key(plan.source, plan.content_id, self._protocol.hash, frame_ids, reader)

        reader = plan.facts.reader
        damage = ""
        video = self._cache.get(key(reader)) if self._cache is not None else None
        if video is None:
            began = time.perf_counter()
            video, reader, damage = worker.decode(plan.source, frame_ids, self._protocol, self._reader)
            spent_s = time.perf_counter() - began
            if damage and self._on_corrupt == "fail":
                hint = "bring the file anew, or score such windows with --on-corrupt note"
                raise UnreadableVideo(f"{plan.source.path}: {damage}; {hint}")
            if self._cache is not None and self._fills_cache and not damage:
                self._cache.put(key(reader), video, made_in_s=spent_s)
        return Clip(
            source=plan.source.key,
            content_id=plan.content_id,
            window=window,
            num_windows=len(plan.windows),
            fps=plan.facts.fps,
            reader=reader,
            video=torch.from_numpy(video),
            start=start,
            sampled_fps=self._protocol.sampled_fps(plan.facts.fps),
            note=damage,
        )

    def _frame_ids(self, window: Window, start: int) -> tuple[int, ...]:
        return window.frame_ids[start : start + (self._piece_frames or len(window.frame_ids))]
