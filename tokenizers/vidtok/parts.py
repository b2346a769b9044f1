"""The parts a VidTok network is put together from; encoder and decoder ask for them and know nothing else of them."""

from __future__ import annotations

from torch import nn

from .blocks import MiddleBlock, SpatialResnetBlock, TimeResnetBlock
from .config import VidTokConfig
from .resampling import SpatialDownsample, SpatialUpsample, TimeDownsample, TimeUpsample


class Parts:
    """The parts of the released networks. Every method is called once for each part, from the input to the output.

    A level runs its blocks in pairs, spatial then temporal, and resamples space, then time.
    """

    def __init__(self, config: VidTokConfig):
        self.config = config

    def spatial_block(self, in_channels: int, out_channels: int) -> nn.Module:
        """First of a pair of blocks: ``(x, context)``, (B, T, H, W, I) to (B, T, H, W, O)."""
        return SpatialResnetBlock(self.config, in_channels, out_channels)

    def temporal_block(self, channels: int) -> nn.Module:
        """Second of a pair of blocks: ``(x, context)``, (B, T, H, W, C) to the same shape."""
        return TimeResnetBlock(self.config, channels, spatial=False)

    def middle(self, channels: int) -> nn.Module:
        """What stands at the coarsest resolution: ``(x, context)``, (B, T, H, W, C) to the same shape."""
        return MiddleBlock(self.config, channels, self.middle_block)

    def middle_block(self, channels: int) -> nn.Module:
        """A residual block of the middle: ``(x, context)``, (B, T, H, W, C) to the same shape."""
        return TimeResnetBlock(self.config, channels, spatial=True)

    def spatial_downsample(self, channels: int) -> nn.Module:
        """Called as ``(x)``: (B, T, H, W, C) to (B, T, ⌊H/2⌋, ⌊W/2⌋, C)."""
        return SpatialDownsample(channels)

    def time_downsample(self, channels: int, halves: bool) -> nn.Module | None:
        """Called as ``(x, context)``: (B, T, H, W, C) to (B, ⌊T/2⌋, H, W, C) where it ``halves``."""
        return TimeDownsample(self.config, channels) if halves else None

    def spatial_upsample(self, channels: int) -> nn.Module:
        """Called as ``(x)``: (B, T, H, W, C) to (B, T, 2H, 2W, C)."""
        return SpatialUpsample(channels)

    def time_upsample(self, channels: int, doubles: bool) -> nn.Module | None:
        """Called as ``(x, context)``: (B, T, H, W, C) to (B, 2T, H, W, C) where it ``doubles``."""
        return TimeUpsample(self.config, channels) if doubles else None
