"""The interval of a median from order statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def median_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """Ends of an interval that holds the median with at least 95 %; ``None`` with fewer than 6 values.

    The ends are the l-th smallest and the l-th largest value, with the largest l for which
    1 − 2 P(X < l) ≥ 0.95, X binomial with n and 1/2. The values are taken to be independent.
    """
    ordered = sorted(float(value) for value in values)
    count, tail, rank = len(ordered), 0.0, 0
    while True:
        tail += math.comb(count, rank) / 2**count
        if 1 - 2 * tail < CONFIDENCE:
            break
        rank += 1
    return (ordered[rank - 1], ordered[count - rank]) if rank else None
