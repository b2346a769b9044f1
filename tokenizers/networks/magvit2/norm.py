"""Group norms, with or without subtraction of the mean, over frames or clips."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NormScope = Literal["frame", "clip"]
"""What statistics are taken over, beside the channels of a group: one frame's pixels, or all frames' pixels."""

EPSILON = 1e-6


class GroupNorm(nn.Module):
    """Normalization of (B, C, T, H, W) over groups of channels.

    With ``centred`` (x − mean) / sqrt(variance + ε), Wu and He 2018 (arXiv:1803.08494), else x / sqrt(mean(x²) + ε).

    Args:
        num_groups: groups of channels; a divisor of ``channels``.
        channels: C.
        scope: what the statistics are taken over; over frames the norm looks neither ahead nor back.
        centred: whether the mean is subtracted.
        affine: whether a learned weight and bias for each channel follow.
    """

    def __init__(self, num_groups: int, channels: int, scope: NormScope, *, centred: bool, affine: bool = True):
        super().__init__()
        self.num_groups = num_groups
        self.scope = scope
        self.centred = centred
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, C, T, H, W)."""
        if self.centred and self.scope == "clip":
            return F.group_norm(x, self.num_groups, self.weight, self.bias, EPSILON)
        return apply_affine(x, *self.affine_of(x))

    def affine_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift (B, C, T or 1, 1, 1), at least float32, that normalize ``x`` or any spatial part of it."""
        groups = x.unflatten(1, (self.num_groups, -1))
        dims = (2, 4, 5) if self.scope == "frame" else (2, 3, 4, 5)
        dtype = torch.promote_types(x.dtype, torch.float32)
        if self.centred:
            variance, mean = torch.var_mean(groups.to(dtype), dims, correction=0, keepdim=True)
            scale = torch.rsqrt(variance + EPSILON)
            shift = -mean * scale
        else:
            # The norm reads the input once and makes no tensor of its size.
            root_sum = torch.linalg.vector_norm(groups, dim=dims, keepdim=True, dtype=dtype)
            num_values = groups.numel() // root_sum.numel()
            scale = torch.rsqrt(root_sum.square() / num_values + EPSILON)
            shift = torch.zeros_like(scale)
        group_channels = groups.shape[2]
        scale, shift = (values.expand(-1, -1, group_channels, -1, -1, -1).flatten(1, 2) for values in (scale, shift))
        if self.weight is None or self.bias is None:
            return scale, shift
        weight, bias = (values.to(dtype).view(-1, 1, 1, 1) for values in (self.weight, self.bias))
        return scale * weight, shift * weight + bias


def apply_affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``x`` · scale + shift, computed in their type and returned in that of ``x``."""
    return torch.addcmul(shift, x.to(scale.dtype), scale).to(x.dtype)
