"""Repeated timings of one window: what the throughput pass keeps, and the speed metrics read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from .interface import Arrays

MEASUREMENT = "repetitions"
"""Name of the measurement in the ledger."""
_TEXTS = ("machine", "software", "pass_id", "why_alone")


@dataclass(frozen=True)
class Repetitions:
    """Encode and decode of one batch of clips, again and again on one machine, nothing else running."""

    encode_s: np.ndarray
    """(n,) seconds of encode of the whole batch, in the order in which they were measured."""
    decode_s: np.ndarray
    """(n,) seconds of decode of the whole batch."""
    batch_size: int
    num_frames: int
    """Frames of each clip of the batch."""
    num_tokens: int
    """Tokens of each clip."""
    warm_ups: int
    """Passes before the first repetition, which don't count."""
    machine: str
    """Identity of the machine: device, threads and torch."""
    software: str = ""
    """Versions of what else decides the speed; empty where an earlier version of toklab measured."""
    size: tuple[int, int] = (0, 0)
    """Height and width of the frames; zeros where an earlier version of toklab measured."""
    started_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    """(n,) when each repetition began, in seconds since 1970; empty where an earlier version of toklab measured."""
    pass_id: str = ""
    """Identity of the throughput pass; empty where an earlier version of toklab measured."""
    why_alone: str = ""
    """Why it wasn't timed in turn with others of its pass; empty where it was, or where there were none."""

    @classmethod
    def of_passes(
        cls,
        timings: Sequence[Mapping[str, float]],
        num_frames: int,
        warm_ups: int,
        machine: str,
        software: str = "",
        size: tuple[int, int] = (0, 0),
        pass_id: str = "",
        why_alone: str = "",
    ) -> Self:
        """What the timings of several forward passes on one batch come to; ``started_s`` among them is kept."""
        first = timings[0]
        return cls(
            np.array([timing["encode_s"] for timing in timings]),
            np.array([timing["decode_s"] for timing in timings]),
            int(first["batch_size"]),
            num_frames,
            int(first["num_tokens"]),
            warm_ups,
            machine,
            software,
            size,
            np.array([timing["started_s"] for timing in timings if "started_s" in timing]),
            pass_id,
            why_alone,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self | None:
        """What :meth:`to_arrays` made the arrays from; ``None`` where a window has none."""
        if not arrays:
            return None
        batch_size, num_frames, num_tokens, warm_ups = (int(value) for value in arrays["counts"])
        texts = {name: arrays[name].tobytes().decode() if name in arrays else "" for name in _TEXTS}
        height, width = (int(value) for value in arrays.get("size", (0, 0)))
        return cls(
            arrays["encode_s"],
            arrays["decode_s"],
            batch_size,
            num_frames,
            num_tokens,
            warm_ups,
            size=(height, width),
            started_s=arrays.get("started_s", np.empty(0)),
            **texts,
        )

    def to_arrays(self) -> Arrays:
        """Named arrays for the ledger: raw seconds, so that any statistic can be computed again."""
        return {
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
            "counts": np.array([self.batch_size, self.num_frames, self.num_tokens, self.warm_ups], dtype=np.int64),
            **{name: np.frombuffer(getattr(self, name).encode(), dtype=np.uint8) for name in _TEXTS},
            "size": np.array(self.size, dtype=np.int64),
            "started_s": self.started_s,
        }

    @property
    def conditions(self) -> str:
        """Under what it was measured, in words; only speeds under the same conditions may stand side by side.

        Causal tokenizers take windows of one frame more than others, so an odd number of frames counts as one less.
        """
        parts = [self.machine, self.software, f"batch {self.batch_size}", f"{self.num_frames // 2 * 2} frames"]
        parts += [f"{self.size[0]}×{self.size[1]}"] if any(self.size) else []
        return ", ".join(filter(None, parts))

    def is_interleaved_with(self, other: Repetitions) -> bool:
        """Whether the repetitions of the two were made in turn, so that each pair saw the same machine.

        They were if one pass made them, and they come in couples, one of each in either order: a round has one of each.
        """
        counts = {len(times) for one in (self, other) for times in (one.started_s, one.encode_s)}
        if len(counts) > 1 or self.pass_id != other.pass_id:
            return False
        starts = sorted([(start, 0) for start in self.started_s] + [(start, 1) for start in other.started_s])
        whose = [who for _, who in starts]
        return all(a != b for a, b in zip(whose[::2], whose[1::2], strict=True))

    def seconds(self, figure: str) -> np.ndarray:
        """(n,) seconds of ``encode_s``, of ``decode_s``, or of both together, ``total_s``."""
        parts = {"encode_s": self.encode_s, "decode_s": self.decode_s, "total_s": self.encode_s + self.decode_s}
        return parts[figure]
