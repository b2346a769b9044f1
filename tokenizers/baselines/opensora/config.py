"""The constructor parameters of Open-Sora's video autoencoder, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...card import config_from
from ...errors import TokenizerError


@dataclass(frozen=True)
class TemporalConfig:
    """The autoencoder over time."""

    in_out_channels: int = 4
    """Channels of the image latents."""
    latent_embed_dim: int = 4
    """Half the channels of the encoder's output."""
    embed_dim: int = 4
    """Channels of the latent."""
    filters: int = 128
    """Width of the finest level."""
    num_res_blocks: int = 4
    """Residual blocks a level, and at the coarse end."""
    channel_multipliers: tuple[int, ...] = (1, 2, 2, 4)
    """Width of each level, in multiples of ``filters``."""
    temporal_downsample: tuple[bool, ...] = (False, True, True)
    """Whether time is halved behind each level but the last."""
    num_groups: int = 32
    """Groups of every group norm."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.filters * multiplier for multiplier in self.channel_multipliers)

    @property
    def temporal_compression(self) -> int:
        """Frames a latent frame stands for."""
        return 2 ** sum(self.temporal_downsample)


@dataclass(frozen=True)
class OpenSoraConfig:
    """Both autoencoders, and how latents pass between them."""

    spatial: Mapping[str, Any]
    """Constructor parameters of diffusers' ``AutoencoderKL``."""
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    scale: tuple[float, ...] = (3.85, 2.32, 2.33, 3.06)
    """Standard deviation of each latent channel: latents are divided by it."""
    shift: tuple[float, ...] = (-0.10, 0.34, 0.27, 0.98)
    """Mean of each latent channel, subtracted before."""
    spatial_latent_factor: float = 0.18215
    """What image latents are multiplied by before the autoencoder over time sees them."""
    micro_frame_size: int = 17
    """Frames that go through the autoencoder over time at once; each such chunk is independent."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> OpenSoraConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        temporal = config_from(TemporalConfig, parameters.get("temporal", {}), "Open-Sora temporal")
        config = config_from(cls, {**parameters, "temporal": temporal}, "Open-Sora")
        config._check()
        return config

    @property
    def spatial_compression(self) -> int:
        """Pixels along an edge that a latent position stands for."""
        return 2 ** (len(self.spatial["block_out_channels"]) - 1)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "temporal_compression": self.temporal.temporal_compression,
            "spatial_compression": self.spatial_compression,
            "latent_channels": self.temporal.embed_dim,
        }

    def _check(self) -> None:
        temporal = self.temporal
        if "block_out_channels" not in self.spatial:
            raise TokenizerError("Open-Sora parameters: spatial.block_out_channels is missing")
        if len(temporal.temporal_downsample) != len(temporal.channel_multipliers) - 1:
            raise TokenizerError("Open-Sora parameters: temporal_downsample has one value for each level but the last")
        if self.spatial.get("latent_channels", 4) != temporal.in_out_channels:
            raise TokenizerError("Open-Sora parameters: spatial.latent_channels must equal temporal.in_out_channels")
        if not len(self.scale) == len(self.shift) == temporal.embed_dim:
            raise TokenizerError("Open-Sora parameters: scale and shift have one value for each of embed_dim channels")
        if self.micro_frame_size < 1:
            raise TokenizerError("Open-Sora parameters: micro_frame_size must be at least 1")
