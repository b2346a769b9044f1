"""Errors of frames and of the changes between them, from one pass over a reference and its reconstruction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FrameErrors:
    """Errors on the scale [0, 1], float64."""

    squared: Tensor
    """(B, T): the mean over (C, H, W) of (x − y)²."""
    transitions: Tensor
    """(B, T − 1): the mean over (C, H, W) of |(x_t+1 − x_t) − (y_t+1 − y_t)|; no columns for single frames."""


def frame_errors(reference: Tensor, reconstruction: Tensor) -> FrameErrors:
    """Errors of each frame and of each transition.

    Args:
        reference: x, (B, C, T, H, W) in [-1, 1].
        reconstruction: y, the same shape and range.
    """
    batch_size, num_channels, num_frames, height, width = reference.shape
    squared: list[Tensor] = []
    transitions: list[Tensor] = []
    # Frame by frame: a long clip in float64 would not fit beside the model.
    memory = reference.new_empty(3, num_channels, height, width, dtype=torch.float64)
    error, before, made = memory.unbind(0)
    for x, y in zip(reference, reconstruction, strict=True):
        for t in range(num_frames):
            torch.sub(error.copy_(x[:, t]), made.copy_(y[:, t]), out=error)
            squared.append(_sum(torch.mul(error, error, out=made)))
            if t:
                # The difference of the changes is the change of the difference.
                transitions.append(_sum(torch.sub(error, before, out=made).abs_()))
            error, before = before, error
    # On [-1, 1], differences are twice as large.
    size = num_channels * height * width
    return FrameErrors(
        torch.stack(squared).view(batch_size, num_frames) / (4 * size),
        _stacked(transitions, memory).view(batch_size, num_frames - 1) / (2 * size),
    )


def _sum(values: Tensor) -> Tensor:
    # First along rows: the order of a sum over everything would depend on the number of threads.
    return values.sum(-1).flatten().sum()


def _stacked(values: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(values) if values else like.new_empty(0)
