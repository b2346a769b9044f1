"""Training clips from any number of videos: worker processes decode each clip shortly before it is needed."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .clip_order import ClipOrder
from .interface import UnreadableVideo
from .ordered_work import Bound, OrderedWork, Reserve
from .readers.clip_cutter import ClipRequest, CutClip, UnusableVideo
from .readers.worker import DecodeWorker, WorkerLost, WorkerTimeout
from .training_clips import described, synthetic_clip
from .training_data import TrainingData
from .training_videos import TrainingVideo
from .window_decoder import BYTES_PER_PIXEL

MOST_ATTEMPTS = 64
"""Videos that are tried for one clip; if none of them can be used, the training ends."""
BYTES_AHEAD = 512 << 20
"""Bytes of decoded clips that may wait, unless the next batch takes more."""


@dataclass(frozen=True)
class DecodingPace:
    """What the workers have done so far."""

    num_clips: int
    """Clips cut out of videos."""
    num_frames: int
    """Frames of these clips."""
    num_decoded: int
    """Frames decoded for them, those on the way to a clip included."""
    busy_seconds: float
    """Spent on them by all workers together."""
    num_workers: int

    @property
    def frames_per_second(self) -> float:
        """Frames of clips that the workers give in a second when all of them are busy; 0 before the first."""
        return self.num_frames * self.num_workers / self.busy_seconds if self.busy_seconds else 0.0


class StreamedClips:
    """Batches of random clips out of any number of videos, none of which is decoded before it is needed.

    All processes of a training share one global order of clips (:class:`~toklab.datasets.clip_order.ClipOrder`), and
    take disjoint parts of it. A clip follows from the seed and its position in that order alone, so neither the number
    of workers nor where a training was resumed changes it. A video that can't be used is passed over, and so is one
    whose window can't be decoded, at that position alone; another one, drawn for the position, takes its place.

    Args:
        data: how clips are cut.
        batch_size: clips of a batch.
        seed: of everything random.
        videos: where clips come from, see :func:`toklab.datasets.training_videos.training_videos`; at least one.
        synthetic: synthetic clips, see :func:`toklab.datasets.training_clips.synthetic_frames`; none of them is needed
            where ``data.synthetic_share`` is 0.
        num_processes: of the training: each takes every ``num_processes``-th batch of the global order.
        num_workers: child processes that decode for this process of it.
        timeout_s: seconds that a clip may take.
        on_passed_over: called once for each video that is passed over, at one position or at all of them, with the
            first reason; from any thread.

    Raises:
        ValueError: if there is no video, or a number is less than 1.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        seed: int,
        videos: Sequence[TrainingVideo],
        synthetic: np.ndarray | None = None,
        *,
        num_processes: int = 1,
        num_workers: int = 1,
        timeout_s: float = 120.0,
        on_passed_over: Callable[[str], None] | None = None,
    ):
        if not videos or min(batch_size, num_processes, num_workers) < 1:
            raise ValueError("streamed clips need a video, and batches, processes and workers of at least 1")
        self.data = data
        self.batch_size = batch_size
        self.num_processes = num_processes
        self.skipped: list[str] = []
        """Videos that were passed over so far, and why."""
        self._videos = videos
        self._synthetic = synthetic
        self._order = ClipOrder(seed, len(videos), data.synthetic_share if synthetic is not None else 0.0)
        self._workers = [DecodeWorker(timeout_s) for _ in range(num_workers)]
        self._on_passed_over = on_passed_over
        self._starting: list[threading.Thread] = []
        self._failed: dict[int, str] = {}
        """Why a video first failed, by its number."""
        self._unusable: set[int] = set()
        """Videos that fail whichever window is drawn, as a training that is resumed will find, too."""
        self._is_hopeless = False
        self._lock = threading.Lock()
        self._batches: Generator[Tensor, None, None] | None = None
        self._next = (-1, -1)
        self._num_clips = self._num_decoded = 0
        self._busy_seconds = 0.0

    @property
    def description(self) -> str:
        """What the clips come from, in words."""
        num_synthetic = 0 if self._synthetic is None else len(self._synthetic)
        return described(len(self._videos), num_synthetic, self.data.synthetic_share)

    @property
    def pace(self) -> DecodingPace:
        """What the workers have done so far."""
        with self._lock:
            num_frames = self._num_clips * self.data.num_frames
            return DecodingPace(self._num_clips, num_frames, self._num_decoded, self._busy_seconds, len(self._workers))

    def start_workers(self) -> None:
        """Start the child processes now, side by side and without waiting for them: each takes seconds."""

        def start(worker: DecodeWorker) -> None:
            # One that doesn't start fails once more, and says why, when it is needed.
            with contextlib.suppress(RuntimeError, UnreadableVideo):
                worker.start()

        for worker in self._workers:
            self._starting.append(threading.Thread(target=start, args=(worker,), daemon=True))
            self._starting[-1].start()

    def __call__(self, step: int, process: int = 0) -> Tensor:
        """The batch of a step: (B, 3, T, H, W) float32 in [-1, 1].

        Successive steps are decoded ahead; another step than the next one starts afresh.

        Raises:
            UnreadableVideo: if none of :data:`MOST_ATTEMPTS` videos that were drawn for a clip can be used.
        """
        if self._batches is None or (step, process) != self._next:
            self._stop()
            self._batches = self._from(step, process)
        # Set first, so that a failure in a batch isn't followed by the batches after it.
        self._next = (-1, -1)
        batch = next(self._batches)
        self._next = (step + 1, process)
        return batch

    def close(self) -> None:
        """Stop decoding and end the child processes."""
        self._stop()
        for thread in self._starting:
            thread.join()
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stop(self) -> None:
        batches, self._batches = self._batches, None
        if batches is not None:
            batches.close()

    def _from(self, step: int, process: int) -> Generator[Tensor, None, None]:
        """The batches of a process from a step on, without end."""
        num_bytes = self.data.num_frames * self.data.size**2 * BYTES_PER_PIXEL

        def work(number: int, lane: int, reserve: Reserve) -> Iterator[Tensor]:
            batch, place = divmod(number, self.batch_size)
            position = ((step + batch) * self.num_processes + process) * self.batch_size + place
            if reserve(num_bytes):
                clip = self._clip(position, self._workers[lane], lambda: ordered.is_stopped)
                if clip is not None:
                    yield clip

        ordered = OrderedWork(
            sys.maxsize,
            work,
            num_lanes=len(self._workers),
            bound=Bound(self.batch_size + len(self._workers), BYTES_AHEAD),
            interrupt=lambda lane: self._workers[lane].kill(),
            name="toklab-training-clips",
        )
        clips = ordered.results()
        try:
            while True:
                yield torch.stack([next(clips) for _ in range(self.batch_size)])
        finally:
            clips.close()

    def _clip(self, position: int, worker: DecodeWorker, is_stopped: Callable[[], bool]) -> Tensor | None:
        """The clip at a position of the global order, (3, T, H, W) in [-1, 1]; ``None`` where nobody wants it."""
        if self._synthetic is not None and self._order.is_synthetic(position):
            return synthetic_clip(self._synthetic, self.data, self._order.generator(position))
        for attempt in range(0 if self._is_hopeless else MOST_ATTEMPTS):
            number = self._order.video(position, attempt)
            if number in self._unusable:
                continue
            try:
                request = ClipRequest(self.data, self._order.generator(position, attempt))
                cut = self._cut(number, request, worker, is_stopped)
            except UnreadableVideo as error:
                if is_stopped():
                    # The child may have been killed, which says nothing about the video.
                    return None
                self._pass_over(number, error)
                if len(self._unusable) == len(self._videos):
                    break
            else:
                pixels = torch.from_numpy(cut.frames).permute(3, 0, 1, 2)
                return pixels.float().div_(127.5).sub_(1).contiguous()
        # The clips after this one are under way, and would go through as many videos each.
        self._is_hopeless = True
        raise UnreadableVideo(
            f"no clip can be had: {len(self._failed)} of {len(self._videos)} videos can't be used; the first: "
            f"{next(iter(self._failed.values()), '')}"
        )

    def _cut(self, number: int, request: ClipRequest, worker: DecodeWorker, is_stopped: Callable[[], bool]) -> CutClip:
        video = self._videos[number]
        began = time.perf_counter()
        try:
            cut = worker.cut(video, request)
        except WorkerLost:
            if is_stopped():
                raise
            # A machine that is short of time or memory may be to blame, so the video has a second chance.
            cut = worker.cut(video, request)
        with self._lock:
            self._num_clips += 1
            self._num_decoded += cut.num_decoded
            self._busy_seconds += time.perf_counter() - began
        return cut

    def _pass_over(self, number: int, error: UnreadableVideo) -> None:
        with self._lock:
            # A video that hangs would cost every epoch minutes, so one that was too slow twice isn't tried again.
            if isinstance(error, UnusableVideo | WorkerTimeout):
                self._unusable.add(number)
            if number in self._failed:
                return
            path = str(self._videos[number].path)
            reason = str(error) if path in str(error) else f"{self._videos[number].title}: {error}"
            self._failed[number] = reason
            self.skipped.append(reason)
        if self._on_passed_over:
            self._on_passed_over(reason)
