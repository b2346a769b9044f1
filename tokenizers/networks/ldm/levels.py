"""Levels and middle of latent-diffusion autoencoders, on (B, C, T, H, W)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from torch import Tensor, nn

from .layers import ResidualBlock

ResamplingName = Literal["downsample", "upsample"]


class Level(nn.Module):
    """Residual blocks, and what changes the resolution behind them.

    Args:
        blocks: called ``block.0``, ``block.1``, … in state dicts.
        name: what ``resampling`` is called there.
        resampling: ``None``: the resolution stays.
    """

    def __init__(self, blocks: Iterable[ResidualBlock], name: ResamplingName, resampling: nn.Module | None):
        super().__init__()
        self.block = nn.Sequential(*blocks)
        self._name = name
        if resampling is not None:
            self.add_module(name, resampling)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, T, H, W) to (B, O, T', H', W')."""
        resampling = getattr(self, self._name, None)
        y = self.block(x)
        return y if resampling is None else resampling(y)


class Middle(nn.Module):
    """Attention between two residual blocks."""

    def __init__(self, block_1: ResidualBlock, attn_1: nn.Module, block_2: ResidualBlock):
        super().__init__()
        self.block_1 = block_1
        self.attn_1 = attn_1
        self.block_2 = block_2

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        return self.block_2(self.attn_1(self.block_1(x)))
