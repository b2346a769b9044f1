"""The constructor parameters of Open-Sora-Plan's CausalVAE, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...card import config_from
from ...errors import TokenizerError

RESNET_BLOCKS = ("ResnetBlock2D", "ResnetBlock3D")
DOWNSAMPLINGS = ("", "Downsample", "Spatial2xTime2x3DDownsample")
UPSAMPLINGS = ("", "SpatialUpsample2x", "Spatial2xTime2x3DUpsample")


@dataclass(frozen=True)
class CausalVAEConfig:
    """A CausalVAE network. Levels count from 0, the full resolution; the defaults are those of v1.2."""

    hidden_size: int = 128
    """Width of the finest level."""
    z_channels: int = 4
    """Half the channels of the encoder's output."""
    embed_dim: int = 4
    """Channels of the latent."""
    hidden_size_mult: tuple[int, ...] = (1, 2, 4, 4)
    """Width of each level, in multiples of ``hidden_size``."""
    num_res_blocks: int = 2
    """Residual blocks an encoder level; a decoder level has one more."""
    encoder_resnet_blocks: tuple[str, ...] = ("ResnetBlock2D", "ResnetBlock2D", "ResnetBlock3D", "ResnetBlock3D")
    """Kind of residual blocks of each encoder level, of :data:`RESNET_BLOCKS`."""
    encoder_spatial_downsample: tuple[str, ...] = (
        "Downsample",
        "Spatial2xTime2x3DDownsample",
        "Spatial2xTime2x3DDownsample",
        "",
    )
    """What ends each encoder level, of :data:`DOWNSAMPLINGS`."""
    decoder_resnet_blocks: tuple[str, ...] = ("ResnetBlock3D", "ResnetBlock3D", "ResnetBlock3D", "ResnetBlock3D")
    """Kind of residual blocks of each decoder level."""
    decoder_spatial_upsample: tuple[str, ...] = (
        "",
        "SpatialUpsample2x",
        "Spatial2xTime2x3DUpsample",
        "Spatial2xTime2x3DUpsample",
    )
    """What ends each decoder level, of :data:`UPSAMPLINGS`."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CausalVAEConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown or contradictory parameters.
        """
        config = config_from(cls, parameters, "Open-Sora-Plan")
        config._check()
        return config

    def _check(self) -> None:
        choices = {
            "encoder_resnet_blocks": RESNET_BLOCKS,
            "decoder_resnet_blocks": RESNET_BLOCKS,
            "encoder_spatial_downsample": DOWNSAMPLINGS,
            "decoder_spatial_upsample": UPSAMPLINGS,
        }
        for name, allowed in choices.items():
            values = getattr(self, name)
            if len(values) != len(self.hidden_size_mult) or not set(values) <= set(allowed):
                raise TokenizerError(
                    f"Open-Sora-Plan parameters: {name} has a value a level, of {', '.join(map(repr, allowed))}"
                )
        for kind, encoded, decoded in (
            ("time", self.encoder_spatial_downsample.count(DOWNSAMPLINGS[2]), self._num_temporal_upsamplings),
            ("space", self._num_downsamplings, len([name for name in self.decoder_spatial_upsample if name])),
        ):
            if encoded != decoded:
                raise TokenizerError(
                    f"Open-Sora-Plan parameters: {encoded} halvings of {kind}, but {decoded} doublings"
                )

    @property
    def _num_downsamplings(self) -> int:
        return len([name for name in self.encoder_spatial_downsample if name])

    @property
    def _num_temporal_upsamplings(self) -> int:
        return self.decoder_spatial_upsample.count(UPSAMPLINGS[2])

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.hidden_size * multiple for multiple in self.hidden_size_mult)

    @property
    def temporal_compression(self) -> int:
        """Frames a latent frame stands for."""
        return 2**self._num_temporal_upsamplings

    @property
    def spatial_compression(self) -> int:
        """Pixels along an edge that a latent position stands for."""
        return 2**self._num_downsamplings

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "temporal_compression": self.temporal_compression,
            "spatial_compression": self.spatial_compression,
            "latent_channels": self.embed_dim,
        }
