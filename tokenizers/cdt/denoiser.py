"""The denoiser: a causal U-Net that predicts the clean video from a noisy one and the condition maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from ..networks.autocast import without_autocast
from .blocks import WIDE_KERNEL, AttentionBlock, ResnetBlock, concatenate, match_size
from .cache import FeatureCache
from .compressor import upsample
from .config import DENOISER_MULTS, CDTConfig
from .layers import CausalConv, ChannelLayerNorm, Downsample, TimeDownsample, TimeUpsample

NUM_LEVELS = len(DENOISER_MULTS)
EXTRA_SPACE_DOWN = (1, 0)
"""Of the levels that the encoder doesn't have."""
EXTRA_TIME_DOWN = (0, 0)


class Denoiser(nn.Module):
    """Noisy frames, their place in the noise schedule and condition maps to clean frames, under the official names."""

    def __init__(self, config: CDTConfig):
        super().__init__()
        self.config = config
        u, widths = config.unet_dim, config.denoiser_widths
        self.space_down = (*config.space_down, *EXTRA_SPACE_DOWN)
        self.time_down = (*config.time_down, *EXTRA_TIME_DOWN)
        self.time_mlp = nn.Sequential(nn.Linear(1, 4 * u), nn.GELU(), nn.Linear(4 * u, u))
        self.downs = nn.ModuleList(self._down_level(level) for level in range(NUM_LEVELS))
        self.ups = nn.ModuleList(self._up_level(level) for level in range(NUM_LEVELS - 1, 0, -1))
        self.mid_block1 = self._block(widths[-1], widths[-1])
        self.mid_attn = AttentionBlock(widths[-1])
        self.mid_block2 = self._block(widths[-1], widths[-1])
        self.final_conv = nn.ModuleList(
            [ChannelLayerNorm(u), CausalConv(u, 3, WIDE_KERNEL, replicates=config.replicates)]
        )

    @property
    def float32_parts(self) -> list[nn.Module]:
        """What computes in float32 whatever the precision of the rest."""
        return [self.time_mlp] if self.config.float32_layers else []

    def forward(self, noisy: Tensor, time: Tensor, conditions: Sequence[Tensor], cache: FeatureCache) -> Tensor:
        """Predict the clean frames.

        Args:
            noisy: (B, T, H, W, 3).
            time: (B, 1), index in the noise schedule over its length, float32.
            conditions: maps, finest first, of :meth:`Compressor.conditions`.
            cache: of the clip and the sampling step.

        Returns:
            (B, T, H, W, 3), float32.
        """
        with without_autocast(time, self.config.float32_layers):
            embedding = self.time_mlp(time.to(next(self.time_mlp.parameters()).dtype))
        x = noisy.to(next(self.downs.parameters()).dtype)
        skips: list[Tensor] = []
        for level, down in enumerate(self.downs):
            blocks = cast(nn.ModuleDict, down)
            if self._is_conditioned(level):
                x = concatenate(x, conditions[level])
            x = blocks["1"](blocks["0"](x, cache, embedding), cache, embedding)
            x = blocks["2"](x)
            if level:
                skips.append(x)
            if "3" in blocks:
                x = blocks["3"](x)
            if "4" in blocks:
                x = blocks["4"](x, cache)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, cache, embedding)), cache, embedding)
        for up in self.ups:
            blocks = cast(nn.ModuleDict, up)
            skip = skips.pop()
            x = concatenate(match_size(x, skip), skip)
            x = blocks["1"](blocks["0"](x, cache, embedding), cache, embedding)
            x = blocks["2"](x)
            if "3" in blocks:
                x = blocks["3"](x)
            if "4" in blocks:
                x = blocks["4"](x, cache)
        return self.final_conv[1](self.final_conv[0](x), cache).float()

    def _is_conditioned(self, level: int) -> bool:
        return level < self.config.condition_times

    def _block(self, in_channels: int, out_channels: int, kernel: int = 3) -> ResnetBlock:
        config = self.config
        return ResnetBlock(in_channels, out_channels, config.replicates, time_channels=config.unet_dim, kernel=kernel)

    def _down_level(self, level: int) -> nn.ModuleDict:
        widths = self.config.denoiser_widths
        width, before = widths[level], widths[level - 1] if level else 3
        if self._is_conditioned(level):
            before += self.config.condition_widths[level]
        blocks: dict[str, nn.Module] = {
            "0": self._block(before, width, 3 if level else WIDE_KERNEL),
            "1": self._block(width, width),
            "2": AttentionBlock(width),
        }
        if self.space_down[level]:
            blocks["3"] = Downsample(width, self.config.replicates)
        if self.time_down[level]:
            blocks["4"] = TimeDownsample(width, self.config.replicates)
        return nn.ModuleDict(blocks)

    def _up_level(self, level: int) -> nn.ModuleDict:
        """From a level to the one above it."""
        width, out = self.config.denoiser_widths[level], self.config.denoiser_widths[level - 1]
        blocks: dict[str, nn.Module] = {
            "0": self._block(2 * width, out),
            "1": self._block(out, out),
            "2": AttentionBlock(out),
        }
        if self.space_down[level - 1]:
            blocks["3"] = upsample(self.config, out, out)
        if self.time_down[level - 1]:
            blocks["4"] = TimeUpsample(out)
        return nn.ModuleDict(blocks)
