"""The constructor parameters of a CV-VAE, under the official names of its two classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...card import config_from
from ...errors import TokenizerError
from ...networks.ldm.chunks import OfficialTiling

Variant = Literal["sd", "sd3"]

OFFICIAL_NAMES: dict[str, dict[str, str]] = {
    "sd": {"z_channels": "z_channels", "num_res_blocks": "num_res_blocks"},
    "sd3": {
        "out_channels": "z_channels",
        "block_out_channels": "widths",
        "layers_per_block": "num_res_blocks",
        "norm_num_groups": "num_groups",
    },
}
"""Fields of :class:`CVVAEConfig` by what ``CVVAEModel`` and ``CVVAESD3Model`` call them."""


@dataclass(frozen=True)
class CVVAEConfig:
    """A CV-VAE network. Levels count from 0, the full resolution."""

    variant: Variant
    """``sd``: compatible with Stable Diffusion's latents, and attention over time in the decoder; ``sd3``: with 3's."""
    z_channels: int
    """Channels of the latent."""
    widths: tuple[int, ...]
    """Channels of each level."""
    num_res_blocks: int = 2
    """Residual blocks an encoder level; a decoder level has one more."""
    num_groups: int = 32
    """Groups of every group norm."""
    en_de_n_frames_a_time: int = 16
    """Frames from the start of one chunk to that of the next; chunks share a frame. 0: a clip goes through whole."""
    tile_spatial_size: int = 576
    """Pixels of the sides of the tiles that larger frames go through in; 0: frames go through whole."""
    tile_overlap_ratio: float = 0.2222
    """Part of a tile's side that it shares with the next."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CVVAEConfig:
        """Build from a card's parameters: ``variant``, and the official ones of its class.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        given = dict(parameters)
        variant = given.get("variant")
        if variant not in OFFICIAL_NAMES:
            raise TokenizerError(f"CV-VAE parameters: variant must be one of {', '.join(OFFICIAL_NAMES)}")
        if variant == "sd":
            if not {"ch", "ch_mult"} <= set(given):
                raise TokenizerError("CV-VAE parameters: variant sd takes ch and ch_mult")
            width = given.pop("ch")
            given["widths"] = [width * multiple for multiple in given.pop("ch_mult")]
        names = OFFICIAL_NAMES[variant]
        config = config_from(cls, {names.get(name, name): value for name, value in given.items()}, "CV-VAE")
        config._check()
        return config

    def _check(self) -> None:
        for name, multiple in (
            ("en_de_n_frames_a_time", self.temporal_compression),
            ("tile_spatial_size", self.spatial_compression),
        ):
            if getattr(self, name) % multiple:
                raise TokenizerError(f"CV-VAE parameters: {name} must be a multiple of {multiple}")
        if self.tile_spatial_size:
            pixels, latents = (self._tiles(decodes=decodes).stride for decodes in (False, True))
            if pixels != self.spatial_compression * latents:
                raise TokenizerError(
                    f"CV-VAE parameters: tile_overlap_ratio {self.tile_overlap_ratio} of tile_spatial_size "
                    f"{self.tile_spatial_size} isn't about a multiple of {self.spatial_compression} pixels"
                )

    @property
    def num_levels(self) -> int:
        """Resolutions."""
        return len(self.widths)

    @property
    def temporal_levels(self) -> tuple[int, ...]:
        """Encoder levels behind which time is halved too: every second one but the last."""
        return tuple(range(0, self.num_levels - 1, 2))

    @property
    def temporal_compression(self) -> int:
        """Frames a latent frame stands for."""
        return 2 ** len(self.temporal_levels)

    @property
    def spatial_compression(self) -> int:
        """Pixels along an edge that a latent position stands for."""
        return 2 ** (self.num_levels - 1)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "temporal_compression": self.temporal_compression,
            "spatial_compression": self.spatial_compression,
            "latent_channels": self.z_channels,
        }

    def tiling(self, height: int, width: int, *, decodes: bool) -> OfficialTiling | None:
        """How frames of ``height`` × ``width`` pixels are cut; ``None``: they go through whole."""
        if not self.tile_spatial_size or max(height, width) <= self.tile_spatial_size:
            return None
        return self._tiles(decodes=decodes)

    def _tiles(self, *, decodes: bool) -> OfficialTiling:
        size, output_size = self.tile_spatial_size, self.tile_spatial_size // self.spatial_compression
        if decodes:
            size, output_size = output_size, size
        overlap = round(output_size * self.tile_overlap_ratio)
        stride = round(size * (1 - self.tile_overlap_ratio))
        return OfficialTiling(size, stride, output_size - overlap, overlap, stops_at_border=True)
