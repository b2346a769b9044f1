"""What a doubling of the temporal ratio adds to a tokenizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..networks.magvit2.blocks import Upsample
from ..networks.magvit2.conv import CausalConv, unchanged
from ..networks.magvit2.norm import GroupNorm
from ..networks.magvit2.tiles import LayerTiling
from ..networks.magvit2.trunk import residual_blocks, run_blocks
from .bottleneck import Bottleneck
from .config import ProgressiveConfig

DROPPED_FRAME = 0
"""Where time doubles, the surplus frame stands first and is dropped at once."""


class TimeEncoder(nn.Module):
    """Residual blocks, then a convolution that halves time."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.block = residual_blocks(config.width, config.width, config.num_res_blocks, config.make_norm)
        self.downsample = CausalConv(config.width, config.width, stride=(2, 1, 1), bias=True)

    def forward(self, features: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """(B, C, 2 n + 1, h, w) to (B, C, n + 1, h, w)."""
        return self.downsample(run_blocks(self.block, features, tiling), unchanged, tiling)


class TimeDecoder(nn.Module):
    """Residual blocks, then a convolution that doubles time."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.block = residual_blocks(config.width, config.width, config.num_res_blocks, config.make_norm)
        self.upsample = Upsample(config.width, 2, 1, DROPPED_FRAME)

    def forward(self, features: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """(B, C, n + 1, h, w) to (B, C, 2 n + 1, h, w)."""
        return self.upsample(run_blocks(self.block, features, tiling), tiling)


class Growth(nn.Module):
    """A level on top of a frozen one: features of every second frame, mixed into those of all frames, plus a residual.

    :class:`ProgressiveConfig` has switches that leave parts of it out, for ablations.

    The norm's scale 1 + s is a linear function of each key frame's mean feature, and starts at 1.
    """

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.config = config
        self.norm = GroupNorm(
            config.num_groups(config.width), config.width, "frame", centred=config.norm == "group", affine=False
        )
        self.affine = None if config.mixing == "none" else nn.Linear(config.width, config.width)
        if self.affine is not None:
            nn.init.zeros_(self.affine.weight)
            nn.init.zeros_(self.affine.bias)
        self.encoder = TimeEncoder(config)
        self.decoder = TimeDecoder(config)
        self.bottleneck = Bottleneck(config)

    def features(self, key: Tensor, full: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """Features of this level.

        Args:
            key: (B, C, n + 1, h, w): features of every second frame, by the level below.
            full: (B, C, 2 n + 1, h, w): those of all frames.
            tiling: parts in which layers work.

        Returns:
            (B, C, n + 1, h, w).
        """
        residual = self.encoder(self._mixed(key, full), tiling)
        return key + residual if self.config.key_path else residual

    def _mixed(self, key: Tensor, full: Tensor) -> Tensor:
        """``full``, normalized and scaled by ``key``."""
        if self.affine is None:
            return full
        guide = key if self.config.mixing == "location" else key.mean((3, 4), keepdim=True)
        scale = 1 + self.affine(guide.movedim(1, -1)).movedim(-1, 1)
        # Frame i of the full rate lies between key frames; the later one, ⌈i/2⌉, belongs to the same latent.
        key_of_frame = (torch.arange(full.shape[2], device=full.device) + 1) // 2
        return self.norm(full) * scale[:, :, key_of_frame]

    @torch.no_grad()
    def bootstrap(self, below: Bottleneck) -> None:
        """Start as the level below on every second frame: same latents, and its features repeated in time.

        The residual is zero, the bottleneck is that of the level below, residual blocks of the decoder are the
        identity, and its upsampling repeats frames. Without a key path, the residual is every second one of the
        features of all frames instead.
        """
        for parameter in self.encoder.downsample.parameters():
            parameter.zero_()
        if not self.config.key_path:
            _pass_through(self.encoder)
            nn.init.eye_(self.encoder.downsample.conv_1.weight[:, :, -1, 1, 1])
        self.bottleneck.load_state_dict(below.state_dict())
        _pass_through(self.decoder)
        conv = self.decoder.upsample.conv1.conv_1
        channels = conv.in_channels
        conv.weight.zero_()
        if conv.bias is not None:
            conv.bias.zero_()
        for phase in range(2):
            taps = conv.weight[phase * channels : (phase + 1) * channels, :, -1, 1, 1]
            taps.copy_(torch.eye(channels))


def _pass_through(part: TimeEncoder | TimeDecoder) -> None:
    """Make a part's residual blocks the identity."""
    for block in part.block.children():
        for parameter in block.get_submodule("conv2").parameters():
            parameter.zero_()


class Extension(nn.Module):
    """A level of a directly extended network: one more part in the encoder and in the decoder, nothing else."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.encoder = TimeEncoder(config)
        self.decoder = TimeDecoder(config)
