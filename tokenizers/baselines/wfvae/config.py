"""The constructor parameters of WF-VAE, under their official names, ``dowmsample`` among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...card import config_from
from ...errors import TokenizerError

LEVEL_1 = {
    "4x8x8": ("Downsample", "HaarWaveletTransform2D", "Upsample", "InverseHaarWaveletTransform2D"),
    "8x8x8": (
        "Spatial2xTime2x3DDownsample",
        "HaarWaveletTransform3D",
        "Spatial2xTime2x3DUpsample",
        "InverseHaarWaveletTransform3D",
    ),
}
"""Official names of the blocks of level 1, by the compression that they make; level 2 always has those of the second
row."""

SPATIAL_COMPRESSION = 8


@dataclass(frozen=True)
class WFVAEConfig:
    """A WF-VAE network; the defaults are those of WF-VAE-L-16Chn."""

    latent_dim: int = 16
    """Channels of the latent."""
    base_channels: int = 192
    """Width of the finest level."""
    encoder_num_resblocks: int = 2
    """Residual blocks of each encoder level."""
    decoder_num_resblocks: int = 2
    """Residual blocks of each decoder level before it is doubled."""
    encoder_energy_flow_hidden_size: int = 128
    """Channels that the wavelet bands of each level bring into the encoder."""
    decoder_energy_flow_hidden_size: int = 128
    """Channels that the decoder makes wavelet bands from."""
    connect_res_layer_num: int = 1
    """Residual blocks on the decoder's way to wavelet bands."""
    norm_type: Literal["layernorm", "groupnorm"] = "layernorm"
    """Norm over the channels of each position, or over groups of channels and positions."""
    t_interpolation: Literal["trilinear", "nearest"] = "trilinear"
    """How frames are doubled."""
    l1_dowmsample_block: str = "Downsample"
    """Blocks of level 1: all four of one row of :data:`LEVEL_1`."""
    l1_downsample_wavelet: str = "HaarWaveletTransform2D"
    l1_upsample_block: str = "Upsample"
    l1_upsample_wavelet: str = "InverseHaarWaveletTransform2D"
    num_groups: int = 32
    """Groups of ``groupnorm``."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> WFVAEConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown or contradictory parameters.
        """
        config = config_from(cls, parameters, "WF-VAE")
        if config._level_1 not in LEVEL_1.values():
            rows = "; ".join(", ".join(row) for row in LEVEL_1.values())
            raise TokenizerError(
                f"WF-VAE parameters: the blocks of level 1 are {', '.join(config._level_1)}; they are one of {rows}"
            )
        return config

    @property
    def _level_1(self) -> tuple[str, str, str, str]:
        return (
            self.l1_dowmsample_block,
            self.l1_downsample_wavelet,
            self.l1_upsample_block,
            self.l1_upsample_wavelet,
        )

    @property
    def halves_time_at_level_1(self) -> bool:
        """Whether level 1 halves time too."""
        return self._level_1 == LEVEL_1["8x8x8"]

    @property
    def temporal_compression(self) -> int:
        """Frames a latent frame stands for."""
        return 8 if self.halves_time_at_level_1 else 4

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "temporal_compression": self.temporal_compression,
            "spatial_compression": SPATIAL_COMPRESSION,
            "latent_channels": self.latent_dim,
        }
