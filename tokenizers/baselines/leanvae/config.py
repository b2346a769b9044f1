"""The constructor parameters of LeanVAE, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...card import config_from
from ...errors import TokenizerError

TEMPORAL_COMPRESSION = 4
SPATIAL_COMPRESSION = 8


@dataclass(frozen=True)
class LeanVAEConfig:
    """A LeanVAE network; the defaults are those of the released models."""

    latent_dim: int
    """Channels of the latent: 4 or 16."""
    embedding_dim: int = 512
    """Channels of the fused features; ``l_dim`` and ``h_dim`` together."""
    l_dim: int = 128
    """Channels of the features of low frequencies."""
    h_dim: int = 384
    """Channels of the features of high frequencies."""
    sep_num_layer: int = 2
    """Layers that low and high frequencies go through apart."""
    fusion_num_layer: int = 4
    """Layers that they go through together."""
    ista_iter_num: int = 2
    """Iterations of the bottleneck's inverse."""
    ista_layer_num: int = 2
    """Layers of each of its transforms."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> LeanVAEConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        config = config_from(cls, parameters, "LeanVAE")
        if config.l_dim + config.h_dim != config.embedding_dim:
            raise TokenizerError(
                f"LeanVAE parameters: l_dim {config.l_dim} and h_dim {config.h_dim} must make up "
                f"embedding_dim {config.embedding_dim}"
            )
        return config

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "temporal_compression": TEMPORAL_COMPRESSION,
            "spatial_compression": SPATIAL_COMPRESSION,
            "latent_channels": self.latent_dim,
        }
