"""Blocks of a CDT's denoiser that add linear mixtures of their input times a gain that depends on time.

A norm divides by the deviation over channels. Where two channels of opposite sign, the anchors, are much larger than
the others, that is a division by the anchors; and they may follow the time embedding, which a block adds between its
convolutions. Large biases keep the ReLUs open, so that everything else passes as it is.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ResnetBlock
from .denoiser import Denoiser
from .layers import CausalConv, ChannelLayerNorm

IDLE_BIAS = 0.05
"""Of norms that pass nothing yet: their ReLU is open, so that they can learn."""
OPENING = 5.0
"""Deviations of a signal by which a norm's bias keeps its ReLU open. More would be safer, but large constants make the
first steps of a training rough."""
ANCHOR_SHARE = 50.0
"""Energy of the anchors over that of the signals beside them."""
DIVIDER_UNIT = 8.0
"""A divider of 1 is 1 / this in the time embedding, so that large ones don't dwarf the embedding's other channels."""
FINEST_KNOT = 0.002
"""Where the first knot of the time embedding lies; the last one lies at 1."""
SMALLEST_WIDTH = 0.03
"""Of a knot. Narrower ones would be steep, and their weights too quick in training."""
NUM_FIT_POINTS = 512
RIDGE = 1e-6
"""Of the mean square of the features; with less, large weights of opposite sign would be moved apart by training."""


def set_time_embedding(denoiser: Denoiser, dividers: Tensor) -> None:
    """Make the first channels of the time embedding proportional to functions of time, the others cosines.

    Args:
        denoiser: whose time embedding is set, in place.
        dividers: (K, N) positive, of each step of the noise schedule; fitted to least relative error.
    """
    hidden, output = cast(nn.Linear, denoiser.time_mlp[0]), cast(nn.Linear, denoiser.time_mlp[2])
    knots = torch.logspace(math.log10(FINEST_KNOT), 0, hidden.out_features, dtype=torch.float64)
    widths = (knots / 2).clamp(min=SMALLEST_WIDTH)
    hidden.weight.copy_((1 / widths)[:, None])
    hidden.bias.copy_(-knots / widths)
    num_steps = dividers.shape[1]
    steps = torch.logspace(0, math.log10(num_steps), NUM_FIT_POINTS, dtype=torch.float64).long().unique() - 1
    time = steps.double() / num_steps
    features = F.pad(F.gelu(hidden(time.float()[:, None])).double(), (0, 1), value=1.0)
    cosines = torch.cos(math.pi * torch.arange(1, output.out_features)[:, None] * time)
    wanted = torch.cat([dividers.double()[:, steps] / DIVIDER_UNIT, cosines])[: output.out_features]
    for channel, targets in enumerate(wanted):
        # Relative errors count, of the cosines absolute ones.
        weights = 1 / targets.abs() if channel < len(dividers) else torch.ones_like(targets)
        weighted = features * weights[:, None]
        gram = weighted.T @ weighted
        penalty = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        solution = torch.linalg.solve(gram + penalty, weighted.T @ (targets * weights))
        output.weight[channel] = solution[:-1]
        output.bias[channel] = solution[-1]


def set_gain_block(
    block: ResnetBlock,
    mixture: Tensor,
    offsets: Tensor,
    place: int,
    divider: int,
    *,
    inner: Tensor,
    outer: Tensor,
) -> Tensor:
    """Make a block add ``(mixture · x − offsets) / divider(time)`` and constants to N channels of its shortcut.

    The block must have N + 2 channels.

    Args:
        block: with time embedding; its shortcut stays as it is.
        mixture: (N, I).
        offsets: (N,).
        place: first of the N output channels; at least two others are free before it or behind.
        divider: channel of the time embedding that :func:`set_time_embedding` made a divider.
        inner: largest deviation of each mixture at noise levels that matter, (N,).
        outer: the same of what is added, (N,).

    Returns:
        The constants, (N,).
    """
    number = len(mixture)
    width = cast(CausalConv, block.block2.block[0]).out_channels
    anchors = [number, number + 1]
    inner, outer = inner.clamp(min=IDLE_BIAS / OPENING), outer.clamp(min=IDLE_BIAS / OPENING)
    size = float((ANCHOR_SHARE * inner.square().sum() / 2).sqrt())
    conv, norm = cast(CausalConv, block.block1.block[0]), cast(ChannelLayerNorm, block.block1.block[1])
    assert conv.bias is not None
    # Closed ReLUs would never learn.
    norm.b.fill_(IDLE_BIAS)
    _set_centre(conv, mixture, -offsets, range(number), anchors)
    for anchor, sign in zip(anchors, (1, -1), strict=True):
        conv.bias[anchor] += sign * size
    _open(norm, range(number), size * math.sqrt(2 / width), OPENING * inner, anchors)
    assert block.mlp is not None
    shift = cast(nn.Linear, block.mlp["1"])
    size = float((ANCHOR_SHARE * outer.square().sum() / 2).sqrt())
    nn.init.zeros_(shift.weight)
    nn.init.zeros_(shift.bias)
    shift.weight[number, divider] = size * DIVIDER_UNIT
    shift.bias[number] = -IDLE_BIAS
    places = range(place, place + number)
    anchors = [channel for channel in range(width) if channel not in places][:2]
    conv, norm = cast(CausalConv, block.block2.block[0]), cast(ChannelLayerNorm, block.block2.block[1])
    _set_centre(conv, torch.eye(number, width), -OPENING * inner, places, anchors)
    for anchor, sign in zip(anchors, (1, -1), strict=True):
        _centre(conv)[anchor, number] += sign
    _open(norm, places, size * math.sqrt(2 / width), OPENING * outer, anchors)
    return OPENING * outer


def _centre(conv: CausalConv) -> Tensor:
    """The tap of the present position, (O, I), as a view."""
    side = conv.kernel_size[1] // 2
    return conv.weight[:, :, -1, side, side]


def _set_centre(conv: CausalConv, mixture: Tensor, offsets: Tensor, places: range, anchors: list[int]) -> None:
    """Make a convolution mix single positions; half of what is missing to a mean of zero goes to each anchor."""
    assert conv.bias is not None
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    rows = slice(places.start, places.stop)
    _centre(conv)[rows, : mixture.shape[1]] = mixture
    conv.bias[rows] = offsets
    for anchor in anchors:
        _centre(conv)[anchor] -= _centre(conv)[rows].sum(0) / 2
        conv.bias[anchor] -= offsets.sum() / 2


def _open(norm: ChannelLayerNorm, places: range, scale: float, biases: Tensor, anchors: list[int]) -> None:
    """Let a norm's ReLU pass some channels times ``scale``, higher by ``biases``; the anchors end here."""
    rows = slice(places.start, places.stop)
    norm.g[0, rows] = scale
    norm.b[0, rows] = biases.view(-1, 1, 1, 1)
    norm.g[0, anchors] = 0.0
