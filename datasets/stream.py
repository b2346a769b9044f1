"""The stream of clips: every window of every source, in order, decoded ahead in a child process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import torch

from .cache import ClipCache, clip_key
from .identity import content_id
from .interface import WHOLE_SOURCE, Clip, FailedClip, OnCorrupt, UnreadableVideo, VideoSource, Window
from .lock import Lock
from .protocol import Protocol
from .readers.choice import ReaderChoice
from .readers.interface import ReaderName, VideoFacts
from .readers.worker import DecodeWorker, WorkerLost

SkipRule = Callable[[str, str, Window], bool]
"""(source key, content id, window) → whether the window is left out."""

MAX_LOST_WORKERS = 2
"""After so many time-outs or crashes in a row, the rest of a source is given up."""


@dataclass(frozen=True)
class SourcePlan:
    """A source that could be opened, and its windows."""

    source: VideoSource
    content_id: str
    """SHA-256 of the content, hexadecimal."""
    facts: VideoFacts
    windows: tuple[Window, ...]

    @property
    def num_frames(self) -> int:
        """Frames of the source."""
        return self.facts.num_frames

    @property
    def fps(self) -> float:
        """Average frame rate of the source, frames/s."""
        return self.facts.fps


class ClipStream:
    """Clips and failed clips of some sources under a protocol, ordered by source key and window index.

    Each iteration starts afresh. Leaving an iteration early, :meth:`close` or the end of a ``with`` block stops the
    decoding thread and its child process.
    """

    def __init__(
        self,
        sources: Sequence[VideoSource],
        protocol: Protocol,
        *,
        causal: bool,
        reader: ReaderChoice = "auto",
        prefetch: int = 4,
        timeout_s: float = 120.0,
        cache: ClipCache | None = None,
        max_clips: int | None = None,
        skip: SkipRule | None = None,
        worker: DecodeWorker | None = None,
        piece_frames: int | None = None,
        on_corrupt: OnCorrupt = "fail",
        lock: Lock | None = None,
    ):
        """Set up a stream; nothing is opened yet.

        Args:
            sources: with unique keys, in any order.
            protocol: cuts windows and transforms frames.
            causal: whether windows are of the length that causal tokenizers take.
            reader: see :func:`toklab.datasets.readers.choice.open_reader`.
            prefetch: clips, or pieces of them, that may wait, decoded, for the one who iterates; at least 1.
            timeout_s: seconds that opening a source, or decoding a window, may take.
            cache: where decoded windows are kept, if anywhere.
            max_clips: only the first so many windows, those that ``skip`` leaves out among them.
            skip: windows that are neither decoded nor given.
            worker: decodes in place of a child of the stream's own, and outlives it; ``timeout_s`` is the worker's.
            piece_frames: windows of more frames are given in successive clips of so many; where one can't be decoded,
                a failed clip ends the window. ``None``: every window is one clip.
            on_corrupt: whether windows with damaged frames fail, or are given with a note.
            lock: what the sources must be; those that aren't fail. Locked ones that aren't among ``sources`` aren't
                looked for: see :meth:`toklab.datasets.lock.Lock.with_missing`.

        Raises:
            ValueError: if ``prefetch`` is less than 1 or two sources share a key.
        """
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, not {prefetch}")
        matrix = protocol.colour_matrix
        converted = (replace(source, colour_matrix=matrix) if matrix else source for source in sources)
        self._sources = sorted(converted, key=lambda source: source.key)
        for one, next_one in zip(self._sources, self._sources[1:], strict=False):
            if one.key == next_one.key:
                raise ValueError(f"two sources have the key {one.key!r}")
        self._protocol = protocol
        self._causal = causal
        self._reader: ReaderChoice = reader
        self._prefetch = prefetch
        self._cache = cache
        self._max_clips = max_clips
        self._skip = skip
        self._worker = worker or DecodeWorker(timeout_s)
        self._owns_worker = worker is None
        self._piece_frames = piece_frames
        self._on_corrupt: OnCorrupt = on_corrupt
        self._lock = lock
        self._plans: dict[str, SourcePlan | FailedClip] = {}
        self._iteration: Generator[Clip | FailedClip, None, None] | None = None
        self.num_given = 0
        """Clips given in this iteration."""
        self.num_failed = 0
        """Failed clips given in this iteration; a source that can't be opened counts once."""
        self.num_skipped = 0
        """Windows that ``skip`` left out in this iteration."""

    @property
    def num_windows_total(self) -> int:
        """Windows of the sources planned so far, at most ``max_clips``; all after :meth:`plan`."""
        plans = list(self._plans.values())
        planned = sum(len(plan.windows) for plan in plans if isinstance(plan, SourcePlan))
        return planned if self._max_clips is None else min(planned, self._max_clips)

    def plans(self) -> Iterator[SourcePlan | FailedClip]:
        """Every source in turn, opened when it is asked for, with its windows, whatever ``max_clips`` is."""
        return map(self._plan_source, self._sources)

    def plan(self) -> list[SourcePlan | FailedClip]:
        """Open every source that the stream will come to, and cut its windows, without decoding them.

        Frames are decoded only where the container doesn't tell how many there are.
        """
        plans: list[SourcePlan | FailedClip] = []
        num_left = self._max_clips
        for source in self._sources:
            if num_left is not None and num_left <= 0:
                break
            plan = self._plan_source(source)
            plans.append(plan)
            if num_left is not None and isinstance(plan, SourcePlan):
                num_left -= len(plan.windows)
        return plans

    def __iter__(self) -> Iterator[Clip | FailedClip]:
        self.close()
        self.num_given = self.num_failed = self.num_skipped = 0
        self._iteration = self._iterate()
        return self._iteration

    def close(self) -> None:
        """Stop decoding and end the child process."""
        iteration, self._iteration = self._iteration, None
        if iteration is not None:
            iteration.close()
        if self._owns_worker:
            self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self) -> Generator[Clip | FailedClip, None, None]:
        decoded: queue.SimpleQueue[Clip | FailedClip | BaseException | None] = queue.SimpleQueue()
        free_places = threading.Semaphore(self._prefetch)
        stopped = threading.Event()

        def decode_ahead() -> None:
            try:
                for item in self._decode_all(free_places, stopped):
                    decoded.put(item)
                decoded.put(None)
            except BaseException as error:
                decoded.put(error)

        thread = threading.Thread(target=decode_ahead, name="toklab-clips", daemon=True)
        thread.start()
        exhausted = False
        try:
            while (item := decoded.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, FailedClip):
                    self.num_failed += 1
                elif item.ends_window:
                    self.num_given += 1
                free_places.release()
                yield item
            exhausted = True
        finally:
            stopped.set()
            free_places.release()
            if not exhausted:
                self._worker.kill()
            thread.join()
            if self._owns_worker:
                self._worker.close()

    def _decode_all(self, free_places: threading.Semaphore, stopped: threading.Event) -> Iterator[Clip | FailedClip]:
        num_left = self._max_clips
        for source in self._sources:
            if num_left is not None and num_left <= 0:
                return
            plan = self._plan_source(source)
            if stopped.is_set():
                # The child may have been killed in mid-answer, which says nothing about the source.
                self._plans.pop(source.key)
                return
            if isinstance(plan, FailedClip):
                free_places.acquire()
                yield plan
                continue
            num_lost = 0
            for window in plan.windows[:num_left]:
                if self._skip is not None and self._skip(source.key, plan.content_id, window):
                    self.num_skipped += 1
                    continue
                free_places.acquire()
                if stopped.is_set():
                    return
                if num_lost >= MAX_LOST_WORKERS:
                    reason = f"not tried, because decoding the {num_lost} windows before it timed out or crashed"
                    yield self._failed(plan, window, reason)
                    continue
                try:
                    for number, start in enumerate(self._piece_starts(window)):
                        if number:
                            free_places.acquire()
                        if stopped.is_set():
                            return
                        yield self._decode(plan, window, start)
                    num_lost = 0
                except UnreadableVideo as error:
                    num_lost = num_lost + 1 if isinstance(error, WorkerLost) else 0
                    yield self._failed(plan, window, str(error))
            if num_left is not None:
                num_left -= len(plan.windows)

    def _plan_source(self, source: VideoSource) -> SourcePlan | FailedClip:
        if source.key not in self._plans:
            self._plans[source.key] = self._open(source)
        return self._plans[source.key]

    def _open(self, source: VideoSource) -> SourcePlan | FailedClip:
        identity, reader = "", self._reader
        try:
            identity = content_id(source)
            if self._lock is not None:
                self._lock.check(source, identity)
            facts = self._probe(source, identity)
            reader = facts.reader
            windows = self._protocol.windows(facts.num_frames, facts.fps, causal=self._causal)
        except ValueError as error:
            is_gone = self._lock is not None and not source.path.exists()
            reason = f"{error}, but {self._lock.path} lists it" if self._lock is not None and is_gone else str(error)
            return FailedClip(source.key, identity, Window(WHOLE_SOURCE, ()), reader, reason)
        return SourcePlan(source, identity, facts, tuple(windows))

    def _probe(self, source: VideoSource, identity: str) -> VideoFacts:
        known = self._cache.facts if self._cache is not None else {}
        key = (identity, source, self._reader)
        if key not in known:
            known[key] = self._worker.probe(source, self._reader)
        return known[key]

    def _piece_starts(self, window: Window) -> range:
        num_frames = len(window.frame_ids)
        return range(0, num_frames, self._piece_frames or num_frames)

    def _decode(self, plan: SourcePlan, window: Window, start: int) -> Clip:
        frame_ids = window.frame_ids[start : start + (self._piece_frames or len(window.frame_ids))]

        def key(reader: ReaderName) -> str:
            return clip_key(plan.source, plan.content_id, self._protocol.hash, frame_ids, reader)

        reader = plan.facts.reader
        damage = ""
        video = self._cache.get(key(reader)) if self._cache is not None else None
        if video is None:
            video, reader, damage = self._worker.decode(plan.source, frame_ids, self._protocol, self._reader)
            if damage and self._on_corrupt == "fail":
                hint = "bring the file anew, or score such windows with --on-corrupt note"
                raise UnreadableVideo(f"{plan.source.path}: {damage}; {hint}")
            if self._cache is not None and not damage:
                self._cache.put(key(reader), video)
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

    def _failed(self, plan: SourcePlan, window: Window, reason: str) -> FailedClip:
        return FailedClip(plan.source.key, plan.content_id, window, plan.facts.reader, reason)
