"""The encoder of MAGVIT-v2 up to its features, and the decoder from features of the same width to frames."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .blocks import ResidualBlock, Upsample, convolve_activated
from .config import MakeNorm, TrunkConfig
from .conv import CausalConv, unchanged
from .tiles import LayerTiling

LevelNorm = Callable[[int, Tensor], Tensor]
"""From a decoder level and its input to the input that its blocks see."""


class EncoderTrunk(nn.Module):
    """From frames to features, under the names of the public checkpoints."""

    def __init__(self, config: TrunkConfig, make_norm: MakeNorm):
        super().__init__()
        widths = config.widths
        self.conv_in = CausalConv(config.in_channels, config.ch, bias=False)
        self.down = nn.ModuleList()
        channels = config.ch
        for index, width in enumerate(widths):
            level = nn.Module()
            level.block = residual_blocks(channels, width, config.num_res_blocks, make_norm)
            if index < len(widths) - 1:
                stride = (2 if config.halves_time(index) else 1, 2, 2)
                level.downsample = CausalConv(width, width, stride=stride, bias=True)
            self.down.append(level)
            channels = width
        self.mid_block = residual_blocks(channels, channels, config.num_res_blocks, make_norm)

    def features(self, video: Tensor, tiling: LayerTiling | None = None) -> Tensor:
        """(B, 3, T, H, W) to (B, C, 1 + (T − 1)/temporal, H/spatial, W/spatial) by the two compressions."""
        x = self.conv_in(video, unchanged, tiling)
        for index, level in enumerate(self.down):
            x = run_blocks(level.get_submodule("block"), x, tiling)
            if index < len(self.down) - 1:
                x = level.get_submodule("downsample")(x, unchanged, tiling)
        return run_blocks(self.mid_block, x, tiling)


class DecoderTrunk(nn.Module):
    """From features to frames, under the names of the public checkpoints."""

    def __init__(self, config: TrunkConfig, make_norm: MakeNorm, dropped_frame: int):
        super().__init__()
        channels = config.widths[-1]
        self.mid_block = residual_blocks(channels, channels, config.num_res_blocks, make_norm)
        levels: list[nn.Module] = []
        for index in reversed(range(len(config.widths))):
            level = nn.Module()
            level.block = residual_blocks(channels, config.widths[index], config.num_res_blocks, make_norm)
            channels = config.widths[index]
            if index > 0:
                time = 2 if config.halves_time(index - 1) else 1
                level.upsample = Upsample(channels, time, 2, dropped_frame)
            levels.insert(0, level)
        self.up = nn.ModuleList(levels)
        self.norm_out = make_norm(channels)
        self.conv_out = CausalConv(channels, config.out_channels, bias=True)

    def frames(
        self, features: Tensor, tiling: LayerTiling | None = None, level_norm: LevelNorm | None = None
    ) -> Tensor:
        """(B, C, t, h, w) to (B, 3, 1 + (t − 1) · temporal, h · spatial, w · spatial), not clamped."""
        x = run_blocks(self.mid_block, features, tiling)
        for index in reversed(range(len(self.up))):
            level = self.up[index]
            x = run_blocks(level.get_submodule("block"), x if level_norm is None else level_norm(index, x), tiling)
            if index > 0:
                x = level.get_submodule("upsample")(x, tiling)
        return convolve_activated(self.norm_out, self.conv_out, x, tiling)


def residual_blocks(in_channels: int, out_channels: int, number: int, make_norm: MakeNorm) -> nn.ModuleList:
    """``number`` residual blocks in a row, the first of which changes the width."""
    return nn.ModuleList(
        ResidualBlock(out_channels if index else in_channels, out_channels, make_norm) for index in range(number)
    )


def run_blocks(blocks: nn.Module, x: Tensor, tiling: LayerTiling | None) -> Tensor:
    """Apply the children of ``blocks`` one after another."""
    for block in blocks.children():
        x = block(x, tiling)
    return x
