"""The constructor parameters of an Open-MAGVIT2 video tokenizer, under their official names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...card import config_from
from ...errors import TokenizerError
from ...networks.magvit2.config import TrunkConfig
from ...spec import FrameRule


@dataclass(frozen=True)
class OpenMagvit2Config:
    """An Open-MAGVIT2 network; the defaults are the released one's."""

    z_channels: int = 18
    """Channels of the latent, each of which is one bit of the code."""
    ch: int = 128
    """Width of the finest level."""
    ch_mult: tuple[int, ...] = (1, 2, 2, 4)
    """Width of each level, in multiples of ``ch``."""
    num_res_blocks: int = 4
    """Residual blocks a level."""
    in_channels: int = 3
    """Channels of the video that comes in."""
    out_ch: int = 3
    """Channels of the video that goes out."""
    num_groups: int = 32
    """Groups of every group norm."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> OpenMagvit2Config:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on an unknown parameter, or a width that can't be split into the groups.
        """
        config = config_from(cls, parameters, "Open-MAGVIT2")
        if odd := [width for width in config.trunk.widths if width % config.num_groups]:
            raise TokenizerError(f"Open-MAGVIT2: num_groups={config.num_groups} doesn't divide the width {odd[0]}")
        return config

    @property
    def trunk(self) -> TrunkConfig:
        """The size of encoder and decoder."""
        return TrunkConfig(self.ch, self.ch_mult, self.num_res_blocks, self.in_channels, self.out_ch)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "lfq",
            "temporal_compression": self.trunk.temporal_compression,
            "spatial_compression": self.trunk.spatial_compression,
            "latent_channels": self.z_channels,
            "codebook_size": 2**self.z_channels,
            "frame_rule": FrameRule(self.trunk.temporal_compression, 1),
            "size_multiple": self.trunk.spatial_compression,
        }
