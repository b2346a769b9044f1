"""The ablated architectures of Table 2 of the VidTok paper (Tang et al., arXiv:2412.13061), as parts of the network.

The paper describes each in a few words and gives its parameters and multiply-adds. The parts here are the ones whose
counts come nearest to those.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import SpatialResnetBlock, TimeResnetBlock
from .config import Architecture, VidTokConfig
from .context import TimeContext, double_frames
from .layers import CausalConv, activate, make_norm, prepend, temporal_conv1d, temporal_conv3d
from .parts import Parts


class Unchanged(nn.Module):
    """Stands where an architecture has no part of its own."""

    def forward(self, x: Tensor, context: TimeContext | None = None) -> Tensor:
        """The input itself."""
        return x


class VolumeResnetBlock(nn.Module):
    """Two 3×3×3 convolutions, each after norm and SiLU, around a shortcut."""

    def __init__(self, config: VidTokConfig, in_channels: int, out_channels: int):
        super().__init__()
        self.norm1 = make_norm(config.norm_type, in_channels, "frame")
        self.conv1 = temporal_conv3d(in_channels, out_channels, 3, config.causal)
        self.norm2 = make_norm(config.norm_type, out_channels, "frame")
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = temporal_conv3d(out_channels, out_channels, 3, config.causal)
        changes = in_channels != out_channels
        self.nin_shortcut = temporal_conv3d(in_channels, out_channels, 1, config.causal) if changes else None

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O)."""
        h = self.conv1(activate(self.norm1(x)), context)
        h = self.conv2(self.dropout(activate(self.norm2(h))), context)
        return (x if self.nin_shortcut is None else self.nin_shortcut(x, context)) + h


class VolumeDownsample(nn.Module):
    """One causal 3×3×3 convolution that halves space, and time too if it ``halves``.

    Zeros stand around the picture as in :class:`SpatialDownsample`: one row and column beyond its last ones.
    """

    def __init__(self, channels: int, halves: bool):
        super().__init__()
        self.conv = CausalConv(nn.Conv3d(channels, channels, 3, stride=(2 if halves else 1, 2, 2)))

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, T or ⌊T/2⌋, ⌊H/2⌋, ⌊W/2⌋, C)."""
        conv = self.conv.conv
        num_past = conv.kernel_size[0] - conv.stride[0]
        padded = F.pad(prepend(context.past(self, x, num_past), x, num_past), (0, 0, 0, 1, 0, 1))
        y = F.conv3d(padded.permute(0, 4, 1, 2, 3), conv.weight, conv.bias, conv.stride)
        return y.permute(0, 2, 3, 4, 1)


class VolumeUpsample(nn.Module):
    """Every pixel repeated to 2×2, and every frame twice if it ``doubles``, then a causal 3×3×3 convolution."""

    def __init__(self, channels: int, doubles: bool):
        super().__init__()
        self.doubles = doubles
        self.conv = temporal_conv3d(channels, channels, 3, causal=True)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, T or 2T, 2H, 2W, C)."""
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return self.conv(double_frames(x) if self.doubles else x, context)


class PlainTimeDownsample(nn.Module):
    """A causal convolution of three frames, then the average of three frames at every second one."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = temporal_conv1d(channels, causal=True)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, ⌊T/2⌋, H, W, C)."""
        y = self.conv(x, context)
        y = prepend(context.past(self, y, 1), y, 1)
        return (y[:, :-2:2] + y[:, 1:-1:2] + y[:, 2::2]) / 3


class PlainTimeUpsample(nn.Module):
    """Every frame twice, then a causal convolution of three frames."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = temporal_conv1d(channels, causal=True)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, 2T, H, W, C)."""
        return self.conv(double_frames(x), context)


class FactorizedBlock(nn.Module):
    """A spatial and a temporal residual block, in the place of one 3-D block."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.spatial = SpatialResnetBlock(config, channels, channels)
        self.temporal = TimeResnetBlock(config, channels, spatial=False)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to the same shape."""
        return self.temporal(self.spatial(x, context), context)


class Fully3DParts(Parts):
    """Variant 1: 3-D residual blocks instead of pairs of 2-D and 1-D ones; one 3-D convolution resamples both."""

    def spatial_block(self, in_channels: int, out_channels: int) -> nn.Module:
        """A 3-D residual block for the pair."""
        return VolumeResnetBlock(self.config, in_channels, out_channels)

    def temporal_block(self, channels: int) -> nn.Module:
        """Nothing."""
        return Unchanged()

    def spatial_downsample(self, channels: int) -> nn.Module:
        """Nothing: done with time."""
        return Unchanged()

    def time_downsample(self, channels: int, halves: bool) -> nn.Module:
        """Space halved, and time where it ``halves``."""
        return VolumeDownsample(channels, halves)

    def spatial_upsample(self, channels: int) -> nn.Module:
        """Nothing: done with time."""
        return Unchanged()

    def time_upsample(self, channels: int, doubles: bool) -> nn.Module:
        """Space doubled, and time where it ``doubles``."""
        return VolumeUpsample(channels, doubles)


class WithoutAlphaBlenderParts(Parts):
    """Variant 2: time is resampled by 1-D convolutions alone, without a blend and without a 3-D convolution."""

    def time_downsample(self, channels: int, halves: bool) -> nn.Module | None:
        """A 1-D convolution, then an average."""
        return PlainTimeDownsample(channels) if halves else None

    def time_upsample(self, channels: int, doubles: bool) -> nn.Module | None:
        """A repetition, then a 1-D convolution."""
        return PlainTimeUpsample(channels) if doubles else None


class Without3DParts(Parts):
    """Variant 3: the middle has pairs of 2-D and 1-D residual blocks, as all levels do."""

    def middle_block(self, channels: int) -> nn.Module:
        """A spatial and a temporal block instead of a 3-D one."""
        return FactorizedBlock(self.config, channels)


PARTS: dict[Architecture, type[Parts]] = {
    "vidtok": Parts,
    "fully_3d": Fully3DParts,
    "without_alphablender": WithoutAlphaBlenderParts,
    "without_3d": Without3DParts,
}
"""The parts of each architecture."""


def parts_of(config: VidTokConfig) -> Parts:
    """The parts of a network."""
    return PARTS[config.architecture](config)
