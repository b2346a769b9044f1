"""The size of a MAGVIT-v2 network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .norm import GroupNorm

MakeNorm = Callable[[int], GroupNorm]
"""From the number of channels to a norm."""


@dataclass(frozen=True)
class TrunkConfig:
    """Width and depth. Levels count from 0, the full resolution; between two of them height and width halve.

    Time halves too, except after levels of the first level's width (multiplier 1).
    """

    ch: int = 128
    """Width of the finest level."""
    ch_mult: tuple[int, ...] = (1, 2, 2, 4)
    """Width of each level, in multiples of ``ch``."""
    num_res_blocks: int = 4
    """Residual blocks a level, and at the coarsest resolution."""
    in_channels: int = 3
    out_channels: int = 3

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.ch * multiplier for multiplier in self.ch_mult)

    def halves_time(self, level: int) -> bool:
        """Whether time halves between ``level`` and the next coarser one."""
        return self.ch_mult[level] != 1

    @property
    def spatial_compression(self) -> int:
        """Pixels along each side of a latent position."""
        return 2 ** (len(self.ch_mult) - 1)

    @property
    def temporal_compression(self) -> int:
        """Frames of a latent frame, beside the first one's."""
        return 2 ** sum(self.halves_time(level) for level in range(len(self.ch_mult) - 1))
