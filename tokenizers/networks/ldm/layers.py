"""Layers of latent-diffusion autoencoders (Rombach et al. 2022, arXiv:2112.10752) on video tensors (B, C, T, H, W)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.cubic import cubic_conv
from ..kernels.winograd import DerivedWeight, suits, transform_kernel
from ..memory import Memory, Remembering, join_past, run

TimePadding = Literal["first_frame", "zeros"]
"""What a causal convolution sees before the clip: its first frame, repeated, or zeros."""
PaddingMode = Literal["zeros", "replicate"]
"""What a convolution sees around a frame: zeros, or the positions at its border, repeated."""


def frames_before(x: Tensor, num_frames: int, padding: TimePadding) -> Tensor:
    """The ``num_frames`` frames that stand before a clip ``x`` (B, C, T, H, W)."""
    first = x[:, :, :1].expand(-1, -1, num_frames, -1, -1)
    return torch.zeros_like(first) if padding == "zeros" else first


def pad_past(x: Tensor, num_frames: int, padding: TimePadding) -> Tensor:
    """``x`` (B, C, T, H, W) with ``num_frames`` frames before it."""
    return torch.cat([frames_before(x, num_frames, padding), x], 2) if num_frames else x


class CausalConv3d(Remembering, nn.Conv3d):
    """Convolution over time and space that looks at the present and the past.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel: frames, rows and columns; or one number for all.
        stride: frames, rows and columns; or one number for all.
        spatial_padding: positions added on each side of a frame; ``None``: as many as keep its size at stride 1.
        padding_mode: what these are, zeros or the positions at the border.
        time_padding: what stands before the clip.
        num_past: frames of it; ``None``: one fewer than the kernel has.
        bias: whether there is one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] = 1,
        *,
        spatial_padding: int | None = None,
        padding_mode: PaddingMode = "zeros",
        time_padding: TimePadding = "first_frame",
        num_past: int | None = None,
        bias: bool = True,
    ):
        frames, height, width = (kernel, kernel, kernel) if isinstance(kernel, int) else kernel
        sides = (height // 2, width // 2) if spatial_padding is None else (spatial_padding, spatial_padding)
        super().__init__(
            in_channels, out_channels, kernel, stride, padding=(0, *sides), bias=bias, padding_mode=padding_mode
        )
        self.num_past = frames - 1 if num_past is None else num_past
        self.time_padding: TimePadding = time_padding
        self._kernels = DerivedWeight(transform_kernel)
        self._keeps_size = self.stride == (1, 1, 1) and self.padding == (0, 1, 1) and padding_mode == "zeros"

    def forward(self, input: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, I, T, H, W) to (B, O, T', H', W'), of a clip, or of a piece with what was remembered."""
        if self.num_past:
            start = frames_before(input, self.num_past, self.time_padding)
            input = join_past(self, input, start, self.kernel_size[0] - self.stride[0], memory, 2)
        if self._keeps_size and self.kernel_size[1:] == (3, 3) and suits(input, self.in_channels, self.out_channels):
            y = cubic_conv(input.permute(0, 2, 3, 4, 1), self.weight, self.bias, self._kernels)
            return y.permute(0, 4, 1, 2, 3)
        return super().forward(input)


class NestedConv(Remembering, nn.Module):
    """A convolution whose weights are called ``conv.weight`` and ``conv.bias``."""

    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """What the convolution gives."""
        return run(self.conv, x, memory)


class FrameConv2d(nn.Conv2d):
    """2-D convolution of every frame."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, I, T, H, W) to (B, O, T, H', W')."""
        y = super().forward(input.transpose(1, 2).flatten(0, 1))
        return y.unflatten(0, (input.shape[0], input.shape[2])).transpose(1, 2)


class FrameGroupNorm(nn.GroupNorm):
    """Group norm whose statistics are those of one frame; ``nn.GroupNorm`` takes those of the clip."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        y = super().forward(input.transpose(1, 2).flatten(0, 1))
        return y.unflatten(0, (input.shape[0], input.shape[2])).transpose(1, 2)


class ResidualBlock(Remembering, nn.Module):
    """x ↦ shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))))))."""

    shortcut_name: ClassVar[str] = "nin_shortcut"
    """What the official code calls the shortcut; it exists where a block changes the number of channels."""

    def __init__(
        self, norm1: nn.Module, conv1: nn.Module, norm2: nn.Module, conv2: nn.Module, shortcut: nn.Module | None
    ):
        super().__init__()
        self.norm1 = norm1
        self.conv1 = conv1
        self.norm2 = norm2
        self.conv2 = conv2
        self.add_module(self.shortcut_name, shortcut)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, I, T, H, W) to (B, O, T, H, W), of a clip, or of a piece with what was remembered."""
        shortcut = getattr(self, self.shortcut_name)
        y = run(self.conv1, F.silu(self.norm1(x)), memory)
        y = run(self.conv2, F.silu(self.norm2(y)), memory)
        return y + (x if shortcut is None else shortcut(x))


class FrameAttention(nn.Module):
    """Self-attention among the positions of each frame, with one head, and a residual connection.

    Args:
        norm: what comes first.
        projections: four convolutions with kernels of one position: queries, keys, values and output.
    """

    def __init__(self, norm: nn.Module, projections: tuple[nn.Module, nn.Module, nn.Module, nn.Module]):
        super().__init__()
        self.norm = norm
        self.q, self.k, self.v, self.proj_out = projections

    def attended(self, x: Tensor) -> Tensor:
        """What attention adds to ``x`` (B, C, T, H, W), before the output projection."""
        normalized = self.norm(x)
        # (B, T, 1, H·W, C): one head for each frame.
        q, k, v = (
            projection(normalized).permute(0, 2, 3, 4, 1).flatten(2, 3).unsqueeze(2)
            for projection in (self.q, self.k, self.v)
        )
        y = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))
        B, _, T, H, W = x.shape
        return y.reshape(B, T, H, W, -1).permute(0, 4, 1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        return x + self.proj_out(self.attended(x))
