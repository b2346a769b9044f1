"""The encoder with its bottleneck, and the decoder that turns latents into condition maps."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from ..networks.autocast import without_autocast
from .blocks import WIDE_KERNEL, ResnetBlock
from .cache import FeatureCache
from .config import NUM_CONTEXT_LEVELS, CDTConfig
from .layers import (
    Downsample,
    PointwiseConv,
    RepeatingUpsample,
    TimeDownsample,
    TimeUpsample,
    TransposedUpsample,
)


def upsample(config: CDTConfig, in_channels: int, out_channels: int) -> RepeatingUpsample | TransposedUpsample:
    """The spatial upsampling of the variant."""
    return (RepeatingUpsample if config.new_upsample else TransposedUpsample)(in_channels, out_channels)


class Compressor(nn.Module):
    """Pixels to moments of the posterior, and latents to condition maps, under the official names.

    The layers next to the latent, ``quant_conv`` to ``post_quant_conv_res``, compute in float32, unless the
    configuration says otherwise.
    """

    def __init__(self, config: CDTConfig):
        super().__init__()
        self.config = config
        d1, d2, d3, d4 = config.context_widths
        moments, replicates = 2 * config.latent_dim, config.replicates
        self.quant_conv = PointwiseConv(d4, moments)
        self.post_quant_conv = PointwiseConv(config.latent_dim, d4)
        self.quant_conv_res = nn.ModuleList(
            [
                *(ResnetBlock(i, o, replicates) for i, o in ((d4, d3), (d3, d2), (d2, d1))),
                PointwiseConv(d1, moments),
            ]
        )
        self.post_quant_conv_res = nn.ModuleList(
            [
                PointwiseConv(config.latent_dim, d1),
                *(ResnetBlock(i, o, replicates) for i, o in ((d1, d2), (d2, d3), (d3, d4))),
            ]
        )
        self.enc = nn.ModuleList(_encoder_level(config, level) for level in range(NUM_CONTEXT_LEVELS))
        self.dec = nn.ModuleList(_decoder_level(config, level) for level in reversed(range(NUM_CONTEXT_LEVELS)))

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """What turns pixels into moments."""
        return [self.enc, self.quant_conv, self.quant_conv_res]

    @property
    def decoder_parts(self) -> list[nn.Module]:
        """What turns latents into condition maps."""
        return [self.post_quant_conv, self.post_quant_conv_res, self.dec]

    @property
    def float32_parts(self) -> list[nn.Module]:
        """What computes in float32 whatever the precision of the rest."""
        if not self.config.float32_layers:
            return []
        return [self.quant_conv, self.post_quant_conv, self.quant_conv_res, self.post_quant_conv_res]

    def hidden(self, video: Tensor, cache: FeatureCache) -> Tensor:
        """Features (B, t, h, w, 4d) of (B, T, H, W, 3)."""
        x = video
        for level in self.enc:
            blocks = cast(nn.ModuleDict, level)
            x = blocks["0"](x, cache)
            if "1" in blocks:
                x = blocks["1"](x)
            if "2" in blocks:
                x = blocks["2"](x, cache)
        return x

    def moments(self, hidden: Tensor, cache: FeatureCache) -> Tensor:
        """Mean and log-variance (B, t, h, w, 2C) of the posterior, float32."""
        with without_autocast(hidden, self.config.float32_layers):
            hidden = hidden.to(self.quant_conv.weight.dtype)
            return (self.quant_conv(hidden) + _run(self.quant_conv_res, hidden, cache)).float()

    def conditions(self, latents: Tensor, cache: FeatureCache, *, cached_end: bool = True) -> list[Tensor]:
        """Condition maps, finest first, of latents (B, t, h, w, C).

        Args:
            latents: the decoder's input.
            cache: of the clip.
            cached_end: whether CDT-B's last block remembers earlier chunks; the official code's doesn't.
        """
        with without_autocast(latents, self.config.float32_layers):
            latents = latents.to(self.post_quant_conv.weight.dtype)
            x = self.post_quant_conv(latents) + _run(self.post_quant_conv_res, latents, cache)
        x = x.to(next(self.dec.parameters()).dtype)
        maps: list[Tensor] = []
        for level in self.dec:
            blocks = cast(nn.ModuleDict, level)
            x = blocks["0"](x, cache)
            if "1" in blocks:
                if isinstance(blocks["1"], ResnetBlock):
                    x = blocks["1"](x, cache if cached_end else FeatureCache())
                else:
                    x = blocks["1"](x)
            if "2" in blocks:
                x = blocks["2"](x, cache)
            maps.append(x)
        return maps[::-1]


def _run(layers: nn.ModuleList, x: Tensor, cache: FeatureCache) -> Tensor:
    for layer in layers:
        x = layer(x, cache) if isinstance(layer, ResnetBlock) else layer(x)
    return x


def _encoder_level(config: CDTConfig, level: int) -> nn.ModuleDict:
    width = config.context_widths[level]
    before = config.context_widths[level - 1] if level else 3
    blocks: dict[str, nn.Module] = {
        "0": ResnetBlock(before, width, config.replicates, kernel=3 if level else WIDE_KERNEL)
    }
    if config.space_down[level]:
        blocks["1"] = Downsample(width, config.replicates)
    if config.time_down[level]:
        blocks["2"] = TimeDownsample(width, config.replicates)
    return nn.ModuleDict(blocks)


def _decoder_level(config: CDTConfig, level: int) -> nn.ModuleDict:
    """The mirror image of an encoder's level; the finest block keeps its width until the end."""
    width, out = config.context_widths[level], config.condition_widths[level]
    inner = out if level else width
    blocks: dict[str, nn.Module] = {"0": ResnetBlock(width, inner, config.replicates)}
    if config.space_down[level]:
        blocks["1"] = upsample(config, inner, out)
    elif level == 0:
        blocks["1"] = ResnetBlock(inner, out, config.replicates)
    if config.time_down[level]:
        blocks["2"] = TimeUpsample(out)
    return nn.ModuleDict(blocks)
