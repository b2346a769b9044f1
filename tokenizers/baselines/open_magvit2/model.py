"""The Open-MAGVIT2 video network under its official state-dict names."""

from __future__ import annotations

from torch import Tensor, nn

from ...networks.magvit2.blocks import convolve_activated
from ...networks.magvit2.config import MakeNorm
from ...networks.magvit2.conv import CausalConv
from ...networks.magvit2.norm import EPSILON, GroupNorm
from ...networks.magvit2.trunk import DecoderTrunk, EncoderTrunk
from ...networks.quantizers.lfq import LFQuantizer
from .config import OpenMagvit2Config

DROPPED_FRAME = 1
"""Where time doubles, the frame of this index is dropped: the first one, and from the third on, are kept."""


class AdaptiveGroupNorm(nn.Module):
    """Group norm whose scale and shift follow from the standard deviation and the mean of the latent."""

    def __init__(self, latent_channels: int, channels: int, num_groups: int):
        super().__init__()
        self.norm = GroupNorm(num_groups, channels, "clip", centred=True, affine=False)
        self.gamma = nn.Linear(latent_channels, channels)
        self.beta = nn.Linear(latent_channels, channels)

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        """Normalize (B, C, T, H, W) by latents (B, Z, t, h, w), whose statistics are taken over t, h and w."""
        values = latents.flatten(2)
        # The unbiased variance, as official; of a single value it doesn't exist.
        deviation = (values.var(2, correction=min(1, values.shape[2] - 1)) + EPSILON).sqrt()
        scale, shift = (y[..., None, None, None] for y in (self.gamma(deviation), self.beta(values.mean(2))))
        return self.norm(x) * scale + shift


class Encoder(EncoderTrunk):
    """From frames to what the quantizer takes."""

    def __init__(self, config: OpenMagvit2Config):
        super().__init__(config.trunk, _make_norm(config))
        width = config.trunk.widths[-1]
        self.norm_out = _make_norm(config)(width)
        self.conv_out = CausalConv(width, config.z_channels, 1, bias=True)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, Z, t, h, w)."""
        return convolve_activated(self.norm_out, self.conv_out, self.features(video), None)


class Decoder(DecoderTrunk):
    """From quantized latents to frames; every level starts with an adaptive norm."""

    def __init__(self, config: OpenMagvit2Config):
        super().__init__(config.trunk, _make_norm(config), DROPPED_FRAME)
        widths = config.trunk.widths
        self.conv_in = CausalConv(config.z_channels, widths[-1], bias=True)
        self.adaptive = nn.ModuleList(
            AdaptiveGroupNorm(config.z_channels, width, config.num_groups) for width in (*widths[1:], widths[-1])
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(B, Z, t, h, w) to (B, 3, T, H, W), not clamped."""
        features = self.conv_in(latents)
        return self.frames(features, level_norm=lambda level, x: self.adaptive[level](x, latents))


class OpenMagvit2Model(nn.Module):
    """Encoder, sign quantization, decoder. Statistics over whole clips make it not strictly causal."""

    def __init__(self, config: OpenMagvit2Config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quantizer = LFQuantizer(config.z_channels)
        self.decoder = Decoder(config)


def _make_norm(config: OpenMagvit2Config) -> MakeNorm:
    return lambda channels: GroupNorm(config.num_groups, channels, "clip", centred=True)
