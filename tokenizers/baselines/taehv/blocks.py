"""Blocks of TAEHV: 2-D convolutions of frames, which see the frame before through a concatenation.

Tensors are (B, T, C, H, W) with channels last in memory, so that frames are folded into the batch without a copy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.kernels.frames import FrameKernels
from ...networks.kernels.inference import infers_on_cpu
from ...networks.kernels.phases import phase_upsample, repeated_pixel_kernels
from ...networks.kernels.winograd import DerivedWeight


class TimeFirstConv2d(nn.Conv2d):
    """2-D convolution of every frame, of videos with time before channels.

    Args:
        in_channels: I.
        out_channels: O.
        kernel: its side.
        stride: of rows and columns.
        padding: zeros around each frame.
        groups: of channels.
        bias: whether there is one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=bias)
        self._keeps_size = (kernel, stride, padding, groups) == (3, 1, 1, 1)
        self._kernels = FrameKernels()
        self._kernels_of_doubled = DerivedWeight(repeated_pixel_kernels)

    def forward(self, input: Tensor) -> Tensor:
        """(B, T, I, H, W) to (B, T, O, H', W')."""
        frames = input.flatten(0, 1)
        if self._keeps_size and infers_on_cpu(input):
            y = self._kernels.convolve(frames, self.weight, self.bias)
        else:
            y = super().forward(frames)
        return y.unflatten(0, input.shape[:2])

    def of_doubled(self, x: Tensor) -> Tensor:
        """The convolution of frames (B, T, I, H, W) whose pixels are repeated 2×2, for a kernel of 3."""
        return _channels_third(phase_upsample(channels_last(x), self._kernels_of_doubled(self.weight), self.bias))


def channels_last(x: Tensor) -> Tensor:
    """(B, T, C, H, W) as (B, T, H, W, C)."""
    return x.permute(0, 1, 3, 4, 2)


def _channels_third(x: Tensor) -> Tensor:
    return x.permute(0, 1, 4, 2, 3)


class MemoryBlock(nn.Module):
    """A residual block that sees each frame beside the one before; before the first frame there are zeros.

    Args:
        convolutions: of 2 C channels, the present frame's before the past one's, to C.
        activates: whether a ReLU ends it.
    """

    def __init__(self, convolutions: nn.Sequential, *, activates: bool = True):
        super().__init__()
        self.conv = convolutions
        self._activates = activates

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to the same."""
        present = channels_last(x)
        past = F.pad(present[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        y = self.conv(_channels_third(torch.cat([present, past], -1))) + x
        return y.relu() if self._activates else y


def memory_block(channels: int) -> MemoryBlock:
    """The usual block: three convolutions of 3 × 3 positions."""
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, channels, 3, padding=1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1),
        )
    )


def wide_memory_block(channels: int, group_width: int) -> MemoryBlock:
    """The block of ``wide``: convolutions of one position, and of 3 × 3 in groups of channels."""
    groups = max(1, channels // group_width)
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1, groups=groups),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1, groups=groups),
        )
    )


def super_memory_block(channels: int) -> MemoryBlock:
    """The block of ``super``: 7 × 7 positions of each channel alone, then two convolutions of one position."""
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, 2 * channels, 7, padding=3, groups=2 * channels, bias=False),
            TimeFirstConv2d(2 * channels, 4 * channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(4 * channels, channels, 1, bias=False),
        ),
        activates=False,
    )


class TimePool(nn.Module):
    """Joins so many frames to one by a convolution of one position, the earlier frame's channels first."""

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.conv = TimeFirstConv2d(factor * channels, channels, 1, bias=False)
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, T / factor, C, H, W)."""
        together = channels_last(x).unflatten(1, (-1, self._factor)).permute(0, 1, 3, 4, 2, 5)
        return self.conv(_channels_third(together.flatten(4)))


class TimeGrow(nn.Module):
    """Makes so many frames of each by a convolution of one position, the earlier frame from the first channels."""

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.conv = TimeFirstConv2d(channels, factor * channels, 1, bias=False)
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, factor · T, C, H, W)."""
        apart = channels_last(self.conv(x)).unflatten(4, (self._factor, -1)).permute(0, 1, 4, 2, 3, 5)
        return _channels_third(apart.flatten(1, 2))


class SoftClamp(nn.Module):
    """x ↦ 3 tanh(x / 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Values to the same shape, within ±3."""
        return torch.tanh(x / 3) * 3


class NearestUpsampling(nn.Module):
    """Doubles height and width by repetition."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, T, C, 2 H, 2 W)."""
        return F.interpolate(x.flatten(0, 1), scale_factor=2, mode="nearest").unflatten(0, x.shape[:2])


class Decoder(nn.Sequential):
    """Layers one after the other; on CPUs, doubled pixels are neither made nor multiplied more than once."""

    def forward(self, input: Tensor) -> Tensor:
        """What the last layer gives."""
        layers = iter(self)
        for layer in layers:
            if isinstance(layer, NearestUpsampling) and infers_on_cpu(input) and input.dtype == torch.float32:
                # A convolution of one position gives the same before and behind the doubling.
                grow, conv = next(layers), next(layers)
                assert isinstance(conv, TimeFirstConv2d)
                input = conv.of_doubled(grow(input))
            else:
                input = layer(input)
        return input
