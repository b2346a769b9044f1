"""The residual block, the downsampling and the upsampling of MAGVIT-v2, on (B, C, T, H, W)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .config import MakeNorm
from .conv import CausalConv, depth_to_space, drop_frame, unchanged
from .norm import GroupNorm, apply_affine
from .tiles import LayerTiling


def convolve_activated(norm: GroupNorm, conv: CausalConv, x: Tensor, tiling: LayerTiling | None) -> Tensor:
    """Norm, SiLU, convolution; in tiles only the result has the size of the whole."""
    if tiling is None:
        return conv(F.silu(norm(x)))
    scale, shift = norm.affine_of(x)
    return conv(x, lambda part: F.silu(apply_affine(part, scale, shift)), tiling)


class ResidualBlock(nn.Module):
    """Two causal 3×3×3 convolutions, each after norm and SiLU, around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, make_norm: MakeNorm):
        super().__init__()
        self.norm1 = make_norm(in_channels)
        self.conv1 = CausalConv(in_channels, out_channels, bias=False)
        self.norm2 = make_norm(out_channels)
        self.conv2 = CausalConv(out_channels, out_channels, bias=False)
        self.nin_shortcut = (
            CausalConv(in_channels, out_channels, 1, bias=False) if in_channels != out_channels else None
        )

    def forward(self, x: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """(B, I, T, H, W) to (B, O, T, H, W)."""
        h = convolve_activated(self.norm1, self.conv1, x, tiling)
        h = convolve_activated(self.norm2, self.conv2, h, tiling)
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(x, unchanged, tiling))


class Upsample(nn.Module):
    """A causal convolution whose channels become positions; where time doubles, one surplus frame is dropped.

    T frames become 2 T − 1, so that the first latent frame stays one frame.

    Args:
        channels: of input and output.
        time: 2 where time doubles, else 1.
        space: 2 where height and width double, else 1.
        dropped_frame: index of the frame that is dropped.
    """

    def __init__(self, channels: int, time: int, space: int, dropped_frame: int):
        super().__init__()
        self.time = time
        self.space = space
        self.dropped_frame = dropped_frame
        self.conv1 = CausalConv(channels, channels * time * space * space, bias=True)

    def forward(self, x: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """(B, C, T, H, W) to (B, C, 2 T − 1 or T, H · space, W · space)."""
        if tiling is None:
            return self._rearrange(self.conv1(x))
        num_frames = x.shape[2] * self.time - (self.time - 1)
        out = x.new_empty(*x.shape[:2], num_frames, x.shape[3] * self.space, x.shape[4] * self.space)
        for rows, columns, part in self.conv1.convolved_parts(x, unchanged, tiling):
            place = (slice(span.start * self.space, span.stop * self.space) for span in (rows, columns))
            out[(..., *place)] = self._rearrange(part)
        return out

    def _rearrange(self, x: Tensor) -> Tensor:
        x = depth_to_space(x, self.time, self.space)
        return drop_frame(x, self.dropped_frame) if self.time == 2 else x
