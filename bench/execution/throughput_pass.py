"""The throughput pass: encode and decode again on a window that is scored, while nothing else runs.

It comes after a cell's windows, when no decoder is at work. Several passes warm up, then the window is encoded and
decoded until the median is stable or the time is up.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ...datasets.interface import Clip, FailedClip, UnreadableVideo, Window
from ...datasets.stream import SourcePlan
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.plugin_code import describe
from ..ledger.ledger import Ledger, pack_arrays
from ..ledger.records import Measurement
from ..metrics.interface import Metric
from ..metrics.repetitions import MEASUREMENT, Repetitions
from ..planning.cell import Cell
from ..statistics.order_statistics import median_interval
from .dataset_windows import DatasetWindows
from .forward import OutOfMemory, forward, forward_pieces
from .long_windows import LongClip, gather_pieces
from .preparation import Preparation
from .provenance import software_identity
from .supervision import BUILDING, Supervision

WARM_UPS = 2
CHECKPOINTS = (6, 9, 12, 15, 20, 30)
"""Numbers of repetitions after which the median is examined; the last one ends the pass."""
HALF_WIDTH = 0.03
"""The median is stable where its 95 % interval lies within this share of it, on both sides."""
NUM_PIECES = 2
"""So many pieces of a window that comes in pieces are timed."""
RETRY = "the next `toklab run` tries again"


@dataclass(frozen=True)
class TimedBatch:
    """What a pass encodes and decodes."""

    clips: Sequence[Clip]
    """Whole windows of one shape, or the first pieces of one window."""
    are_pieces: bool = False

    @property
    def num_frames(self) -> int:
        """Frames of each window."""
        return sum(clip.video.shape[1] for clip in (self.clips if self.are_pieces else self.clips[:1]))

    def run(self, tokenizer: VideoTokenizer, device: torch.device, supervision: Supervision) -> Mapping[str, float]:
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


class ThroughputPass:
    """Times the cells of a run, one after the other, within so many seconds for all of them."""

    def __init__(
        self,
        ledger: Ledger,
        preparation: Preparation,
        say: Callable[[str], None],
        machine: str,
        num_cells: int,
        seconds: float,
        supervision: Supervision | None = None,
    ):
        """Set up the pass.

        Args:
            ledger: where repetitions are kept, with the window that was timed.
            preparation: gives the clips.
            say: hears which cell is timed.
            machine: identity of the machine.
            num_cells: cells of the run, which share the time.
            seconds: for all cells.
            supervision: tells a supervisor what is done, and what earlier processes of the run ended in.
        """
        self._ledger = ledger
        self._preparation = preparation
        self._device = preparation.device
        self._say = say
        self._machine = machine
        self._num_cells = num_cells
        self._seconds = seconds
        self._supervision = supervision or Supervision()
        self.num_timed = 0
        """Cells that were timed."""
        self.spent_s = 0.0
        """Seconds that it took so far."""
        self.failed_metrics: set[str] = set()
        """Metrics that a cell lacks because its timing failed."""

    def is_due(
        self, metrics: Sequence[Metric], windows: DatasetWindows, measured: Mapping[tuple[str, int], frozenset[str]]
    ) -> bool:
        """Whether a cell is to be timed: its metrics ask for it, and none of its planned windows was timed.

        Args:
            metrics: that can be computed.
            windows: of the cell's dataset.
            measured: the measurements that the ledger has, by window.
        """
        key = _measurement_key(metrics)
        return bool(key) and not any(key in measured.get(place, ()) for place in windows.places())

    def time(
        self,
        cell: Cell,
        cell_id: str,
        number: int,
        tokenizer: Callable[[], VideoTokenizer],
        metrics: Sequence[Metric],
        windows: DatasetWindows,
        batch_size: int,
        piece_frames: Callable[[VideoTokenizer], int | None],
    ) -> None:
        """Time a cell; where that fails, its speed is unavailable with the reason, and nothing else changes.

        Args:
            cell: as it is planned.
            cell_id: its identity in the ledger.
            number: place of the cell in the run, from 1; the cells after it need time too.
            tokenizer: gives the model, built when it is asked for.
            metrics: that can be computed.
            windows: of the cell's dataset.
            batch_size: windows in a forward pass, at most.
            piece_frames: frames in which a tokenizer takes long windows, if it does.
        """
        places = self._scored(cell_id, windows)[:batch_size]
        if not places:
            return
        self._say(f"timing {number} of {self._num_cells}: {cell.label}")
        start = time.perf_counter()
        share = max(0.0, self._seconds - self.spent_s) / max(1, self._num_cells - number + 1)
        if ended := self._supervision.past.untimed.get(str(number)):
            self._give_up(cell_id, metrics, ended)
            return
        try:
            with self._supervision.timing():
                with self._supervision.step(BUILDING):
                    model = tokenizer()
                    causal, num_frames = model.spec.causal, piece_frames(model)
                batch = self._batch(cell, windows, places, causal, num_frames)
                repetitions = self._repeat_in_memory(model, batch, start + share)
        except Exception as error:
            self._give_up(cell_id, metrics, describe(error))
        else:
            key = _measurement_key(metrics)
            self._ledger.record(Measurement(cell_id, *places[0], key, arrays=pack_arrays(repetitions.to_arrays())))
            self.num_timed += 1
        finally:
            self.spent_s += time.perf_counter() - start

    def _scored(self, cell_id: str, windows: DatasetWindows) -> list[tuple[str, int]]:
        planned = windows.places()
        rows = self._ledger.rows(cell_id)
        return [row.key for row in rows if row.status == "scored" and row.key in planned]

    def _give_up(self, cell_id: str, metrics: Sequence[Metric], reason: str) -> None:
        names = [metric.name for metric in metrics if metric.measurement == MEASUREMENT]
        self.failed_metrics |= set(names)
        reasons = dict.fromkeys(names, (f"the throughput pass failed: {reason}", RETRY))
        known = self._ledger.cell(cell_id)
        assert known is not None
        self._ledger.update_cell(cell_id, unavailable={**known.unavailable, **reasons})

    def _batch(
        self,
        cell: Cell,
        windows: DatasetWindows,
        places: Sequence[tuple[str, int]],
        causal: bool,
        piece_frames: int | None,
    ) -> TimedBatch:
        """The windows at ``places`` that have the first one's shape, or its first pieces; the decoder is idle then."""
        chosen = set(places)
        sources = {source for source, _ in places}
        plans = [plan for plan in windows.plans if isinstance(plan, SourcePlan) and plan.source.key in sources]

        def skip(source: str, content_id: str, window: Window) -> bool:
            return (source, window.index) not in chosen

        found: list[Clip] = []
        with self._preparation.stream(
            cell, replace(windows, plans=plans), causal=causal, skip=skip, piece_frames=piece_frames
        ) as stream:
            for item in gather_pieces(stream):
                if isinstance(item, FailedClip):
                    raise UnreadableVideo(f"{item.source}, window {item.window.index}: {item.reason}")
                if isinstance(item, LongClip):
                    return TimedBatch(_first_pieces(item), are_pieces=True)
                found.append(item)
        return TimedBatch([clip for clip in found if clip.video.shape == found[0].video.shape])

    def _repeat_in_memory(self, tokenizer: VideoTokenizer, batch: TimedBatch, end: float) -> Repetitions:
        """Time a batch; half of it where memory runs out.

        Raises:
            OutOfMemory: if not even one window fits.
        """
        try:
            timings, warm_ups = repeat(
                lambda: {"started_s": time.time(), **batch.run(tokenizer, self._device, self._supervision)}, end
            )
        except OutOfMemory:
            if (half := batch.halved()) is None:
                raise
        else:
            height, width = batch.clips[0].video.shape[-2:]
            return Repetitions.of_passes(
                timings, batch.num_frames, warm_ups, self._machine, software_identity(), (height, width)
            )
        return self._repeat_in_memory(tokenizer, half, end)


def repeat(
    one_pass: Callable[[], Mapping[str, float]], end: float, clock: Callable[[], float] = time.perf_counter
) -> tuple[list[Mapping[str, float]], int]:
    """Timings of passes after warm-up, until the medians are stable or the time is up; and the passes before them.

    At least one pass warms up, and at least one is timed. No other pass begins that isn't likely to end in time.

    Args:
        one_pass: encodes and decodes, and gives ``encode_s`` and ``decode_s``.
        end: when the time is up, in seconds of the clock.
        clock: gives seconds.
    """
    warm_ups, longest = 0, 0.0
    timings: list[Mapping[str, float]] = []

    def timed() -> Mapping[str, float]:
        nonlocal longest
        start = clock()
        timing = one_pass()
        longest = max(longest, clock() - start)
        return timing

    while not warm_ups or (warm_ups < WARM_UPS and clock() + 2 * longest < end):
        timed()
        warm_ups += 1
    while not timings or (clock() + longest < end and not _is_enough(timings)):
        timings.append(timed())
    return timings, warm_ups


def _is_enough(timings: Sequence[Mapping[str, float]]) -> bool:
    count = len(timings)
    if count not in CHECKPOINTS:
        return False
    return count == CHECKPOINTS[-1] or all(
        is_stable([timing[name] for timing in timings]) for name in ("encode_s", "decode_s")
    )


def is_stable(seconds: Sequence[float]) -> bool:
    """Whether the median has an interval, and it lies within :data:`HALF_WIDTH` of the median."""
    found = median_interval(np.array(seconds))
    if found.low is None or found.high is None:
        return False
    return max(found.value - found.low, found.high - found.value) <= HALF_WIDTH * found.value


def _measurement_key(metrics: Sequence[Metric]) -> str:
    """What repetitions are kept under; empty where no metric asks for them."""
    return next((metric.measurement_key for metric in metrics if metric.measurement == MEASUREMENT), "")


def _first_pieces(long: LongClip) -> list[Clip]:
    """The first pieces of a long window, as those of a window of their own."""
    pieces: list[Clip] = []
    num_frames = 0
    for video in itertools.islice(long.pieces(), NUM_PIECES):
        pieces.append(replace(long.first, video=video, start=num_frames))
        num_frames += video.shape[1]
    window = replace(long.first.window, frame_ids=long.first.window.frame_ids[:num_frames])
    return [replace(piece, window=window) for piece in pieces]
