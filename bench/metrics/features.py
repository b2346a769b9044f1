"""Features of a set of windows, as a value that results can be kept by."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a set of windows; equal where their content is, so that results can be kept."""

    array: np.ndarray
    """(N, d) float32."""

    @functools.cached_property
    def digest(self) -> bytes:
        """Identity of the content."""
        return hashlib.sha256(repr(self.array.shape).encode() + np.ascontiguousarray(self.array).tobytes()).digest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.digest == other.digest
