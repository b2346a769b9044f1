"""The parameters of a CDT network, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..card import config_from
from ..errors import TokenizerError

NUM_CONTEXT_LEVELS = 4
"""Levels of the encoder, and of the condition decoder."""
DENOISER_MULTS = (1, 2, 3, 4, 5, 6)
"""Width of each level of the denoiser, in multiples of ``unet_dim``."""


@dataclass(frozen=True)
class CDTConfig:
    """A CDT network. Levels count from 0, the finest."""

    latent_dim: int
    """Channels of the latent."""
    out_channels: int
    """Channels of the finest condition map."""
    context_dim: int = 64
    """Width of the encoder and the condition decoder at the finest level."""
    context_dim_mults: tuple[int, ...] = (1, 2, 3, 4)
    """Width of each of their levels, in multiples of ``context_dim``."""
    unet_dim: int = 64
    """Width of the denoiser at the finest level, and of its time embedding."""
    space_down: tuple[int, ...] = (1, 1, 1, 1)
    """Which levels end by halving height and width."""
    time_down: tuple[int, ...] = (0, 0, 1, 1)
    """Which levels end by halving time."""
    new_upsample: bool = False
    """CDT-B: pixels are repeated and convolved instead of transposed convolutions, and zeros stand before and around a
    clip instead of its repeated edges."""
    num_timesteps: int = 8192
    """Steps of the noise schedule."""
    sample_gamma: float = 0.8
    """Standard deviation of the noise that sampling starts from."""
    condition_times: int = 4
    """Levels of the denoiser that see a condition map."""
    enc_frames: int = 4
    """Frames that the official code encodes at a time at 1024×1024 pixels; more where frames are smaller."""
    dec_frames: int = 1
    """Latents that the official code decodes at a time at 1024×1024 pixels."""
    float16_rounding: bool = False
    """Whether weights are rounded to float16 when they are loaded, as the official evaluation does."""
    float32_layers: bool = True
    """Whether the layers next to the latent and the time embedding compute in float32 whatever the precision of the
    rest, in mixed-precision training too, as in the official code; an ablation without."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CDTConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        config = config_from(cls, parameters, "CDT")
        config._check()
        return config

    def _check(self) -> None:
        for name in ("context_dim_mults", "space_down", "time_down"):
            if len(getattr(self, name)) != NUM_CONTEXT_LEVELS:
                raise TokenizerError(f"CDT parameters: {name} needs {NUM_CONTEXT_LEVELS} values, one a level")
        for name in ("latent_dim", "out_channels", "context_dim", "unet_dim", "num_timesteps", "enc_frames"):
            if getattr(self, name) < 1:
                raise TokenizerError(f"CDT parameters: {name} must be at least 1, but is {getattr(self, name)}")
        if self.dec_frames < 1 or self.sample_gamma <= 0:
            raise TokenizerError("CDT parameters: dec_frames and sample_gamma must be positive")
        if not 0 <= self.condition_times <= NUM_CONTEXT_LEVELS:
            raise TokenizerError(f"CDT parameters: condition_times must lie between 0 and {NUM_CONTEXT_LEVELS}")

    @property
    def context_widths(self) -> tuple[int, ...]:
        """Channels of each level of the encoder."""
        return tuple(self.context_dim * multiple for multiple in self.context_dim_mults)

    @property
    def condition_widths(self) -> tuple[int, ...]:
        """Channels of each condition map, finest first."""
        return (self.out_channels, *self.context_widths[:-1])

    @property
    def denoiser_widths(self) -> tuple[int, ...]:
        """Channels of each level of the denoiser."""
        return tuple(self.unet_dim * multiple for multiple in DENOISER_MULTS)

    @property
    def spatial_factor(self) -> int:
        """Pixels along an edge that a latent position stands for."""
        return 2 ** sum(self.space_down)

    @property
    def temporal_factor(self) -> int:
        """Frames that a latent frame stands for."""
        return 2 ** sum(self.time_down)

    @property
    def replicates(self) -> bool:
        """Whether causal convolutions see repeated edges before and around a clip, and not zeros."""
        return not self.new_upsample

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "causal": True,
            "temporal_compression": self.temporal_factor,
            "spatial_compression": self.spatial_factor,
            "latent_channels": self.latent_dim,
            "codebook_size": None,
        }
