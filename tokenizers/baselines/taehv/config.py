"""The constructor parameters of a TAEHV network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...card import config_from
from ...errors import TokenizerError

NUM_STAGES = 3
"""Stages of the encoder and of the decoder; each halves or doubles height and width."""

H3_CHUNK = 17
"""Frames that ``h3`` encodes on their own."""
H3_BLACK_FRAMES = 3
"""Black frames before each of these chunks, and frames that its decoder drops from each chunk."""
H3_SPARE_LATENTS = 3
"""Latents that ``h3`` drops at the end of a clip."""
H3_SPARE_FRAMES = 12
"""Frames that ``h3`` drops at the end of a clip."""


@dataclass(frozen=True)
class TAEHVConfig:
    """A TAEHV network; the defaults are those of ``taehv``."""

    latent_channels: int
    """Channels of the latent."""
    patch_size: int = 1
    """Edge in pixels of the patches whose pixels become channels."""
    variant: Literal["base", "cogvideox", "h3", "super", "wide"] = "base"
    """Wiring: ``cogvideox`` keeps all frames of an even number of latents, ``h3`` encodes chunks of 17 frames, and
    ``super`` and ``wide`` have other decoders."""
    encoder_width: int = 64
    """Channels of every encoder stage."""
    decoder_widths: tuple[int, ...] = (256, 128, 64, 64)
    """Channels of each decoder stage, and of what comes out of the last one."""
    encoder_time_downscale: tuple[bool, ...] = (True, True, False)
    """Whether each encoder stage joins pairs of frames."""
    decoder_time_upscale: tuple[bool, ...] = (False, True, True)
    """Whether each decoder stage makes two frames of one."""
    group_width: int = 64
    """Channels of each group of the convolutions of ``wide``."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> TAEHVConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        config = config_from(cls, parameters, "TAEHV")
        lengths = {
            "decoder_widths": NUM_STAGES + 1,
            "encoder_time_downscale": NUM_STAGES,
            "decoder_time_upscale": NUM_STAGES,
        }
        for name, length in lengths.items():
            if len(getattr(config, name)) != length:
                raise TokenizerError(f"TAEHV parameters: {name} takes {length} values")
        if config.time_upscale != config.time_downscale:
            raise TokenizerError(
                f"TAEHV parameters: {config.time_downscale} frames become a latent, but {config.time_upscale} come back"
            )
        return config

    @property
    def time_downscale(self) -> int:
        """Frames that become one latent."""
        return 2 ** sum(self.encoder_time_downscale)

    @property
    def time_upscale(self) -> int:
        """Frames that a latent becomes."""
        return 2 ** sum(self.decoder_time_upscale)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "ae",
            "temporal_compression": self.time_downscale,
            "spatial_compression": self.patch_size * 2**NUM_STAGES,
            "latent_channels": self.latent_channels,
        }

    def num_encoded(self, num_frames: int) -> int:
        """Frames that clips of so many are filled up to."""
        unit = H3_CHUNK if self.variant == "h3" else self.time_downscale
        return math.ceil(num_frames / unit) * unit
