"""Repeated timings of one window: what the throughput pass keeps, and the speed metrics read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .interface import Arrays

MEASUREMENT = "repetitions"
"""Name of the measurement in the ledger."""


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
    """Identity of the machine."""

    @classmethod
    def of_passes(cls, timings: Sequence[Mapping[str, float]], num_frames: int, warm_ups: int, machine: str) -> Self:
        """What the timings of several forward passes on one batch come to."""
        first = timings[0]
        return cls(
            np.array([timing["encode_s"] for timing in timings]),
            np.array([timing["decode_s"] for timing in timings]),
            int(first["batch_size"]),
            num_frames,
            int(first["num_tokens"]),
            warm_ups,
            machine,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self | None:
        """What :meth:`to_arrays` made the arrays from; ``None`` where a window has none."""
        if not arrays:
            return None
        batch_size, num_frames, num_tokens, warm_ups = (int(value) for value in arrays["counts"])
        machine = arrays["machine"].tobytes().decode()
        return cls(arrays["encode_s"], arrays["decode_s"], batch_size, num_frames, num_tokens, warm_ups, machine)

    def to_arrays(self) -> Arrays:
        """Named arrays for the ledger: raw seconds, so that any statistic can be computed again."""
        return {
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
            "counts": np.array([self.batch_size, self.num_frames, self.num_tokens, self.warm_ups], dtype=np.int64),
            "machine": np.frombuffer(self.machine.encode(), dtype=np.uint8),
        }

    def seconds(self, figure: str) -> np.ndarray:
        """(n,) seconds of ``encode_s``, of ``decode_s``, or of both together, ``total_s``."""
        parts = {"encode_s": self.encode_s, "decode_s": self.decode_s, "total_s": self.encode_s + self.decode_s}
        return parts[figure]
