"""Thresholds between the levels of a scalar quantizer, for trainings that start from fitted codes."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor
from torch.nn import functional as F

LLOYD_ROUNDS = 50


def lloyd_max(values: Tensor, num_levels: int) -> tuple[Tensor, float]:
    """Thresholds of least squared error between levels, each the mean of its values, and that mean squared error.

    Lloyd's alternation of levels and thresholds (Lloyd 1982, IEEE Trans. Inf. Theory 28, method I; Max 1960) from
    intervals of as many values.

    Args:
        values: (N,), at least ``num_levels``.
        num_levels: at least 1.

    Returns:
        (num_levels - 1,) ascending, and the error.
    """
    ordered = values.sort().values.double()
    sums = F.pad(ordered.cumsum(0), (1, 0))

    def parts(thresholds: Tensor) -> tuple[Tensor, Tensor]:
        """How many values lie between thresholds, and their means; where there are none, a value beside them."""
        edges = F.pad(F.pad(torch.searchsorted(ordered, thresholds), (1, 0)), (0, 1), value=len(ordered))
        sizes = edges.diff()
        beside = ordered[edges[:-1].clamp(max=len(ordered) - 1)]
        return sizes, torch.where(sizes > 0, sums[edges].diff() / sizes.clamp(min=1), beside)

    thresholds = torch.quantile(ordered, torch.arange(1, num_levels, dtype=torch.float64) / num_levels)
    for _ in range(LLOYD_ROUNDS):
        _, levels = parts(thresholds)
        thresholds = (levels[1:] + levels[:-1]) / 2
    sizes, levels = parts(thresholds)
    error = (ordered - levels.repeat_interleave(sizes)).square().mean()
    return thresholds.to(values.dtype), float(error)


def allocate_thresholds(components: Tensor, number: int) -> tuple[list[int], Tensor]:
    """Thresholds of the components, as many for each as to lose little of the energy.

    One after another goes to the component whose error falls most by one level more.

    Args:
        components: (N, C), uncorrelated.
        number: of thresholds.

    Returns:
        The component that each threshold is of, ascending, and the thresholds (number,).
    """
    chosen = [torch.empty(0, dtype=components.dtype)] * components.shape[1]

    def candidate(index: int, error: float) -> tuple[float, int, float, Tensor]:
        thresholds, remaining = lloyd_max(components[:, index], len(chosen[index]) + 2)
        return remaining - error, index, remaining, thresholds

    candidates = [candidate(i, float(c.square().mean())) for i, c in enumerate(components.double().T)]
    heapq.heapify(candidates)
    for _ in range(number):
        _, index, error, chosen[index] = heapq.heappop(candidates)
        heapq.heappush(candidates, candidate(index, error))
    return [index for index, thresholds in enumerate(chosen) for _ in thresholds], torch.cat(chosen)
