"""The throughput pass: encode and decode again on windows that are scored, while nothing else runs.

It comes after the windows of all cells, when no decoder is at work. The tokenizers of one dataset and protocol are held
in memory together and repeated in turn, so that their speeds can be compared: see :mod:`.rounds`.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...tokenizers.interface import VideoTokenizer
from ..catalog.plugin_code import describe
from ..metrics.interface import Metric
from ..statistics.paired_speeds import rounds_needed
from .dataset_windows import DatasetWindows
from .device import Device, OutOfMemory, is_out_of_memory
from .due_cell import DueCell, peers_of, repetitions_key
from .held_models import BYTES_PER_PARAMETER, held_together
from .known_windows import KnownWindow
from .preparation import Preparation
from .rounds import (
    CHECKPOINTS,
    WARM_UPS,
    Contestant,
    choose_for_turns,
    repeat_alone,
    repeat_in_turn,
    warm_up_each,
)
from .speed_records import RETRY, SpeedRecords
from .supervision import BUILDING, Supervision
from .timed_batch import TimedBatch

TIME_ALONE = "the same command with `--engine local`, on a machine where nothing else runs, adds them"
NOT_YET = "not timed: the run ended before its throughput pass"
ROUNDS_TOO_LONG = "timed alone, because rounds with others took too long"


@dataclass(eq=False)
class _Held:
    """A cell whose model is in memory."""

    due: DueCell
    model: VideoTokenizer
    batch: TimedBatch
    place: tuple[str, int]
    """Window that the repetitions are kept with."""
    contestant: Contestant


class ThroughputPass:
    """Times the cells of a run, in turn where they share a dataset and protocol, within so many seconds for all."""

    def __init__(
        self,
        records: SpeedRecords,
        preparation: Preparation,
        device: Device,
        say: Callable[[str], None],
        seconds: float,
        supervision: Supervision | None = None,
        *,
        untimed: str = "",
    ):
        """Set up the pass.

        Args:
            records: where repetitions are kept, with the window that was timed.
            preparation: gives the clips.
            device: what the models run on.
            say: hears what is timed.
            seconds: of passes, for all cells; building models and decoding windows come on top.
            supervision: tells a supervisor what is done, and what earlier processes of the run ended in.
            untimed: why nothing can be timed here; empty where it can.
        """
        self._untimed = untimed
        self._records = records
        self._preparation = preparation
        self._device = device
        self._say = say
        self._left_s = seconds
        self._supervision = supervision or Supervision()
        self._due: dict[int, DueCell] = {}
        self.num_timed = 0
        """Cells that were timed."""
        self.spent_s = 0.0
        """Seconds that it took."""
        self.failed_metrics: set[str] = set()
        """Metrics that a cell lacks because its timing failed."""

    def is_due(
        self, metrics: Sequence[Metric], windows: DatasetWindows, known: Mapping[tuple[str, int], KnownWindow]
    ) -> bool:
        """Whether a cell is to be timed: its metrics ask for it, and none of its planned windows was timed.

        Args:
            metrics: that can be computed.
            windows: of the cell's dataset.
            known: what the ledger has, by window.
        """
        key = repetitions_key(metrics)
        found = (known.get(place) for place in windows.places()) if key else ()
        return bool(key) and not any(one is not None and key in one.measurements for one in found)

    def add(self, due: DueCell) -> None:
        """Time a cell later, in :meth:`run`; until then its speed is unavailable, and says so."""
        if self._untimed:
            self._records.note(due, self._untimed, TIME_ALONE)
            return
        self._due[due.number] = due
        self._records.note(due, NOT_YET)

    def run(self) -> None:
        """Time the cells; where that fails, a cell's speed is unavailable with the reason, and nothing else changes."""
        start = time.perf_counter()
        cells = list(self._due.values())
        for group in [group for peers in peers_of(cells) for group in self._fitting(peers)]:
            self._time_group(group)
        for due in cells:
            self._records.compact(due)
        self._supervision.tell(cell=None)
        self.spent_s = time.perf_counter() - start

    def _fitting(self, peers: Sequence[DueCell]) -> list[list[DueCell]]:
        """Cells of one dataset and protocol, in groups whose models fit into memory together."""
        sizes = [self._records.num_parameters(due) * BYTES_PER_PARAMETER for due in peers]
        groups = held_together(sizes, self._device.free_bytes())
        if len(groups) > 1:
            self._say(f"not all models fit into memory at once: their speeds are timed in {len(groups)} groups")
        return [[peers[place] for place in group] for group in groups]

    def _time_group(self, group: Sequence[DueCell]) -> None:
        """Time cells whose models are held together, in two groups where memory runs out."""
        try:
            with self._supervision.timing():
                self._time_held(group)
        except OutOfMemory:
            self._say(f"out of memory with {len(group)} models: going on with half of them at a time")
        else:
            return
        # Outside the handler, whose error holds on to the models.
        gc.collect()
        self._device.release()
        left = [due for due in group if due.number in self._due]
        half = (len(left) + 1) // 2
        for part in filter(None, (left[:half], left[half:])):
            self._time_group(part)

    def _time_held(self, group: Sequence[DueCell]) -> None:
        """Build models and time them, in turn where they can be, the others alone.

        Raises:
            OutOfMemory: with more models than one. What was timed before is kept.
        """
        batches: dict[object, TimedBatch] = {}
        found = [self._hold(due, batches, is_alone=len(group) == 1) for due in group]
        held = [one for one in found if one is not None]
        if not held:
            return
        start = time.perf_counter()
        end = start + self._left_s * len(held) / len(self._due)
        fatal = (OutOfMemory,) if len(group) > 1 else ()
        try:
            in_turn = self._time_in_turn(held, end, fatal)
            apart = [one for one in held if one not in in_turn and not one.contestant.failure]
            why = ROUNDS_TOO_LONG if len(in_turn) + len(apart) > 1 else ""
            for place, one in enumerate(apart):
                self._say(f"timing {one.due.cell.label}" + (" alone: rounds with others took too long" if why else ""))
                self._time_alone(one, time.perf_counter() + _until(end) / (len(apart) - place), why, fatal)
        finally:
            self._left_s = max(0.0, self._left_s - (time.perf_counter() - start))

    def _time_in_turn(self, held: Sequence[_Held], end: float, fatal: tuple[type[Exception], ...]) -> list[_Held]:
        """Time those that fit into the time in turn, and give them; each of the others keeps its share of the time."""
        in_turn = self._choose(held, _until(end), WARM_UPS)
        if not in_turn:
            return []
        self._say(f"timing {len(in_turn)} tokenizers in turn on {in_turn[0].due.cell.dataset}")
        for_others = _until(end) * (1 - len(in_turn) / len(held))
        warm_up_each([one.contestant for one in in_turn], end - for_others, fatal=fatal)
        self._drop_failed(in_turn)
        warm = [one for one in in_turn if not one.contestant.failure]
        in_turn = self._choose(warm, _until(end) - for_others, 0)
        if not in_turn:
            return []
        for_others += (_until(end) - for_others) * (1 - len(in_turn) / len(warm))
        contestants = [one.contestant for one in in_turn]
        repeat_in_turn(contestants, end - for_others, _rounds_for(in_turn), fatal=fatal)
        self._drop_failed(in_turn)
        for one in in_turn:
            if not one.contestant.failure:
                self._keep(one)
        return in_turn

    def _choose(self, held: Sequence[_Held], seconds: float, more_passes: int) -> list[_Held]:
        """Those that can be timed in turn, each with so many passes beside its rounds."""
        places = choose_for_turns(
            [one.contestant.expected_s for one in held],
            seconds,
            lambda places: more_passes + _rounds_for([held[place] for place in places]),
        )
        return [held[place] for place in places]

    def _hold(self, due: DueCell, batches: dict[object, TimedBatch], *, is_alone: bool) -> _Held | None:
        """Build a model and decode what it is timed on; ``None`` where there is nothing, or that fails.

        Args:
            due: the cell.
            batches: what was decoded for others, which tokenizers of the same windows share.
            is_alone: whether no other model is held.

        Raises:
            OutOfMemory: unless it is alone.
        """
        rows = self._records.scored_rows(due)
        if not rows:
            self._records.note(due, None)
            del self._due[due.number]
            return None
        if ended := self._supervision.past.untimed.get(str(due.number)):
            self._give_up(due, ended)
            return None
        self._supervision.tell(cell=due.number)
        places = list(rows)[: due.batch_size]
        try:
            with self._supervision.step(BUILDING):
                model = due.build()
                causal, piece_frames = model.spec.causal, due.piece_frames(model)
            key = (causal, piece_frames, tuple(places))
            if key not in batches:
                batches[key] = TimedBatch.load(
                    self._preparation, due.cell, due.windows, places, causal=causal, piece_frames=piece_frames
                )
        except Exception as error:
            if is_out_of_memory(error) and not is_alone:
                raise OutOfMemory(str(error)) from error
            self._give_up(due, describe(error))
            return None
        batch, row = batches[key], rows[places[0]]
        share = min(1.0, batch.num_frames / max(1, len(row.frame_ids)))
        expected_s = share * (row.timing.get("encode_s", 0.0) + row.timing.get("decode_s", 0.0))
        return _Held(due, model, batch, places[0], Contestant(self._one_pass(due, model, batch), expected_s))

    def _one_pass(self, due: DueCell, model: VideoTokenizer, batch: TimedBatch) -> Callable[[], Mapping[str, float]]:
        def one_pass() -> Mapping[str, float]:
            self._supervision.tell(cell=due.number)
            return {"started_s": time.time(), **batch.run(model, self._device, self._supervision)}

        return one_pass

    def _time_alone(self, one: _Held, end: float, why: str, fatal: tuple[type[Exception], ...]) -> None:
        """Time a cell alone; half of its batch where memory runs out, unless that is for other models to leave."""
        try:
            repeat_alone(one.contestant, end)
        except fatal:
            raise
        except OutOfMemory as error:
            if (half := one.batch.halved()) is None:
                self._give_up(one.due, describe(error))
                return
        except Exception as error:
            # A plugin's tokenizer may raise anything at all.
            self._give_up(one.due, describe(error))
            return
        else:
            self._keep(one, why)
            return
        one.batch, one.contestant = half, Contestant(self._one_pass(one.due, one.model, half))
        self._time_alone(one, end, why, fatal)

    def _drop_failed(self, held: Iterable[_Held]) -> None:
        for one in held:
            if one.contestant.failure is not None and one.due.number in self._due:
                self._give_up(one.due, describe(one.contestant.failure))

    def _keep(self, one: _Held, why_alone: str = "") -> None:
        """Keep what was timed."""
        self._records.keep(one.due, one.place, one.batch, one.contestant, why_alone)
        del self._due[one.due.number]
        self.num_timed += 1

    def _give_up(self, due: DueCell, reason: str) -> None:
        self.failed_metrics |= set(due.speeds)
        failed = f"the throughput pass failed: {reason}"
        self._records.note(due, failed)
        self._say(f"{due.cell.label}: {failed}; {RETRY}")
        del self._due[due.number]


def _rounds_for(held: Sequence[_Held]) -> int:
    """Rounds that it takes until medians may be stable, and all pairs of a group have intervals."""
    largest = max(Counter(one.due.group for one in held).values())
    return max(CHECKPOINTS[0], rounds_needed(largest * (largest - 1) // 2))


def _until(end: float) -> float:
    """Seconds that are left."""
    return max(0.0, end - time.perf_counter())
