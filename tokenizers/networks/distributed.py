"""Sums and means over all processes of a distributed training; without one, each is the identity."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def is_distributed() -> bool:
    """Whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of ``values`` over all processes, any shape; differentiable, every process must call backward."""
    return _MeanOverProcesses.apply(values) if is_distributed() else values


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of ``values`` over all processes, any shape; without gradient."""
    if not is_distributed():
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def same_on_all_processes(values: Tensor) -> Tensor:
    """The ``values`` of process 0, which must have the same shape everywhere; without gradient."""
    if not is_distributed():
        return values
    shared = values.detach().clone().contiguous()
    distributed.broadcast(shared, src=0)
    return shared


class _MeanOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return sum_over_processes(values) / distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # A value enters the mean on every process with weight 1/n, so its gradient is the mean of theirs.
        return sum_over_processes(gradients[0].contiguous()) / distributed.get_world_size()
