"""The constructor parameters of an OmniTokenizer network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...card import config_from
from ...errors import TokenizerError

BLOCKS = "tw"
"""Kinds of spatial layers: ``t``: attention over the whole frame; ``w``: attention within windows."""


@dataclass(frozen=True)
class OmniTokenizerConfig:
    """An OmniTokenizer network; the defaults are those of the released models."""

    use_vae: bool
    """Whether the latent is the mean of a Gaussian posterior instead of codes."""
    dim: int = 512
    """Channels of a token."""
    heads: int = 8
    """Attention heads."""
    dim_head: int = 64
    """Channels of a head in ``t`` layers; a multiple of 4."""
    enc_block: str = "ttww"
    """Spatial layers of the encoder, one letter each, see :data:`BLOCKS`."""
    dec_block: str = "tttt"
    """Spatial layers of the decoder."""
    temporal_depth: int = 4
    """Temporal layers of the encoder, and of the decoder."""
    patch_size: int = 8
    """Pixels along an edge of a token."""
    temporal_patch_size: int = 4
    """Frames of a token, but for the first frame, which has tokens of its own."""
    window_size: int = 8
    """Tokens along an edge of a window."""
    n_codes: int = 8192
    """Codebook vectors."""
    codebook_dim: int = 8
    """Channels of the latent."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> OmniTokenizerConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown or missing parameters, or values out of range.
        """
        config = config_from(cls, parameters, "OmniTokenizer")
        for name in ("enc_block", "dec_block"):
            value = getattr(config, name)
            if not value or set(value) - set(BLOCKS):
                raise TokenizerError(f"OmniTokenizer parameter {name} is made of the letters {BLOCKS}, not {value!r}")
        sizes = {f.name: getattr(config, f.name) for f in fields(cls) if f.type == "int"}
        if small := [name for name, value in sizes.items() if value < 1]:
            raise TokenizerError(f"OmniTokenizer parameters must be at least 1: {', '.join(small)}")
        if config.dim_head % 4 or config.dim % config.heads:
            raise TokenizerError("OmniTokenizer parameters: dim_head must be a multiple of 4, and dim one of heads")
        return config

    @property
    def size_multiple(self) -> int:
        """Edges of a frame must be multiples of this many pixels."""
        return self.patch_size * (self.window_size if "w" in self.enc_block + self.dec_block else 1)

    @property
    def num_moments(self) -> int:
        """Channels before the regularizer: mean and log-variance of a VAE, else those of the latent."""
        return self.codebook_dim * (2 if self.use_vae else 1)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl" if self.use_vae else "vq",
            "temporal_compression": self.temporal_patch_size,
            "spatial_compression": self.patch_size,
            "latent_channels": self.codebook_dim,
            "codebook_size": None if self.use_vae else self.n_codes,
            "size_multiple": self.size_multiple,
        }
