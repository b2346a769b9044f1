"""The stream of clips: every window of every source, in order, decoded ahead in child processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from .cache import ClipCache
from .interface import Clip, ColourMatrix, FailedClip, OnCorrupt, UnreadableVideo, VideoSource, Window
from .lock import Lock
from .ordered_work import Bound, OrderedWork, Reserve
from .protocol import Protocol
from .readers.choice import ReaderChoice
from .readers.worker import DecodeWorker, WorkerLost
from .source_plan import KnownFacts, SourcePlan, SourcePlanner
from .window_decoder import WindowDecoder

Item = TypeVar("Item")

SkipRule = Callable[[str, str, Window], bool]
"""(source key, content id, window) → whether the window is left out."""

BYTES_AHEAD = 128 << 20
"""Bytes of decoded clips that may wait for each worker: ten windows of 17×256×256."""
CLIPS_AHEAD = 4
"""Clips that may wait however large they are."""
MAX_LOST_WORKERS = 2
"""Time-outs or crashes in a row after which the rest of a source is given up."""


class ClipStream:
    """Clips and failed clips of some sources under a protocol, ordered by source key and window index.

    Several workers decode side by side, each a source of its own, so a source that is slow or hangs keeps one of them.
    The order of the clips, and what is in them, don't depend on how many there are.

    Each iteration starts afresh. Leaving an iteration early, :meth:`close` or the end of a ``with`` block stops the
    decoding threads and their child processes.
    """

    def __init__(
        self,
        sources: Sequence[VideoSource],
        protocol: Protocol,
        *,
        causal: bool,
        reader: ReaderChoice = "auto",
        prefetch: int | None = None,
        timeout_s: float = 120.0,
        cache: ClipCache | None = None,
        fills_cache: bool = True,
        max_clips: int | None = None,
        skip: SkipRule | None = None,
        num_workers: int = 1,
        workers: Sequence[DecodeWorker] = (),
        known_facts: KnownFacts | None = None,
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
            prefetch: clips, or pieces of them, that may be decoded ahead of the one who iterates, at least 1; with
                several workers there may be one more. ``None``: as many as :data:`BYTES_AHEAD` hold for each worker,
                and at least :data:`CLIPS_AHEAD`.
            timeout_s: seconds that opening a source, or decoding a window, may take.
            cache: where decoded windows are kept, if anywhere.
            fills_cache: whether further windows are kept there, or only those taken that are there.
            max_clips: only the first so many windows, those that ``skip`` leaves out among them.
            skip: windows that are neither decoded nor given; asked by several threads.
            num_workers: child processes that decode, at least 1.
            workers: decode in place of children of the stream's own, and outlive it; ``num_workers`` and ``timeout_s``
                are theirs.
            known_facts: of sources that aren't opened only to see what they are; what is found is added.
            piece_frames: windows of more frames are given in successive clips of so many; where one can't be decoded,
                a failed clip ends the window. ``None``: every window is one clip.
            on_corrupt: whether windows with damaged frames fail, or are given with a note.
            lock: what the sources must be; those that aren't fail. Locked ones that aren't among ``sources`` aren't
                looked for: see :meth:`toklab.datasets.lock.Lock.with_missing`.

        Raises:
            ValueError: if ``prefetch`` or ``num_workers`` is less than 1, or two sources share a key.
        """
        if prefetch is not None and prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, not {prefetch}")
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, not {num_workers}")
        self._sources = _in_order(sources, protocol.colour_matrix)
        self._max_clips = max_clips
        self._skip = skip
        self._workers = list(workers) or [DecodeWorker(timeout_s) for _ in range(num_workers)]
        self._owns_workers = not workers
        self._bound = Bound(CLIPS_AHEAD, BYTES_AHEAD * len(self._workers)) if prefetch is None else Bound(prefetch)
        self._planner = SourcePlanner(protocol, reader, {} if known_facts is None else known_facts, lock, causal=causal)
        self._decoder = WindowDecoder(
            protocol, reader, cache=cache, fills_cache=fills_cache, piece_frames=piece_frames, on_corrupt=on_corrupt
        )
        self._plans: dict[str, SourcePlan | FailedClip] = {}
        self._iteration: Generator[Clip | FailedClip, None, None] | None = None

    def plans(self) -> Iterator[SourcePlan | FailedClip]:
        """Every source in turn with its windows, whatever ``max_clips`` is; opened a few ahead of what is asked for."""

        def work(number: int, lane: int, reserve: Reserve) -> Iterator[SourcePlan | FailedClip]:
            if reserve(0):
                plan = self._plan_source(self._sources[number], self._workers[lane], ordered)
                if plan is not None:
                    yield plan

        if len(self._workers) == 1:
            return (self._plan_alone(source) for source in self._sources)
        ordered = self._ordered(work, len(self._sources), Bound(2 * len(self._workers)))
        return ordered.results()

    def plan(self) -> list[SourcePlan | FailedClip]:
        """Open every source that the stream will come to, and cut its windows, without decoding them.

        Frames are decoded only where the container doesn't tell how many there are.
        """
        plans: list[SourcePlan | FailedClip] = []
        num_left = self._max_clips
        for source in self._sources:
            if num_left is not None and num_left <= 0:
                break
            plan = self._plan_alone(source)
            plans.append(plan)
            if num_left is not None and isinstance(plan, SourcePlan):
                num_left -= len(plan.windows)
        return plans

    def __iter__(self) -> Iterator[Clip | FailedClip]:
        self.close()
        self._iteration = self._iterate()
        return self._iteration

    def close(self) -> None:
        """Stop decoding and end the child processes."""
        iteration, self._iteration = self._iteration, None
        if iteration is not None:
            iteration.close()
        self._close_workers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self) -> Generator[Clip | FailedClip, None, None]:
        limits = self._limits()

        def work(number: int, lane: int, reserve: Reserve) -> Iterator[Clip | FailedClip]:
            plan = self._plan_source(self._sources[number], self._workers[lane], ordered)
            if isinstance(plan, SourcePlan):
                windows = plan.windows[: limits[number]]
                yield from self._decode_source(plan, windows, self._workers[lane], reserve)
            elif plan is not None and reserve(0):
                yield plan

        ordered = self._ordered(work, len(limits), self._bound)
        results = ordered.results()
        try:
            yield from results
        finally:
            results.close()
            self._close_workers()

    def _limits(self) -> list[int | None]:
        """Of how many windows of each source, in their order; sources that ``max_clips`` leaves out aren't there."""
        if self._max_clips is None:
            return [None] * len(self._sources)
        limits: list[int | None] = []
        num_left = self._max_clips
        for plan in self.plan():
            limits.append(num_left)
            num_left -= len(plan.windows) if isinstance(plan, SourcePlan) else 0
        return limits

    def _ordered(
        self, work: Callable[[int, int, Reserve], Iterator[Item]], num_sources: int, bound: Bound
    ) -> OrderedWork[Item]:
        return OrderedWork(
            num_sources,
            work,
            num_lanes=len(self._workers),
            bound=bound,
            interrupt=lambda lane: self._workers[lane].kill(),
            name="toklab-clips",
        )

    def _close_workers(self) -> None:
        if self._owns_workers:
            for worker in self._workers:
                worker.close()

    def _decode_source(
        self, plan: SourcePlan, windows: Sequence[Window], worker: DecodeWorker, reserve: Reserve
    ) -> Iterator[Clip | FailedClip]:
        num_lost = 0
        for window in windows:
            if self._skip is not None and self._skip(plan.source.key, plan.content_id, window):
                continue
            if num_lost >= MAX_LOST_WORKERS:
                if not reserve(0):
                    return
                reason = f"not tried, because decoding the {num_lost} windows before it timed out or crashed"
                yield _failed(plan, window, reason)
                continue
            try:
                for start in self._decoder.starts(window):
                    if not reserve(self._decoder.num_bytes(plan, window, start)):
                        return
                    yield self._decoder.decode(plan, window, start, worker)
                num_lost = 0
            except UnreadableVideo as error:
                num_lost = num_lost + 1 if isinstance(error, WorkerLost) else 0
                yield _failed(plan, window, str(error))

    def _plan_alone(self, source: VideoSource) -> SourcePlan | FailedClip:
        if source.key not in self._plans:
            self._plans[source.key] = self._planner.plan(source, self._workers[0])
        return self._plans[source.key]

    def _plan_source(
        self, source: VideoSource, worker: DecodeWorker, ordered: OrderedWork[Any]
    ) -> SourcePlan | FailedClip | None:
        """A source with its windows; ``None`` where the work was stopped meanwhile."""
        if source.key not in self._plans:
            plan = self._planner.plan(source, worker)
            # The child may have been killed in mid-answer, which says nothing about the source.
            if ordered.is_stopped:
                return None
            self._plans[source.key] = plan
        return self._plans[source.key]


def _in_order(sources: Sequence[VideoSource], matrix: ColourMatrix | None) -> list[VideoSource]:
    """Sources sorted by key, to be converted by a matrix if one is given."""
    converted = (replace(source, colour_matrix=matrix) if matrix else source for source in sources)
    found = sorted(converted, key=lambda source: source.key)
    for one, next_one in itertools.pairwise(found):
        if one.key == next_one.key:
            raise ValueError(f"two sources have the key {one.key!r}")
    return found


def _failed(plan: SourcePlan, window: Window, reason: str) -> FailedClip:
    return FailedClip(plan.source.key, plan.content_id, window, plan.facts.reader, reason)
