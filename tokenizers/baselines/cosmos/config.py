"""The constructor parameters of a Cosmos tokenizer, and which of its official weights are never called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...card import config_from
from ...errors import TokenizerError


@dataclass(frozen=True)
class CosmosConfig:
    """A Cosmos network. The defaults are those of the released models; levels count from 0, the finest."""

    temporal_compression: int
    """Frames a latent frame stands for; a power of two, at least ``patch_size``."""
    spatial_compression: int
    """Pixels along an edge that a latent position stands for; a power of two, at least ``patch_size``."""
    latent_channels: int = 16
    """Channels of the latent: 16 of CV; of DV one for each of ``levels``."""
    levels: tuple[int, ...] = ()
    """Levels of DV's scalar quantizer, dimension by dimension; empty: CV."""
    z_channels: int = 16
    """Channels on the networks' sides of the bottleneck."""
    channels: int = 128
    """Width of the network before its first level."""
    channels_mult: tuple[int, ...] = (2, 4, 4)
    """Width of each level, in multiples of ``channels``."""
    num_res_blocks: int = 2
    """Residual blocks an encoder level; a decoder level has one more."""
    attn_resolutions: tuple[int, ...] = (32,)
    """Edges of the frames at which a level has attention; the middle always has it."""
    resolution: int = 1024
    """Edge of the frames that ``attn_resolutions`` are counted from."""
    patch_size: int = 4
    """Edge, in pixels and frames, of the wavelet patches."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CosmosConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on unknown, missing or contradictory parameters.
        """
        config = config_from(cls, parameters, "Cosmos")
        if config.levels and len(config.levels) != config.latent_channels:
            raise TokenizerError(
                f"Cosmos parameters: {len(config.levels)} levels need as many latent_channels, "
                f"not {config.latent_channels}"
            )
        for name, halvings in config._halvings().items():
            compression = getattr(config, name)
            if config.patch_size * 2**halvings != compression or not 0 <= halvings < len(config.channels_mult):
                raise TokenizerError(
                    f"Cosmos parameters: {name} must be {config.patch_size} times a power of two below "
                    f"2^{len(config.channels_mult)}, not {compression}"
                )
        return config

    def _halvings(self) -> dict[str, int]:
        names = ("temporal_compression", "spatial_compression")
        return {name: (getattr(self, name) // self.patch_size).bit_length() - 1 for name in names}

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.channels * multiple for multiple in self.channels_mult)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "fsq" if self.levels else "ae",
            "temporal_compression": self.temporal_compression,
            "spatial_compression": self.spatial_compression,
            "latent_channels": self.latent_channels,
            "codebook_levels": self.levels,
        }

    @property
    def uncalled_modules(self) -> tuple[str, ...]:
        """Convolutions that official checkpoints hold although the official network never calls them.

        Every resampling module has one over time, one over space and one after both, whether it resamples or not.
        """
        temporal, spatial = self._halvings().values()
        coarsest = len(self.channels_mult) - 1
        names: list[str] = []
        for level in range(coarsest):
            called = {"conv1": level < spatial, "conv2": level < temporal}
            names += _uncalled(f"encoder.down.{level}.downsample", called)
        for step in range(coarsest):
            in_time = 0 < step < temporal + 1
            in_space = in_time or (step < spatial and spatial > temporal)
            names += _uncalled(f"decoder.up.{coarsest - step}.upsample", {"conv1": in_time, "conv2": in_space})
        return tuple(sorted(names))


def _uncalled(module: str, called: dict[str, bool]) -> list[str]:
    called = {**called, "conv3": any(called.values())}
    return [f"{module}.{name}.conv3d" for name, is_called in called.items() if not is_called]
