"""What a figure of samples of finite size tends to as the sample grows, by its first-order bias.

Chong and Forsyth, *Effectively unbiased FID and Inception Score and where to find them*, CVPR 2020: the bias of such
figures is nearly proportional to 1/N.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NUM_SIZES = 8


def sample_sizes(count: int) -> list[int]:
    """Eight sizes from half of ``count`` to all of it, evenly spaced."""
    return [round(count / 2 + step * count / (2 * (NUM_SIZES - 1))) for step in range(NUM_SIZES)]


def limit_of_growing_samples(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The a of a + b/N by least squares.

    Args:
        sizes: N, at least two different ones.
        values: the figure at each.
    """
    design = np.stack([np.ones(len(sizes)), 1 / np.asarray(sizes, dtype=np.float64)], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(design, np.asarray(values, dtype=np.float64), rcond=None)
    if rank < 2:
        raise ValueError("a limit takes samples of at least two sizes")
    return float(solution[0])
