"""The causal convolution of MAGVIT-v2, whole or in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .tiles import LayerTiling

Prepare = Callable[[Tensor], Tensor]
"""A function of each position by itself, applied to a convolution's input part by part."""


def unchanged(x: Tensor) -> Tensor:
    """``x`` itself."""
    return x


class CausalConv(nn.Module):
    """3-D convolution over the present and the past; zeros stand before the clip and around each frame.

    ``kernel`` is that of all three axes; height and width are padded on both sides by half of it, also where strided.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: tuple[int, int, int] = (1, 1, 1),
        *,
        bias: bool,
    ):
        super().__init__()
        # The name is that of the public checkpoints.
        self.conv_1 = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=bias)
        self._num_past = kernel - 1
        self._padding = kernel // 2
        self._stride = stride[1:]

    def forward(self, x: Tensor, prepare: Prepare = unchanged, tiling: LayerTiling | None = None) -> Tensor:
        """Convolve ``prepare(x)``: (B, I, T, H, W) to (B, O, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if tiling is None:
            return self._convolve(prepare(x), (self._padding, self._padding, self._padding, self._padding))
        out = None
        for rows, columns, part in self.convolved_parts(x, prepare, tiling):
            if out is None:
                out = part.new_empty(*part.shape[:3], *self.output_size(x))
            out[..., rows, columns] = part
        assert out is not None
        return out

    def convolved_parts(
        self, x: Tensor, prepare: Prepare, tiling: LayerTiling
    ) -> Iterator[tuple[slice, slice, Tensor]]:
        """Each part of the output, with its rows and columns."""
        height, width = x.shape[3:]
        for rows, columns in tiling.parts(*self.output_size(x)):
            rows_read, above, below = self._read(rows, height, self._stride[0])
            columns_read, left, right = self._read(columns, width, self._stride[1])
            yield rows, columns, self._convolve(prepare(x[..., rows_read, columns_read]), (left, right, above, below))

    def output_size(self, x: Tensor) -> tuple[int, int]:
        """Height and width of the output."""
        height, width = ((side - 1) // stride + 1 for side, stride in zip(x.shape[3:], self._stride, strict=True))
        return height, width

    def _read(self, part: slice, length: int, stride: int) -> tuple[slice, int, int]:
        """The input positions that a part of the output reads, and how many beyond either border."""
        start = part.start * stride - self._padding
        stop = (part.stop - 1) * stride - self._padding + self._num_past + 1
        return slice(max(start, 0), min(stop, length)), max(-start, 0), max(stop - length, 0)

    def _convolve(self, x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
        left, right, above, below = padding
        if left == right and above == below:
            # The convolution pads height and width itself, without a copy.
            x = F.pad(x, (0, 0, 0, 0, self._num_past, 0)) if self._num_past else x
            return F.conv3d(x, self.conv_1.weight, self.conv_1.bias, self.conv_1.stride, (0, above, left))
        return self.conv_1(F.pad(x, (*padding, self._num_past, 0)))


def depth_to_space(x: Tensor, time: int, space: int) -> Tensor:
    """Channels to positions: (B, time · space² · C, T, H, W) to (B, C, T · time, H · space, W · space).

    The channel index counts, from the most to the least significant part, time, row, column and channel.
    """
    B, channels, T, H, W = x.shape
    C = channels // (time * space * space)
    x = x.view(B, time, space, space, C, T, H, W).permute(0, 4, 5, 1, 6, 2, 7, 3)
    return x.reshape(B, C, T * time, H * space, W * space)


def drop_frame(x: Tensor, index: int) -> Tensor:
    """(B, C, T, H, W) without frame ``index``."""
    if index == 0:
        return x[:, :, 1:]
    return torch.cat([x[:, :, :index], x[:, :, index + 1 :]], 2)
