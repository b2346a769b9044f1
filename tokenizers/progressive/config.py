"""The parameters of a progressive tokenizer and of its directly extended rival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..card import config_from
from ..errors import TokenizerError
from ..networks.magvit2.config import TrunkConfig
from ..networks.magvit2.norm import GroupNorm
from ..spec import FrameRule

Architecture = Literal["progressive", "direct"]
Norm = Literal["rms", "group"]
Mixing = Literal["pooled", "location", "none"]

CHANNELS_PER_GROUP = 4
MAX_GROUPS = 32
BASE_RATIO = 4


@dataclass(frozen=True)
class ProgressiveConfig:
    """A tokenizer of one temporal ratio, with the levels below it.

    Raises:
        TokenizerError: on a ratio that isn't 4 · 2^n, or widths that don't divide into groups.
    """

    ratio: int = BASE_RATIO
    """Temporal compression: 4, and every doubling of it."""
    architecture: Architecture = "progressive"
    """``progressive``: every level grows on the frozen one below; ``direct``: deeper networks, trained as a whole."""
    z_channels: int = 8
    """Channels of the latent, the same at every level."""
    ch: int = 128
    """Width of the finest level."""
    num_res_blocks: int = 4
    """Residual blocks a level, and in each part that a doubling of the ratio adds."""
    norm: Norm = "rms"
    """``rms``: no mean is subtracted; ``group``: the usual group norm, which leaves spots in grown models."""
    bootstrap: bool = True
    """Whether a new level starts as the one below on every second frame, see :meth:`Growth.bootstrap`."""
    key_path: bool = True
    """Whether a grown level's features are a residual on those of every second frame; an ablation without."""
    mixing: Mixing = "pooled"
    """How features of every second frame scale those of all frames: by their mean over the picture, as the paper's
    figure has it; ``location``: each position by its own; ``none``: not at all, and without the norm. The last two are
    ablations."""

    def __post_init__(self) -> None:
        if self.ratio not in (multiples := [BASE_RATIO << n for n in range(8)]):
            raise TokenizerError(f"ratio must be one of {', '.join(map(str, multiples))}, not {self.ratio}")
        widths = (self.ch, 2 * self.ch, 4 * self.ch)
        if self.ch < CHANNELS_PER_GROUP or any(width % self.num_groups(width) for width in widths):
            raise TokenizerError(
                f"ch, 2 ch and 4 ch must divide into groups of {CHANNELS_PER_GROUP} channels, {MAX_GROUPS} groups at "
                f"most, which ch={self.ch} doesn't; take a multiple of {CHANNELS_PER_GROUP} up to {MAX_GROUPS}, or of "
                f"{MAX_GROUPS // 2} up to {4 * MAX_GROUPS}"
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ProgressiveConfig:
        """Build from a card's parameters.

        Raises:
            TokenizerError: on an unknown parameter or an illegal value.
        """
        return config_from(cls, parameters, "Progressive")

    @property
    def trunk(self) -> TrunkConfig:
        """The size of the base's encoder and decoder."""
        return TrunkConfig(self.ch, (1, 2, 2, 4), self.num_res_blocks)

    @property
    def width(self) -> int:
        """Channels of the features at the bottleneck of every level."""
        return self.trunk.widths[-1]

    @property
    def higher_ratios(self) -> tuple[int, ...]:
        """The ratios above the base's, up to this one."""
        return tuple(BASE_RATIO << n for n in range(1, 8) if BASE_RATIO << n <= self.ratio)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """What a card's spec must say of the network."""
        return {
            "regularizer": "kl",
            "causal": True,
            "temporal_compression": self.ratio,
            "spatial_compression": self.trunk.spatial_compression,
            "latent_channels": self.z_channels,
            "frame_rule": FrameRule(self.ratio, 1),
            "size_multiple": self.trunk.spatial_compression,
        }

    def make_norm(self, channels: int) -> GroupNorm:
        """The norm of a layer: statistics of each frame, so that it doesn't look ahead; 4 channels a group or more."""
        return GroupNorm(self.num_groups(channels), channels, "frame", centred=self.norm == "group")

    @staticmethod
    def num_groups(channels: int) -> int:
        """Groups of a norm."""
        return min(MAX_GROUPS, channels // CHANNELS_PER_GROUP)
