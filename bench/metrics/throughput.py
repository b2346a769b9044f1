"""Speed of encoding and decoding, from repeated passes over one window; memory, from every window of a run.

Runs of earlier versions kept no repetitions. Their speed is the median over windows, timed while the run went on.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..statistics.order_statistics import MAX_CORRELATION, median_interval, min_repetitions
from .interface import Estimate, MeasuredWindow, Metric, Unavailable
from .repetitions import MEASUREMENT, Repetitions
from .sources import sorted_windows

REPETITIONS = "repetitions"
"""What a repeated timing counts."""
MIN_REPETITIONS = min_repetitions()
"""Repetitions from which on a median has an interval."""
TOO_FEW = f"no interval with fewer than {MIN_REPETITIONS} repetitions; behind the figure: the smallest and the largest"
CORRELATED = (
    f"no interval where neighbouring repetitions are correlated by more than {MAX_CORRELATION}; behind the figure: the "
    "smallest and the largest"
)
COLD_NOTE = "only the first batch was timed, without warm-up"


def warm_windows(windows: Sequence[MeasuredWindow], figure: str) -> tuple[list[MeasuredWindow], str] | Unavailable:
    """Windows with the timing ``figure``, those of the first batch left out, and a note where there are no others.

    Windows of several machines are never mixed.
    """
    timed = [window for window in sorted_windows(windows) if window.timing.get(figure, 0) > 0]
    if not timed:
        return Unavailable(f"no window has a timing {figure!r}", "run the suite on a machine that records it")
    if len(machines := sorted({window.machine for window in timed})) > 1:
        return _several_machines(machines)
    warm = [window for window in timed if window.timing.get("warm")]
    return (warm, "") if warm else (timed, COLD_NOTE)


def repetitions(windows: Sequence[MeasuredWindow]) -> list[Repetitions] | Unavailable:
    """What was timed repeatedly, in the order of the windows; more than one where runs were merged.

    Timings of several machines are never mixed.
    """
    found = [Repetitions.from_arrays(window.arrays) for window in sorted_windows(windows)]
    repeated = [one for one in found if one is not None]
    if len(machines := sorted({one.machine for one in repeated})) > 1:
        return _several_machines(machines)
    if len(conditions := sorted({one.conditions for one in repeated})) > 1:
        return Unavailable(
            f"timings were taken under several conditions: {'; '.join(conditions)}", "run the cell under one of them"
        )
    return repeated


def timed_machines(windows: Sequence[MeasuredWindow]) -> list[str]:
    """The machines that timings come from: those of the repetitions, where there are any, else of the windows."""
    found = [Repetitions.from_arrays(window.arrays) for window in windows]
    return sorted({one.machine for one in found if one is not None} or {window.machine for window in windows})


def _several_machines(machines: Sequence[str]) -> Unavailable:
    return Unavailable(f"timings come from several machines: {'; '.join(machines)}", "run the cell on one machine")


def _repeated_estimate(values: np.ndarray, details: Mapping[str, float]) -> Estimate:
    """The median of one value a repetition, in the order they were made, with its interval where it has one.

    ``details``: quartiles, the smallest and the largest value, and from ten repetitions on the correlation of
    neighbours, which costs the interval where it is large.
    """
    found = median_interval(values)
    spread = {"lowest": found.lowest, "highest": found.highest}
    if found.correlation is not None:
        spread["correlation"] = found.correlation
    note = "" if found.low is not None else TOO_FEW if len(values) < MIN_REPETITIONS else CORRELATED
    estimate = _median_estimate(values, REPETITIONS, "", {**spread, **details})
    return replace(estimate, low=found.low, high=found.high, interval_note=note)


def _median_estimate(values: np.ndarray, counted: str, note: str, details: Mapping[str, float]) -> Estimate:
    lower, median, upper = np.percentile(values, (25, 50, 75))
    quartiles = {"lower_quartile": float(lower), "upper_quartile": float(upper)}
    return Estimate(float(median), len(values), counted, note=note, details={**quartiles, **details})


class SpeedMetric(Metric):
    """A metric of the repetitions of a throughput pass."""

    needs = "timing"
    measurement = MEASUREMENT

    @abstractmethod
    def per_repetition(self, repeated: Repetitions) -> np.ndarray:
        """(n,) the figure of each repetition alone."""


class _Throughput(SpeedMetric):
    direction = "higher"
    unit = "frames/s"
    range = (0.0, math.inf)
    display_range = (1.0, 10000.0)
    decimals = 1
    seconds: str
    """The timing it reads."""

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Median frames a second; ``details``: spread of the repetitions, and tokens a second."""
        repeated = repetitions(windows)
        if isinstance(repeated, Unavailable):
            return repeated
        if repeated:
            clips = [one.batch_size / one.seconds(self.seconds) for one in repeated]
            tokens = np.concatenate([c * one.num_tokens for c, one in zip(clips, repeated, strict=True)])
            frames = np.concatenate([self.per_repetition(one) for one in repeated])
            return _repeated_estimate(frames, {"tokens_per_second": float(np.median(tokens))})
        return self._of_rows(windows)

    def per_repetition(self, repeated: Repetitions) -> np.ndarray:
        """(n,) frames a second of each repetition."""
        return repeated.batch_size / repeated.seconds(self.seconds) * repeated.num_frames

    def _of_rows(self, windows: Sequence[MeasuredWindow]) -> Estimate | Unavailable:
        found = warm_windows(windows, self.seconds)
        if isinstance(found, Unavailable):
            return found
        timed, note = found
        clips = np.array([w.timing.get("batch_size", 1.0) / w.timing[self.seconds] for w in timed])
        frames = clips * np.array([w.num_frames for w in timed])
        details = {}
        if all("num_tokens" in w.timing for w in timed):
            tokens = clips * np.array([w.timing["num_tokens"] for w in timed])
            details["tokens_per_second"] = float(np.median(tokens))
        return _median_estimate(frames, "windows", note, details)


class EncodeThroughput(_Throughput):
    """Frames encoded a second."""

    name = "throughput-encode"
    title = "Encode"
    convention = "frames a second of encode alone, device synchronised; median over repetitions after warm-up"
    seconds = "encode_s"


class DecodeThroughput(_Throughput):
    """Frames decoded a second."""

    name = "throughput-decode"
    title = "Decode"
    convention = "frames a second of decode alone, device synchronised; median over repetitions after warm-up"
    seconds = "decode_s"


class Latency(SpeedMetric):
    """Seconds from a clip to its reconstruction."""

    name = "latency"
    title = "Latency"
    direction = "lower"
    unit = "s"
    range = (0.0, math.inf)
    display_range = (10.0, 0.0)
    decimals = 3
    convention = "seconds of encode plus decode of a batch, device synchronised; median over repetitions after warm-up"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Median seconds a batch; ``details``: spread of the repetitions, and the largest batch."""
        repeated = repetitions(windows)
        if isinstance(repeated, Unavailable):
            return repeated
        if repeated:
            seconds = np.concatenate([self.per_repetition(one) for one in repeated])
            return _repeated_estimate(seconds, {"largest_batch_size": float(max(one.batch_size for one in repeated))})
        return self._of_rows(windows)

    def per_repetition(self, repeated: Repetitions) -> np.ndarray:
        """(n,) seconds of encode plus decode of each repetition."""
        return repeated.seconds("total_s")

    def _of_rows(self, windows: Sequence[MeasuredWindow]) -> Estimate | Unavailable:
        found = warm_windows(windows, "decode_s")
        if isinstance(found, Unavailable):
            return found
        timed, note = found
        seconds = np.array([w.timing["encode_s"] + w.timing["decode_s"] for w in timed])
        details = {"largest_batch_size": max(w.timing.get("batch_size", 1.0) for w in timed)}
        return _median_estimate(seconds, "windows", note, details)


class PeakMemory(Metric):
    """Largest memory of encode and decode."""

    name = "peak-memory"
    title = "Memory"
    direction = "lower"
    unit = "MiB"
    range = (0.0, math.inf)
    display_range = (16384.0, 0.0)
    decimals = 0
    needs = "timing"
    convention = "largest memory of a batch: allocated on a GPU, resident set of the process on a CPU"
    measurement = "timing"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The largest peak over all windows, the first batch included."""
        found = warm_windows(windows, "peak_bytes")
        if isinstance(found, Unavailable):
            return found
        peaks = [w.timing["peak_bytes"] for w in windows if "peak_bytes" in w.timing]
        sizes = {w.timing.get("batch_size", 1.0) for w in windows if "peak_bytes" in w.timing}
        return Estimate(max(peaks) / 2**20, len(peaks), "windows", details={"largest_batch_size": max(sizes)})
