"""The layers of a CDT network: channel norm, causal convolutions, and changes of resolution.

Tensors are (B, T, H, W, C), contiguous: channels are normalized where they lie, and frames fold into the batch without
a copy. Weights keep their official names and shapes.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.kernels.phases import phase_upsample, repeated_pixel_kernels, transposed_kernels
from ..networks.kernels.winograd import DerivedWeight, convolve_rows, suits, transform_kernel
from .cache import FeatureCache

EPSILON = 1e-5
PIECE_VALUES = 2**18
"""Numbers that are normalized at once on CPUs: 1 MiB in float32, so that they stay in the cache."""
MAX_GATHERED_CHANNELS = 32
"""Up to this many input channels, columns under a wide kernel are gathered into channels first: direct convolutions of
few channels reach a fraction of a CPU's speed."""
LANES = 16
"""Output channels that a CPU computes together; where there are fewer, neighbouring columns fill the rest."""
MIN_ROW_POSITIONS = 1024
"""From this many positions on, the form with half the multiplications is faster than the direct one."""


def runs_fast(x: Tensor) -> bool:
    """Whether a faster form of a layer, equal up to rounding, stands in for the plain one.

    Counting operations on the meta device sees the network as it was published.
    """
    is_plain = not (torch.is_grad_enabled() or torch.compiler.is_compiling())
    return is_plain and not x.is_meta and not torch.is_autocast_enabled(x.device.type)


class ChannelLayerNorm(nn.Module):
    """Normalization over the channels of each position."""

    def __init__(self, channels: int):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, T, H, W, C)."""
        return F.layer_norm(x, x.shape[-1:], self.g.flatten(), self.b.flatten(), EPSILON)

    def rectified(self, x: Tensor, shift: Tensor | None = None, residual: Tensor | None = None) -> Tensor:
        """ReLU of the normalized (B, T, H, W, C), plus ``shift`` (B, C) and ``residual`` (B, T, H, W, C).

        Without gradients ``x`` is overwritten.
        """
        if x.device.type != "cpu" or not runs_fast(x):
            y = F.relu(self(x))
            y = y if shift is None else y + shift[:, None, None, None]
            return y if residual is None else y + residual
        num_rows = max(1, PIECE_VALUES // x.shape[-1])
        for clip in range(x.shape[0]):
            rows = x[clip].flatten(0, 2)
            for start in range(0, rows.shape[0], num_rows):
                piece = rows[start : start + num_rows]
                y = F.relu_(self(piece))
                if shift is not None:
                    y += shift[clip]
                if residual is not None:
                    y += residual[clip].flatten(0, 2)[start : start + num_rows]
                piece.copy_(y)
        return x


def convolve_pixels(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve (B, T, H, W, I) with a kernel (O, I, 1, 1, 1) or (O, I, 1), as a matrix product."""
    return F.linear(x, weight.flatten(1), bias)


class PointwiseConv(nn.Conv3d):
    """Convolution of single positions."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O), in the precision of the weights."""
        return convolve_pixels(input.to(self.weight.dtype), self.weight, self.bias)


class CausalConv(nn.Conv3d):
    """Convolution of each frame and the two before it, that keeps height and width; its kernels are odd.

    Args:
        in_channels: I.
        out_channels: O.
        kernel: side of the kernel in space; 3 in time.
        replicates: whether the first frame stands before the clip and each edge beyond itself, and not zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, replicates: bool):
        super().__init__(in_channels, out_channels, (3, kernel, kernel))
        self.replicates = replicates
        self._kernels = DerivedWeight(transform_kernel)

    def forward(self, input: Tensor, cache: FeatureCache | None = None) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O); without a cache, as a whole clip."""
        num_past, side = self.kernel_size[0] - 1, self.kernel_size[1] // 2
        x = input if cache is None else cache.prepend_past(self, input, num_past)
        missing = input.shape[1] + num_past - x.shape[1]
        if side == 1 and x[..., 0].numel() >= MIN_ROW_POSITIONS and suits(x, self.in_channels, self.out_channels):
            return self._convolve_rows(x, missing)
        regroups = side > 1 and runs_fast(x)
        if self.replicates:
            x, padding = pad_edges(x, missing, side, side), (0, 0, 0)
        else:
            x, padding = F.pad(x, (0, 0, side * regroups, side * regroups, 0, 0, missing, 0)), (0, side, side)
        if regroups and self.in_channels <= MAX_GATHERED_CHANNELS:
            return _convolve_gathered(x, self.weight, self.bias, padding[1])
        if regroups:
            return _convolve_grouped(x, self.weight, self.bias, padding[1])
        return _convolve(x, self.weight, self.bias, padding)

    def _convolve_rows(self, x: Tensor, missing: int) -> Tensor:
        """The form with half the multiplications, of a kernel of side 3; ``x`` lacks ``missing`` frames before it."""
        if self.replicates:
            x, padding = pad_edges(x, missing, 1, 0), (0, 0, 0)
        else:
            x, padding = F.pad(x, (0, 0, 0, 0, 0, 0, missing, 0)), (0, 1, 0)
        y = convolve_rows(x, self._kernels(self.weight), self.bias, partial(_convolve, padding=padding))
        if self.replicates:
            # Rows have zeros beyond their ends there; what edge pixels in their place add is missing.
            for column, tap in ((slice(None, 1), slice(None, 1)), (slice(-1, None), slice(-1, None))):
                y[:, :, :, column] += _convolve(x[:, :, :, column], self.weight[..., tap], None, padding)
        return y.contiguous()


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]) -> Tensor:
    """3-D convolution of (B, T, H, W, I)."""
    return F.conv3d(x.permute(0, 4, 1, 2, 3), weight, bias, padding=padding).permute(0, 2, 3, 4, 1).contiguous()


def _convolve_gathered(x: Tensor, weight: Tensor, bias: Tensor | None, row_padding: int) -> Tensor:
    """Convolve (B, T, H, W, I), padded along W: columns under the kernel become channels."""
    columns = x.unfold(3, weight.shape[-1], 1).flatten(4)
    kernel = weight.permute(0, 1, 4, 2, 3).flatten(1, 2)[..., None]
    return _convolve(columns, kernel, bias, (0, row_padding, 0))


def _convolve_grouped(x: Tensor, weight: Tensor, bias: Tensor | None, row_padding: int) -> Tensor:
    """Convolve (B, T, H, W, I), padded along W: neighbouring columns of the result become channels on the way."""
    out_channels, *_, width = weight.shape
    num_columns = x.shape[3] - width + 1
    size = max(1, LANES // out_channels)
    num_groups = -(-num_columns // size)
    x = F.pad(x, (0, 0, 0, num_groups * size - num_columns))
    # A column's kernel stands as far right in the group's window as the column in the group.
    kernel = torch.cat([F.pad(weight, (column, size - 1 - column)) for column in range(size)])
    bias = None if bias is None else bias.repeat(size)
    y = F.conv3d(x.permute(0, 4, 1, 2, 3), kernel, bias, (1, 1, size), (0, row_padding, 0))
    return y.permute(0, 2, 3, 4, 1).unflatten(4, (size, out_channels)).flatten(3, 4)[:, :, :, :num_columns].contiguous()


def pad_edges(x: Tensor, num_frames: int, rows: int, columns: int) -> Tensor:
    """(B, T, H, W, C) with its first frame ``num_frames`` times before it and its edges repeated in space."""
    if torch.is_grad_enabled():
        edges = (columns, columns, rows, rows, num_frames, 0)
        return F.pad(x.permute(0, 4, 1, 2, 3), edges, mode="replicate").permute(0, 2, 3, 4, 1)
    B, T, H, W, C = x.shape
    y = x.new_empty(B, T + num_frames, H + 2 * rows, W + 2 * columns, C)
    middle = y[:, :, rows : rows + H]
    inner = middle[:, :, :, columns : columns + W]
    inner[:, num_frames:] = x
    inner[:, :num_frames] = x[:, :1]
    middle[:, :, :, :columns] = inner[:, :, :, :1]
    middle[:, :, :, columns + W :] = inner[:, :, :, -1:]
    y[:, :, :rows] = middle[:, :, :1]
    y[:, :, rows + H :] = middle[:, :, -1:]
    return y


def convolve_frames(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    """Convolve each frame of (B, T, H, W, I) with a kernel (O, I, k, k)."""
    y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, bias, stride, padding)
    return y.permute(0, 2, 3, 1).unflatten(0, x.shape[:2]).contiguous()


class Downsample(nn.Module):
    """Halves height and width, rounding up, by a convolution within each frame."""

    def __init__(self, channels: int, replicates: bool):
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, (1, 3, 3))
        self.replicates = replicates

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to (B, T, ⌈H/2⌉, ⌈W/2⌉, C)."""
        padding = 0 if self.replicates else 1
        if self.replicates:
            x = pad_edges(x, 0, 1, 1)
        return convolve_frames(x, self.conv.weight.squeeze(2), self.conv.bias, 2, padding)


class RepeatingUpsample(nn.Module):
    """Doubles height and width: pixels are repeated, then convolved within each frame."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, (1, 5, 5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, I) to (B, T, 2H, 2W, O)."""
        weight = self.conv.weight.squeeze(2)
        if runs_fast(x):
            return phase_upsample(x, repeated_pixel_kernels(weight), self.conv.bias)
        repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return convolve_frames(repeated, weight, self.conv.bias, padding=2)


class TransposedUpsample(nn.Module):
    """Doubles height and width by a transposed convolution within each frame."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.ConvTranspose3d(in_channels, out_channels, (1, 5, 5), (1, 2, 2), (0, 2, 2), (0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, I) to (B, T, 2H, 2W, O)."""
        weight = self.conv.weight.squeeze(2)
        if runs_fast(x):
            return phase_upsample(x, transposed_kernels(weight), self.conv.bias)
        y = F.conv_transpose2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight, self.conv.bias, 2, 2, 1)
        return y.permute(0, 2, 3, 1).unflatten(0, x.shape[:2]).contiguous()


class TimeDownsample(nn.Module):
    """Halves time: each frame of the result sees three frames, the last of them in its own place."""

    def __init__(self, channels: int, replicates: bool):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, 2)
        self.replicates = replicates

    def forward(self, x: Tensor, cache: FeatureCache) -> Tensor:
        """(B, T, H, W, C) to (B, t, H, W, C), t = ⌊(T − 1) / 2⌋ + 1 in a first chunk."""
        x = cache.prepend_past(self, x, 1)
        if cache.starts:
            x = pad_edges(x, 2, 0, 0) if self.replicates else F.pad(x, (0, 0, 0, 0, 0, 0, 2, 0))
        # One 2-D convolution over (frames, positions) needs no copy of the frames in another order.
        y = F.conv2d(x.flatten(2, 3).permute(0, 3, 1, 2), self.conv.weight[..., None], self.conv.bias, (2, 1))
        return y.permute(0, 2, 3, 1).unflatten(2, x.shape[2:4]).contiguous()


class TimeUpsample(nn.Module):
    """Doubles time: two frames come of each, but one of a clip's first."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x: Tensor, cache: FeatureCache) -> Tensor:
        """(B, T, H, W, C) to (B, 2T, H, W, C), or 2T − 1 frames in a first chunk."""
        weight, bias = self.conv.weight, self.conv.bias
        assert bias is not None
        # Neighbouring output channels are the two frames.
        frames = [convolve_pixels(x, weight[half::2], bias[half::2]) for half in range(2)]
        return torch.stack(frames, 2).flatten(1, 2)[:, 1 if cache.starts else 0 :].contiguous()
