"""The layers of a VidTok network: norms, and convolutions over space, time or both.

Tensors are (B, T, H, W, C), contiguous: frames fold into the batch, and positions into rows, without a copy. Weights
keep the shapes of torch's own convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.kernels.cubic import conv3d, cubic_conv
from ..networks.kernels.inference import infers_on_cpu
from ..networks.kernels.packing import convolve, pack_kernel
from ..networks.kernels.strips import (
    Fill,
    PaddedFrames,
    activate_into,
    convolve_strip,
    row_strips,
    strip_kernels,
)
from ..networks.kernels.winograd import DerivedWeight, convolve_rows, suits, transform_kernel
from .config import NormType
from .context import TimeContext

NormScope = Literal["vector", "pixel", "frame", "clip"]
"""What a group norm takes its statistics over, beside the channels of a group: one position; one pixel's frames; one
frame's pixels; everything."""

THIN_CHANNELS = 8
"""Up to this many channels, in or out, libraries are slow at 3-D convolutions: those of pictures and latents."""
NUM_GROUPS = 32
EPSILON = 1e-6


class LayerNorm(nn.Module):
    """Normalization over the channels of each position."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, T, H, W, C)."""
        return self.norm(x)


class GroupNorm(nn.GroupNorm):
    """Normalization over groups of channels and the positions of ``scope``."""

    def __init__(self, channels: int, scope: NormScope):
        super().__init__(NUM_GROUPS, channels, eps=EPSILON)
        self.scope = scope

    def forward(self, input: Tensor) -> Tensor:
        """Normalize (B, T, H, W, C)."""
        B, T, H, W, C = input.shape
        if self.scope == "clip":
            return super().forward(input.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        if self.scope == "frame":
            return super().forward(input.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(input.shape)
        if self.scope == "vector":
            return super().forward(input.reshape(-1, C)).view(input.shape)
        pixels = super().forward(input.permute(0, 2, 3, 4, 1).reshape(B * H * W, C, T))
        return pixels.view(B, H, W, C, T).permute(0, 4, 1, 2, 3).contiguous()


def make_norm(norm_type: NormType, channels: int, scope: NormScope) -> LayerNorm | GroupNorm:
    """The norm of a layer; ``scope`` matters to group norm alone."""
    return LayerNorm(channels) if norm_type == "layernorm" else GroupNorm(channels, scope)


def activate(x: Tensor) -> Tensor:
    """SiLU of a tensor that the caller needs no more."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """2-D convolution of every frame."""
    y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, bias, stride, padding)
    return y.permute(0, 2, 3, 1).unflatten(0, x.shape[:2])


def prepend(past: Tensor | None, x: Tensor, num_frames: int) -> Tensor:
    """``x`` with ``num_frames`` frames before it: ``past``, or zeros where that is ``None``."""
    if num_frames == 0:
        return x
    return F.pad(x, (0, 0, 0, 0, 0, 0, num_frames, 0)) if past is None else torch.cat([past, x], 1)


class SpatialConv(nn.Conv2d):
    """Convolution within each frame, of odd kernel, that keeps the frame's size."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int):
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self._kernels = DerivedWeight(strip_kernels)

    def forward(self, input: Tensor) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O)."""
        if self.kernel_size[0] == 3 and suits(input, self.in_channels, self.out_channels):
            return convolve_rows(input, self._kernels(self.weight), self.bias, _convolve_columns)
        return conv2d(input, self.weight, self.bias, padding=self.kernel_size[0] // 2)

    def rows_of_activated(
        self, frames: Tensor, norm: LayerNorm | GroupNorm, rows: slice, out: Tensor | None = None
    ) -> Tensor:
        """Rows of the convolution of SiLU(norm(frames)): (N, H, W, I) to (N, rows, W, O), for a kernel of 3.

        They are written to ``out``, if that is given.
        """
        return convolve_strip(frames, rows, self.weight, self.bias, self._kernels, _activated(norm), out)


def _convolve_columns(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return convolve(x.flatten(0, 1), kernel, bias, (1, 0)).unflatten(0, x.shape[:2])


class CausalConv(nn.Module):
    """Convolution over time (1-D) or time and space (3-D) that looks at the present and the past."""

    def __init__(self, conv: nn.Conv1d | nn.Conv3d):
        super().__init__()
        self.conv = conv
        self._kernels = DerivedWeight(transform_kernel)
        self._kernel_of_frames = DerivedWeight(_kernel_of_frames)
        self._joined_taps = DerivedWeight(_join_taps)
        self._stacked_taps = DerivedWeight(stack_taps)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O)."""
        num_past = self.conv.kernel_size[0] - 1
        past = context.past(self, x, num_past) if num_past else None
        if isinstance(self.conv, nn.Conv1d):
            return convolve_time(x, self._kernel_of_frames(self.conv.weight), self.conv.bias, num_past, past)
        padded = prepend(past, x, num_past)
        if self.conv.kernel_size[1] == 1:
            return conv3d(padded, self.conv.weight, self.conv.bias, 1, (0, 0, 0))
        if self.conv.in_channels <= THIN_CHANNELS and infers_on_cpu(x):
            joined = torch.cat([padded[:, tap : tap + x.shape[1]] for tap in range(num_past + 1)], -1)
            return conv2d(joined, self._joined_taps(self.conv.weight), self.conv.bias, padding=1)
        return cubic_conv(padded, self.conv.weight, self.conv.bias, self._kernels)

    def of_activated(self, x: Tensor, context: TimeContext, memory: PaddedFrames) -> Tensor:
        """The convolution of SiLU(x) over time, for 1-D ones without gradients."""
        num_past = self.conv.kernel_size[0] - 1
        padded, present = memory.around(x, num_past, 0)
        activate_into(present, x)
        past = context.past(self, present, num_past)
        if past is not None:
            padded[:, :num_past] = past
        return _convolve_frames(padded, self._kernel_of_frames(self.conv.weight), self.conv.bias)

    def of_normalized(self, x: Tensor, norm: LayerNorm | GroupNorm, context: TimeContext) -> Tensor:
        """The convolution of SiLU(norm(x)), for 3-D ones; overwrites nothing."""
        if self.conv.out_channels > THIN_CHANNELS or not infers_on_cpu(x):
            return self(activate(norm(x)), context)
        B, T, H, W, _ = x.shape
        num_taps, num_outputs = self.conv.kernel_size[0], self.conv.out_channels
        weight = self._stacked_taps(self.conv.weight)
        taps = x.new_empty(B, T, H, W, num_taps * num_outputs)
        for frame, result in zip(x.flatten(0, 1)[:, None], taps.flatten(0, 1)[:, None], strict=True):
            for rows in norm_strips(frame, norm):
                convolve_strip(frame, rows, weight, None, self._kernels, _activated(norm), result[:, rows])
        taps = prepend(context.past(self, taps, num_taps - 1), taps, num_taps - 1)
        shifted = (taps[:, tap : tap + T, ..., tap * num_outputs :][..., :num_outputs] for tap in range(num_taps))
        out = sum(shifted, start=torch.zeros((), dtype=x.dtype))
        return out if self.conv.bias is None else out + self.conv.bias


class CentredConv1d(nn.Conv1d):
    """Convolution over time that looks as far ahead as back; zeros stand before and after the clip."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int):
        super().__init__(in_channels, out_channels, kernel)
        self._kernel_of_frames = DerivedWeight(_kernel_of_frames)

    def forward(self, input: Tensor, context: TimeContext | None = None) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O), whatever the context."""
        return convolve_time(input, self._kernel_of_frames(self.weight), self.bias, self.kernel_size[0] // 2)

    def of_activated(self, x: Tensor, context: TimeContext, memory: PaddedFrames) -> Tensor:
        """The convolution of SiLU(x), without gradients."""
        side = self.kernel_size[0] // 2
        padded, present = memory.around(x, side, side)
        activate_into(present, x)
        return _convolve_frames(padded, self._kernel_of_frames(self.weight), self.bias)


class CentredConv3d(nn.Conv3d):
    """Convolution over time and space that looks as far ahead as back; zeros stand before and after the clip."""

    def forward(self, input: Tensor, context: TimeContext | None = None) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O), whatever the context."""
        side = self.kernel_size[0] // 2
        return conv3d(input, self.weight, self.bias, 1, (side, side, side))


TemporalConv = CausalConv | CentredConv1d | CentredConv3d


def temporal_conv1d(channels: int, causal: bool) -> CausalConv | CentredConv1d:
    """A convolution of three frames."""
    return CausalConv(nn.Conv1d(channels, channels, 3)) if causal else CentredConv1d(channels, channels, 3)


def temporal_conv3d(in_channels: int, out_channels: int, kernel: int, causal: bool) -> TemporalConv:
    """A cubic convolution over time and space."""
    if causal:
        return CausalConv(nn.Conv3d(in_channels, out_channels, kernel))
    return CentredConv3d(in_channels, out_channels, kernel)


def convolve_normalized(conv: TemporalConv, norm: LayerNorm | GroupNorm, x: Tensor, context: TimeContext) -> Tensor:
    """The convolution of SiLU(norm(x)), as at the end of a network."""
    if isinstance(conv, CausalConv):
        return conv.of_normalized(x, norm, context)
    return conv(activate(norm(x)), context)


def convolve_time(x: Tensor, kernel: Tensor, bias: Tensor | None, num_past: int, past: Tensor | None = None) -> Tensor:
    """Convolve (B, T, H, W, I) over time: out[t] = bias + Σ_k kernel[k] x[t + k − num_past].

    ``kernel`` is (O, I, K, 1). Frames before ``x`` are ``past`` (B, num_past, H, W, I), or zeros where that is
    ``None``; K − 1 − num_past frames of zeros stand after it.
    """
    num_future = kernel.shape[2] - 1 - num_past
    padded = prepend(past, x, num_past)
    if num_future:
        padded = F.pad(padded, (0, 0, 0, 0, 0, 0, 0, num_future))
    return _convolve_frames(padded, kernel, bias)


def _convolve_frames(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    # One 2-D convolution over (frames, positions): faster on CPUs than the 3-D or the folded 1-D form.
    return convolve(x.flatten(2, 3), kernel, bias).unflatten(2, x.shape[2:4])


def _activated(norm: LayerNorm | GroupNorm) -> Fill:
    """What writes SiLU(norm(x)) of frames x (N, R, W, C)."""

    def fill(target: Tensor, source: Tensor) -> None:
        activate_into(target, norm(source[None])[0])

    return fill


def norm_strips(frames: Tensor, norm: LayerNorm | GroupNorm) -> Iterable[slice]:
    """Rows of (N, H, W, C) that a convolution takes at once: all of them where a norm is over the whole frame."""
    return row_strips(frames) if isinstance(norm, LayerNorm) else [slice(0, frames.shape[1])]


def stack_taps(weight: Tensor) -> Tensor:
    """The kernels (3 O, I, 3, 3) of the three frames that (O, I, 3, 3, 3) sees."""
    return torch.cat(weight.unbind(2)).contiguous(memory_format=torch.channels_last)


def _join_taps(weight: Tensor) -> Tensor:
    """The kernel (O, 3 I, 3, 3) of three frames at once, for (O, I, 3, 3, 3)."""
    return torch.cat(weight.unbind(2), 1).contiguous(memory_format=torch.channels_last)


def _kernel_of_frames(weight: Tensor) -> Tensor:
    """(O, I, K) as the kernel (O, I, K, 1) of a convolution over frames and positions."""
    return pack_kernel(weight[..., None])
