"""The layers of OmniTokenizer's transformers, on tokens (N, L, D): N sequences of L tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import OmniTokenizerConfig

ATTENTION_SCALE = 8.0
"""Factor of the cosine similarities before the softmax."""
ROTARY_BASE = 10000.0
"""Base of the wavelengths of the rotary embedding (Su et al. 2021, arXiv:2104.09864)."""


class LayerNorm(nn.Module):
    """Layer normalization whose shift ``beta`` is a buffer."""

    beta: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))
        self.register_buffer("beta", torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) to the same shape."""
        return F.layer_norm(x, x.shape[-1:], self.gamma, self.beta)


class PositionGenerator(nn.Module):
    """A position encoding from the tokens themselves: a depth-wise 3×3×3 convolution that sees two frames back."""

    def __init__(self, dim: int):
        super().__init__()
        self.dsconv = nn.Conv3d(dim, dim, 3, groups=dim)

    def forward(self, x: Tensor, grid: tuple[int, int, int, int]) -> Tensor:
        """What is to be added to tokens (N, L, D), which are read as (B, T, H, W, D) in their order in memory."""
        volume = x.reshape(*grid, x.shape[-1]).permute(0, 4, 1, 2, 3)
        volume = self.dsconv(F.pad(volume, (1, 1, 1, 1, 2, 0)))
        return volume.permute(0, 2, 3, 4, 1).reshape(x.shape)


class UnusedPositionBias(nn.Module):
    """Weights of a relative position bias: they are in the checkpoints, but the official evaluation never uses them."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.net = nn.ModuleList(
            [nn.Sequential(nn.Linear(2, dim)), nn.Sequential(nn.Linear(dim, dim)), nn.Linear(dim, heads)]
        )


class Attention(nn.Module):
    """Cosine attention: queries from normalized tokens, keys and values from the tokens as they are.

    Args:
        config: the network.
        temporal: whether sequences run along time: causal, without rotary embedding.
    """

    def __init__(self, config: OmniTokenizerConfig, temporal: bool):
        super().__init__()
        inner = config.heads * config.dim_head
        self.heads = config.heads
        self.temporal = temporal
        self.q_scale = nn.Parameter(torch.ones(config.dim_head))
        self.k_scale = nn.Parameter(torch.ones(config.dim_head))
        self.norm = LayerNorm(config.dim)
        # Never called: it belongs to attention between different sequences.
        self.context_norm = LayerNorm(config.dim)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.dim, bias=False)
        if temporal:
            self.spatial_rel_pos_bias = UnusedPositionBias(config.dim, config.heads)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, D) to the same shape; L is the square of a whole number unless ``temporal``."""
        projected = (self.to_q(self.norm(x)), *self.to_kv(x).chunk(2, dim=-1))
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in projected)
        if not self.temporal:
            cosines, sines = rotary_table(q.shape[-2], q.shape[-1], q.device)
            q, k = rotate(q, cosines, sines), rotate(k, cosines, sines)
        q = F.normalize(q, dim=-1) * self.q_scale
        k = F.normalize(k, dim=-1) * self.k_scale
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.temporal, scale=ATTENTION_SCALE)
        return self.to_out(y.transpose(1, 2).flatten(2))


def rotary_table(num_tokens: int, dim: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (L, D/2) of the angles of a square grid of L tokens.

    Angle 2i is that of the column, angle 2i + 1 that of the row, at frequency base^(-4i/D).
    """
    edge = round(num_tokens**0.5)
    positions = torch.arange(num_tokens, device=device)
    frequencies = ROTARY_BASE ** -(torch.arange(0, dim, 4, device=device) / dim)
    columns, rows = positions % edge, positions // edge
    angles = torch.stack([columns[:, None] * frequencies, rows[:, None] * frequencies], dim=-1).flatten(1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair of neighbouring channels of (…, L, D) by its angle, in float32."""
    real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([real * cosines - imaginary * sines, real * sines + imaginary * cosines], dim=-1)
    return turned.flatten(-2).type_as(x)


class WindowAttention(nn.Module):
    """Attention within square windows with a learned relative position bias (Liu et al. 2021, arXiv:2103.14030)."""

    relative_position_index: Tensor

    def __init__(self, config: OmniTokenizerConfig):
        super().__init__()
        window = config.window_size
        self.window_size = window
        self.heads = config.heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, config.heads))
        self.register_buffer("relative_position_index", relative_positions(window))
        self.norm = LayerNorm(config.dim)
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, D) to the same shape, L tokens of a square frame."""
        N, L, D = x.shape
        window, edge = self.window_size, round(L**0.5)
        windows = self.norm(x).reshape(N, edge // window, window, edge // window, window, D)
        windows = windows.transpose(2, 3).reshape(-1, window * window, D)
        q, k, v = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(0))
        y = self.proj(y.transpose(1, 2).flatten(2))
        y = y.reshape(N, edge // window, edge // window, window, window, D)
        return y.transpose(2, 3).reshape(N, L, D)


def relative_positions(window: int) -> Tensor:
    """Row of the bias table for each pair of tokens of a window: (window², window²), int64."""
    positions = torch.arange(window * window)
    rows, columns = positions // window, positions % window
    row_offsets = rows[:, None] - rows[None, :] + window - 1
    column_offsets = columns[:, None] - columns[None, :] + window - 1
    return row_offsets * (2 * window - 1) + column_offsets
