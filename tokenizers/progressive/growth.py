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

    The norm's scale 1 + s is a linear function of each key frame's mean feature, and starts at 1.
    """

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.norm = GroupNorm(
            config.num_groups(config.width), config.width, "frame", centred=config.norm == "group", affine=False
        )
        self.affine = nn.Linear(config.width, config.width)
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
        scale = 1 + self.affine(key.mean((3, 4)).transpose(1, 2)).transpose(1, 2)
        # Frame i of the full rate lies between key frames; the later one, ⌈i/2⌉, belongs to the same latent.
        key_of_frame = (torch.arange(full.shape[2], device=full.device) + 1) // 2
        mixed = self.norm(full) * scale[:, :, key_of_frame, None, None]
        return key + self.encoder(mixed, tiling)

    @torch.no_grad()
    def bootstrap(self, below: Bottleneck) -> None:
        """Start as the level below on every second frame: same latents, and its features repeated in time.

        The residual is zero, the bottleneck is that of the level below, residual blocks of the decoder are the
        identity, and its upsampling repeats frames.
        """
        for parameter in self.encoder.downsample.parameters():
            parameter.zero_()
        self.bottleneck.load_state_dict(below.state_dict())
        for block in self.decoder.block.children():
            for parameter in block.get_submodule("conv2").parameters():
                parameter.zero_()
        conv = self.decoder.upsample.conv1.conv_1
        channels = conv.in_channels
        conv.weight.zero_()
        if conv.bias is not None:
            conv.bias.zero_()
        for phase in range(2):
            taps = conv.weight[phase * channels : (phase + 1) * channels, :, -1, 1, 1]
            taps.copy_(torch.eye(channels))


class Extension(nn.Module):
    """A level of a directly extended network: one more part in the encoder and in the decoder, nothing else."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.encoder = TimeEncoder(config)
        self.decoder = TimeDecoder(config)
