"""Doubling of space and of time in one pass, for inference on CPUs.

A convolution follows the repeated pixels, another one the repeated frames, and nothing nonlinear stands between them.
One kernel of 3×3 small pixels does the work of both, and the large picture in the middle is never made. Zeros stand
beyond the edges of that picture, where the joint kernel sees what the first convolution would give there; this is
taken off at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..networks.kernels.folding import Phases, fold_taps
from ..networks.kernels.strips import convolve_strip, row_strips
from ..networks.kernels.winograd import DerivedWeight
from .layers import stack_taps

NUM_TAPS = 3
"""In time."""
PHASES: Phases = (((0, 1), (2, 3), (4,)), ((0,), (1, 2), (3, 4)))
"""Which taps of a centred kernel of 5 fall on which of three neighbours, for even and odd places of a doubling."""
STRIP_VALUES = 2**19
"""Numbers of a frame in a strip."""

TapFrames = tuple[tuple[int, ...], tuple[int, ...]]
"""Which frame, relative to its own, each tap in time falls on, for even and odd frames of a doubling."""


@dataclass(frozen=True)
class EdgeKernel:
    """What the joint kernel sees too much of at one edge of the large picture."""

    beyond: Tensor
    """(M, I, 3): the first convolution's kernel along the edge, for the places just beyond it."""
    bias: Tensor
    """(M,)."""
    unseen: Tensor
    """(3 O, M, 3): the second one's, along these places, with the opposite sign; by tap in time."""


@dataclass(frozen=True)
class JointKernel:
    """Two convolutions in one."""

    weight: Tensor
    """(12 O, I, 3, 3): by row and column of the doubled pixel, then by tap in time."""
    bias: Tensor
    """(12 O,)."""
    edges: tuple[EdgeKernel, ...]
    """Top, bottom, left and right."""


def join_kernels(
    spatial: Tensor, spatial_bias: Tensor, temporal: Tensor, temporal_bias: Tensor, mix_factor: Tensor, present_tap: int
) -> JointKernel:
    """The joint kernel of a convolution within frames, and of a blend of its result with a convolution of that.

    Args:
        spatial: (M, I, 3, 3), after pixels are repeated.
        spatial_bias: (M,).
        temporal: (M, M, 3, 3, 3), after frames are repeated.
        temporal_bias: (M,).
        mix_factor: the share of the branch without weights, before its sigmoid.
        present_tap: the tap in time that sees the frame itself in both of its results.
    """
    dtype = spatial.dtype
    first, first_bias, second_bias = spatial.float(), spatial_bias.float(), temporal_bias.float()
    second = stack_taps(temporal.float())
    share = torch.sigmoid(mix_factor.float())
    middle, inputs = first.shape[:2]
    joint = first.new_zeros(len(second), inputs, 5, 5)
    for row in range(3):
        for column in range(3):
            product = second[:, :, row, column] @ first.flatten(1)
            joint[:, :, row : row + 3, column : column + 3] += product.view(-1, inputs, 3, 3)
    bias = second.sum((2, 3)) @ first_bias
    joint, bias = (1 - share) * joint, (1 - share) * bias
    present = slice(present_tap * middle, (present_tap + 1) * middle)
    joint[present, :, 1:4, 1:4] += share * first
    bias[present] += share * first_bias + (1 - share) * second_bias
    kernels = torch.cat([kernel for row in fold_taps(joint, 2, PHASES) for kernel in fold_taps(row, 3, PHASES)])
    unseen = (share - 1) * second
    edges = (
        (first[:, :, 2], unseen[:, :, 0]),
        (first[:, :, 0], unseen[:, :, 2]),
        (first[:, :, :, 2], unseen[:, :, :, 0]),
        (first[:, :, :, 0], unseen[:, :, :, 2]),
    )
    return JointKernel(
        kernels.to(dtype, memory_format=torch.channels_last),
        bias.repeat(4).to(dtype),
        tuple(EdgeKernel(a.to(dtype).contiguous(), spatial_bias, b.to(dtype).contiguous()) for a, b in edges),
    )


def upsample_jointly(
    x: Tensor, past: Tensor | None, kernel: JointKernel, kernels: DerivedWeight[list[Tensor]], tap_frames: TapFrames
) -> Tensor:
    """Double space and time of (B, T, H, W, I), to (B, 2T, 2H, 2W, O).

    Args:
        x: the frames.
        past: the frame before them (B, 1, H, W, I); ``None``: zeros stand before the first doubled frame.
        kernel: of both convolutions.
        kernels: derives :func:`~.strips.strip_kernels` from its weight.
        tap_frames: by phase in time.
    """
    B, T, H, W, _ = x.shape
    num_outputs = len(kernel.bias) // (4 * NUM_TAPS)
    out = x.new_empty(B, T, 2, H, 2, W, 2, num_outputs)
    frames = {-1: None if past is None else past[:, 0], T: None} | {t: x[:, t] for t in range(T)}
    edges = {t: None if frame is None else _edges(frame, kernel) for t, frame in frames.items()}

    def taps(t: int, rows: slice) -> Tensor | None:
        """(B, rows, W, row of the doubled pixel, column, tap, O)."""
        frame, unseen = frames[t], edges[t]
        if frame is None or unseen is None:
            return None
        y = convolve_strip(frame, rows, kernel.weight, kernel.bias, kernels)
        y = y.unflatten(-1, (2, 2, NUM_TAPS, num_outputs))
        top, bottom, left, right = (line.unflatten(1, (-1, 2)).unflatten(-1, (NUM_TAPS, -1)) for line in unseen)
        if rows.start == 0:
            y[:, 0, :, 0] += top
        if rows.stop == H:
            y[:, -1, :, 1] += bottom
        y[:, :, 0, :, 0] += left[:, rows]
        y[:, :, -1, :, 1] += right[:, rows]
        return y

    for rows in row_strips(x[:, 0], STRIP_VALUES):
        known = {-1: taps(-1, rows), 0: taps(0, rows)}
        for t in range(T):
            known[t + 1] = taps(t + 1, rows)
            for phase, neighbours in enumerate(tap_frames):
                sources = [known[t + neighbour] for neighbour in neighbours]
                parts = [source[..., tap, :] for tap, source in enumerate(sources) if source is not None]
                target = out[:, t, phase, rows].permute(0, 1, 3, 2, 4, 5)
                if len(parts) == 1:
                    target.copy_(parts[0])
                else:
                    torch.add(sum(parts[1:-1], start=parts[0]), parts[-1], out=target)
            del known[t - 1]
    return out.view(B, 2 * T, 2 * H, 2 * W, num_outputs)


def _edges(frame: Tensor, kernel: JointKernel) -> list[Tensor]:
    """What to add along top, bottom, left and right of the large picture: (B, length, 3 O), of (B, H, W, I)."""
    lines = (frame[:, 0], frame[:, -1], frame[:, :, 0], frame[:, :, -1])
    corrections = []
    for index, (line, edge) in enumerate(zip(lines, kernel.edges, strict=True)):
        # Lines above and below the picture go one place beyond it on both sides; those beside it don't.
        margin = 1 if index < 2 else 0
        repeated = line.transpose(1, 2).repeat_interleave(2, 2)
        beyond = F.conv1d(repeated, edge.beyond, edge.bias, padding=1 + margin)
        corrections.append(F.conv1d(beyond, edge.unseen, padding=1 - margin).transpose(1, 2))
    return corrections
