"""Layers of a CDT fitted to a clip: shortcuts that copy, and upsampling by the best linear estimate."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..training.least_squares import draw_positions, leading_component_rows, ridge, set_zero, space_time_blocks
from .blocks import ResnetBlock
from .layers import TimeUpsample, TransposedUpsample

PHASES = (((-1, 0, 1), (4, 2, 0)), ((0, 1), (3, 1)))
"""For even and odd places of a transposed convolution of stride 2: what they see, relative to their half, and by which
taps."""


def set_shortcut(block: ResnetBlock, first: int = 0) -> None:
    """Make the shortcut copy the block's inputs from ``first`` on, and then those before it, as far as they fit."""
    if block.res_conv is None:
        return
    weight = block.res_conv.weight
    outputs, inputs = weight.shape[:2]
    sources = (torch.arange(inputs) + first) % inputs
    number = min(outputs, inputs)
    set_zero(block.res_conv)
    weight[torch.arange(number), sources[:number]] = 1


def input_of(layer: nn.Module, run: Callable[[], object]) -> Tensor:
    """What a layer is first given in a run."""
    given: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].clone()))
    try:
        run()
    finally:
        handle.remove()
    return given[0]


def clip_components(video: Tensor, num_frames: int, height: int, number: int) -> Tensor:
    """Principal components of a clip's blocks, as many blocks as ``num_frames`` and ``height`` say.

    Args:
        video: (B, T, H, W, 3); its first frame is repeated to a whole block.
        num_frames: blocks in time.
        height: blocks along the height; they are square.
        number: components at most.

    Returns:
        (B, num_frames, height, width, C).
    """
    duration = (video.shape[1] - 1) // max(1, num_frames - 1)
    padded = torch.cat([video[:, :1].expand(-1, duration - 1, -1, -1, -1), video], 1)
    blocks = space_time_blocks(padded, duration, video.shape[2] // height)
    return blocks @ leading_component_rows(blocks, number).T


def fit_upsample(layer: TransposedUpsample, x: Tensor, video: Tensor) -> None:
    """Make the layer estimate components at twice the resolution of ``x``; channels beyond those become zero."""
    conv = layer.conv
    assert conv.bias is not None
    wanted = clip_components(video, x.shape[1], 2 * x.shape[2], conv.out_channels)
    number = wanted.shape[-1]
    positions = draw_positions(x)
    windows = F.pad(x, (0, 0, 1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)[positions]
    set_zero(conv)
    for row, (row_offsets, row_taps) in enumerate(PHASES):
        for column, (column_offsets, column_taps) in enumerate(PHASES):
            rows, columns = torch.tensor(row_offsets) + 1, torch.tensor(column_offsets) + 1
            seen = windows[:, :, rows[:, None], columns]
            weight, bias = ridge(seen.flatten(1), wanted[:, :, row::2, column::2][positions])
            taps = torch.tensor(row_taps)[:, None], torch.tensor(column_taps)
            conv.weight[:, :number, 0][:, :, *taps] = weight.view(number, *seen.shape[1:]).transpose(0, 1)
            conv.bias[:number] += bias / len(PHASES) ** 2


def fit_time_upsample(layer: TimeUpsample, x: Tensor, video: Tensor) -> None:
    """Make the layer estimate components at twice the frame rate of ``x``, the first frame apart."""
    conv = layer.conv
    assert conv.bias is not None
    wanted = clip_components(video, 2 * x.shape[1] - 1, x.shape[2], conv.in_channels)
    number = wanted.shape[-1]
    set_zero(conv)
    for half, (seen, targets) in enumerate(((x[:, 1:], wanted[:, 1::2]), (x, wanted[:, ::2]))):
        positions = draw_positions(seen)
        weight, bias = ridge(seen[positions], targets[positions])
        conv.weight[half : 2 * number : 2, :, 0] = weight
        conv.bias[half : 2 * number : 2] = bias
