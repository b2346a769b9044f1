"""What a metric is to the runner and to the reports.

A metric measures each window once (``measure``), into small named arrays that the ledger keeps, and later turns the
arrays of any set of windows into one figure with its interval (``aggregate``). Several metrics may read the same
measurement: the three averages of PSNR all read the per-frame MSE.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...tokenizers.interface import Encoded, TokenizerSpec
from ..statistics.families import Family, Pair

Made = TypeVar("Made")

Arrays = dict[str, np.ndarray]
"""Named arrays of one window, as the ledger stores them."""


class MetricError(ValueError):
    """Why a metric can't measure this window: too few frames, too small a picture, values out of range."""


@dataclass(frozen=True)
class Unavailable:
    """Why a metric can't be computed here, and the command that fixes it."""

    reason: str
    hint: str
    is_broken: bool = False
    """Whether its own code fails, so that a run with it doesn't end as if all were well."""


@dataclass(frozen=True)
class WindowBatch:
    """A batch of windows with their reconstructions, on the device the model runs on."""

    reference: Tensor
    """(B, 3, T, H, W) float32 in [-1, 1]."""
    reconstruction: Tensor
    """(B, 3, T, H, W) float32, clamped to [-1, 1], finite."""
    encoded: Encoded
    spec: TokenizerSpec
    _made: dict[Callable[[Tensor, Tensor], Any], Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, compute: Callable[[Tensor, Tensor], Made]) -> Made:
        """What a function makes of reference and reconstruction; computed once for all metrics that ask for it."""
        if compute not in self._made:
            self._made[compute] = compute(self.reference, self.reconstruction)
        return self._made[compute]


@dataclass(frozen=True)
class MeasuredWindow:
    """One scored window as the ledger gives it back."""

    source: str
    """Identity of the source video's content; windows of one source, or of copies of it, are one cluster."""
    window: int
    """Index of the window in its source."""
    num_frames: int
    arrays: Mapping[str, np.ndarray]
    """What the metric's ``measure`` returned for this window."""
    reference_arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What ``measure_reference`` returned for this window's clip."""
    timing: Mapping[str, float] = field(default_factory=dict)
    """``encode_s``, ``decode_s``, ``batch_size``, ``warm`` (0 or 1), ``peak_bytes``, ``num_tokens``."""
    machine: str = ""
    """Identity of the machine that measured the window."""
    file: str = ""
    """Key of the video in its dataset, where it isn't ``source``; copies of one video differ in it."""

    @property
    def key(self) -> tuple[str, int]:
        """What rows are matched by."""
        return (self.file or self.source, self.window)


@dataclass(frozen=True)
class Estimate:
    """A figure over a set of windows."""

    value: float
    count: int
    """How many of ``counted`` it rests on."""
    counted: str = "frames"
    low: float | None = None
    """Ends of the 95 % interval, from the differences between source videos; ``None`` where there is none."""
    high: float | None = None
    note: str = ""
    """A warning the reader needs, such as a sample too small for FVD."""
    num_sources: int = 0
    """Source videos behind the interval; 0 where videos play no part."""
    interval_note: str = ""
    """What the reader of the interval must know."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Further named figures (perplexity, quartiles, …)."""


class Metric(ABC):
    """A metric. Class attributes describe it; subclasses write ``aggregate`` and, mostly, ``measure``."""

    name: str
    """Unique, and carries the convention: ``lpips-vgg``."""
    title: str
    """Column heading: ``LPIPS``."""
    direction: Literal["higher", "lower", "none"]
    unit: str = ""
    range: tuple[float, float]
    """Possible values."""
    display_range: tuple[float, float]
    """Fixed radar scale where nothing is published for the dataset: (worst, best)."""
    decimals: int = 3
    needs: Literal["pairs", "features", "codes", "encoded", "timing", "model"]
    convention: str
    """One sentence: how exactly it is computed."""
    version: int = 1
    """Raised whenever ``measure`` changes, so that kept measurements aren't mixed."""
    measurement: str
    """Name of the arrays it reads; metrics with one name share one measurement."""
    saturates_at: float | None = None
    """The best value, where figures crowd towards it as the rate grows: BD-rates take −log10(1 − value / best) then.
    ``None`` where they don't."""
    has_equal_size: bool = False
    """Whether figures of samples of different size are given at equal size as well, by ``at_equal_size``."""
    has_limit: bool = False
    """Whether what infinitely many windows would give can be told, by ``extrapolated``."""
    piecewise: bool = False
    """Whether the successive pieces of a window may be measured one by one and put together by ``join``."""
    clip_frames: int | None = None
    """Frames of the clips that windows are cut into for it; ``None``: it takes windows as they are.

    Clips follow each other without overlap, and what is left at a window's end belongs to none. ``measure`` and
    ``measure_reference`` then take one clip at a time, with an empty encoding, and ``join`` puts a window together.
    """

    @property
    def measurement_key(self) -> str:
        """Identity of what ``measure`` computes: name, version and the hash of weights, if any."""
        return f"{self.measurement}:v{self.version}"

    def unavailable(self) -> Unavailable | None:
        """``None`` if it can run here; cheap, loads nothing."""
        return None

    def applies_to(self, spec: TokenizerSpec) -> bool:
        """Whether it means anything for this tokenizer (codebook metrics need codes)."""
        return True

    def prepare(self, device: torch.device) -> None:
        """Load weights and move them to ``device``; called once before the first ``measure``."""
        return

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """Arrays for each window of the batch; metrics that need no pairs or codes return empty ones.

        Raises:
            MetricError: if a window can't be measured.
        """
        return [{} for _ in range(batch.reference.shape[0])]

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """The arrays of a window from those of its successive pieces, for piecewise metrics; associative.

        Each frame and each code of the window is in exactly one piece, and a piece may hold no code. Here every array
        has one entry a frame.
        """
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def measure_reference(self, reference: Tensor) -> list[Arrays]:
        """Arrays that depend on the reference alone, (B, 3, T, H, W) in [-1, 1]; kept once a clip and protocol."""
        return [{} for _ in range(reference.shape[0])]

    @abstractmethod
    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """One figure over ``windows`` (any order) and the cell's ``facts`` (parameters, MACs).

        The result depends on the set of windows only: sort by key and sum with ``math.fsum``.
        """

    def usable(self, windows: Sequence[MeasuredWindow]) -> Sequence[MeasuredWindow]:
        """The windows that the figure rests on."""
        return windows

    def compare_systems(
        self, systems: Sequence[Sequence[MeasuredWindow]], pairs: Sequence[Pair] | None = None
    ) -> Family | Unavailable:
        """Judge the differences between systems; why not, where the metric has no way to tell them apart.

        Args:
            systems: usable windows of each system, in any order, of the same source videos.
            pairs: indices of the systems that are asked about; ``None`` for all pairs.
        """
        return Unavailable(f"{self.name} has no interval", "")

    def at_equal_size(self, systems: Sequence[Sequence[MeasuredWindow]]) -> tuple[str, list[float]] | None:
        """Figures of several systems at a sample of one size; ``None`` where they already are, or size doesn't matter.

        Args:
            systems: usable windows of each system.

        Returns:
            What the size is, in words, and the figure of each system.
        """
        return None

    def extrapolated(self, windows: Sequence[MeasuredWindow], *, with_interval: bool) -> Estimate | None:
        """The figure that infinitely many windows would give; ``None`` where there is no way to tell.

        Args:
            windows: those of one system.
            with_interval: whether its interval is wanted, which may take long.
        """
        return None

    def source_means(self, windows: Sequence[MeasuredWindow]) -> dict[str, float]:
        """The figure of each source video alone; empty where it means nothing."""
        return {}


class Accumulator:
    """Collects measured windows and finalizes to the metric's figure; merging two halves equals one whole."""

    def __init__(self, metric: Metric):
        self.metric = metric
        self._windows: dict[tuple[str, int], MeasuredWindow] = {}

    def accumulate(self, window: MeasuredWindow) -> None:
        """Add a window; one that is already there is an error."""
        if window.key in self._windows:
            raise ValueError(f"window {window.key} was accumulated twice")
        self._windows[window.key] = window

    def merge(self, other: Accumulator) -> Accumulator:
        """A new accumulator with the windows of both."""
        merged = Accumulator(self.metric)
        for window in (*self._windows.values(), *other._windows.values()):
            merged.accumulate(window)
        return merged

    def finalize(self, facts: Mapping[str, float] | None = None) -> Estimate | Unavailable:
        """The figure over everything accumulated."""
        return self.metric.aggregate(list(self._windows.values()), facts or {})
