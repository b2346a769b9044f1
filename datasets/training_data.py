"""How training clips are cut out of videos: the table ``data`` of a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args, get_origin, get_type_hints


def known_values(kind: Any, values: Mapping[str, Any], title: str) -> dict[str, Any]:
    """The values of a recipe's table as arguments of the dataclass ``kind``, lists as tuples.

    Raises:
        ValueError: if a name is no field of it, or a value of another type; the message begins with ``title``.
    """
    names = [field.name for field in fields(kind)]
    if unknown := sorted(set(values) - set(names)):
        raise ValueError(f"{title}: {unknown[0]} is no key; there are: {', '.join(names)}")
    hints = get_type_hints(kind)
    return {name: _typed(value, hints[name], f"{title}: {name}") for name, value in values.items()}


_IN_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}
_LISTS_IN_WORDS = {int: "a list of whole numbers", str: "a list of strings"}


def _typed(value: Any, hint: Any, where: str) -> Any:
    """A value as its field has it: a number that is whole may stand for any number."""
    if get_origin(hint) is tuple:
        of = get_args(hint)[0]
        if not isinstance(value, list | tuple) or not all(type(item) is of for item in value):
            raise ValueError(f"{where} must be {_LISTS_IN_WORDS[of]}, not {value!r}")
        return tuple(value)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise ValueError(f"{where} must be {_IN_WORDS[hint]}, not {value!r}")
    return value


@dataclass(frozen=True)
class TrainingData:
    """How clips are cut out of videos.

    Raises:
        ValueError: if a value is out of range.
    """

    num_frames: int = 17
    """Frames of a clip."""
    size: int = 64
    """Height and width of a clip, in pixels."""
    short_side: int = 256
    """Videos are kept with their short side scaled to this, smaller ones as they are."""
    scales: tuple[int, ...] = (1, 2)
    """A clip is a square of ``size`` times one of these, averaged down to ``size``; drawn for each clip."""
    strides: tuple[int, ...] = (1,)
    """Frames from one frame of a clip to the next, drawn for each clip; without effect where ``fps`` is set."""
    fps: float = 0.0
    """Frame rate that videos are sampled at: every round(own rate / this)-th frame; 0: all frames."""
    flip: bool = True
    """Whether half of the clips are mirrored."""
    synthetic_share: float = 0.25
    """Share of the clips that are synthetic; all are where there are no videos."""
    synthetic_clips: int = 88
    """Different synthetic clips that are made, once."""
    stream: bool = False
    """Whether worker processes decode each clip when it is needed, in place of all videos before the first step.

    Lists in CSV and shards are always streamed: see :class:`toklab.datasets.streamed_clips.StreamedClips`.
    """

    def __post_init__(self) -> None:
        numbers = (self.num_frames, self.size, self.short_side, self.synthetic_clips, *self.scales, *self.strides)
        if min(numbers) < 1 or not self.scales or not self.strides:
            raise ValueError("training data: counts, sizes, scales and strides are at least 1")
        if not 0 <= self.synthetic_share <= 1 or self.fps < 0:
            raise ValueError("training data: synthetic_share is in [0, 1], and fps not negative")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingData:
        """From the table of a recipe; raises ``ValueError`` on an unknown name or a value of another type."""
        return cls(**known_values(cls, values, "training data"))

    def intervals(self, num_frames: int, fps: float) -> tuple[int, ...]:
        """The strides at which a video of so many frames, at ``fps`` frames/s, holds a clip; empty if there is none."""
        wanted = self.strides if not self.fps else (max(1, round(fps / self.fps)),)
        return tuple(interval for interval in wanted if self.span(interval) <= num_frames)

    def span(self, interval: int) -> int:
        """Frames of a video from a clip's first one to its last."""
        return (self.num_frames - 1) * interval + 1

    def fitting_scales(self, height: int, width: int) -> tuple[int, ...]:
        """The scales whose squares fit into frames of this size, or 1 where none does."""
        return tuple(scale for scale in self.scales if self.size * scale <= min(height, width)) or (1,)

    def objection_to(self, num_frames: int, fps: float, height: int, width: int) -> str:
        """Why a video can't give a clip, in words; empty if it can."""
        if self.intervals(num_frames, fps) and min(height, width) >= self.size:
            return ""
        at = f" at {self.fps:g} frames/s" if self.fps else ""
        return (
            f"{num_frames} frames of {width}×{height} hold no clip of {self.num_frames} frames{at} and "
            f"{self.size} pixels"
        )
