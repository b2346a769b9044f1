"""Video transformers whose features metrics compare: V-JEPA's ViT with its attentive probe, and VideoMAE v2's ViT.

Bardes et al., *Revisiting feature prediction for learning visual representations from video*, arXiv:2404.08471; Wang
et al., *VideoMAE V2*, arXiv:2303.16727. Modules carry the names of the official state dicts, so that official weights
load unchanged and strictly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class VideoTransformerSize:
    """What decides the shapes of a video transformer."""

    width: int
    """Features of a token."""
    depth: int
    """Blocks."""
    num_heads: int
    mlp_width: int
    """Hidden features of each block's MLP."""
    patch: int
    """Pixels of a token's side."""
    tubelet: int = 2
    """Frames of a token."""
    num_frames: int = 16
    """Frames of a clip."""
    side: int = 224
    """Pixels of a frame's side."""
    num_classes: int = 174
    """Classes of the head; those of Something-Something v2."""

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tokens along time, height and width."""
        return self.num_frames // self.tubelet, self.side // self.patch, self.side // self.patch

    @property
    def num_tokens(self) -> int:
        """Tokens of a clip."""
        return self.grid[0] * self.grid[1] * self.grid[2]


VIT_HUGE_16 = VideoTransformerSize(width=1280, depth=32, num_heads=16, mlp_width=5120, patch=16)
"""V-JEPA's ViT-H/16."""
VIT_GIANT_14 = VideoTransformerSize(width=1408, depth=40, num_heads=16, mlp_width=6144, patch=14)
"""VideoMAE v2's ViT-g/14; its MLP is 48/11 as wide as its tokens."""


class TubeletEmbedding(nn.Module):
    """Tokens of a clip: a convolution whose kernel is as large as its step."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        kernel = (size.tubelet, size.patch, size.patch)
        self.proj = nn.Conv3d(3, size.width, kernel, stride=kernel)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, tokens, width), time slowest."""
        return self.proj(video).flatten(2).transpose(1, 2)


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Of every token alone."""
        return self.fc2(F.gelu(self.fc1(tokens)))


def _attend(queries: Tensor, keys: Tensor, values: Tensor, num_heads: int) -> Tensor:
    """The values' mix for each query, head by head; all (B, tokens, width)."""
    parts = [part.unflatten(2, (num_heads, -1)).transpose(1, 2) for part in (queries, keys, values)]
    return F.scaled_dot_product_attention(parts[0], parts[1], parts[2]).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Self-attention; VideoMAE's queries and values have a bias, its keys have none."""

    def __init__(self, width: int, num_heads: int, *, key_bias: bool):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width, bias=key_bias)
        self.q_bias = None if key_bias else nn.Parameter(torch.zeros(width))
        self.v_bias = None if key_bias else nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width), each token's mix of all."""
        bias = self.qkv.bias
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        queries, keys, values = F.linear(tokens, self.qkv.weight, bias).chunk(3, dim=2)
        return self.proj(_attend(queries, keys, values, self.num_heads))


class Block(nn.Module):
    """Attention and MLP, each on normalised tokens and added to what it was given."""

    def __init__(self, size: VideoTransformerSize, *, key_bias: bool):
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=NORM_EPSILON)
        self.attn = Attention(size.width, size.num_heads, key_bias=key_bias)
        self.norm2 = nn.LayerNorm(size.width, eps=NORM_EPSILON)
        self.mlp = Mlp(size.width, size.mlp_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VJepaEncoder(nn.Module):
    """V-JEPA's encoder: learned tubelets, stored sine and cosine positions, blocks, a last normalisation."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.size = size
        self.patch_embed = TubeletEmbedding(size)
        self.pos_embed = nn.Parameter(torch.zeros(1, size.num_tokens, size.width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(size, key_bias=True) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=NORM_EPSILON)

    def forward(self, video: Tensor) -> Tensor:
        """Tokens (B, tokens, width) of clips (B, 3, T, H, W) that are normalised channel by channel."""
        tokens = self.patch_embed(video) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


class CrossAttention(nn.Module):
    """Attention of queries to other tokens."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """(B, queries, width)."""
        keys, values = self.kv(tokens).chunk(2, dim=2)
        return self.proj(_attend(self.q(queries), keys, values, self.num_heads))


class CrossAttentionBlock(nn.Module):
    """Cross-attention and MLP, each added to the queries."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width)
        self.xattn = CrossAttention(size.width, size.num_heads)
        self.norm2 = nn.LayerNorm(size.width)
        self.mlp = Mlp(size.width, size.mlp_width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """(B, queries, width)."""
        queries = queries + self.xattn(queries, self.norm1(tokens))
        return queries + self.mlp(self.norm2(queries))


class AttentivePooler(nn.Module):
    """One learned query that attends to all tokens of a clip."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.query_tokens = nn.Parameter(torch.zeros(1, 1, size.width))
        self.cross_attention_block = CrossAttentionBlock(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) to (B, width)."""
        return self.cross_attention_block(self.query_tokens.expand(len(tokens), -1, -1), tokens)[:, 0]


class AttentiveProbe(nn.Module):
    """V-JEPA's probe: pooled tokens, and a classifier of them that is loaded and not used."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.pooler = AttentivePooler(size)
        self.linear = nn.Linear(size.width, size.num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) to (B, width)."""
        return self.pooler(tokens)


class VJepaFeatures(nn.Module):
    """V-JEPA's encoder and the pooler of its probe."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.size = size
        self.encoder = VJepaEncoder(size)
        self.probe = AttentiveProbe(size)

    def forward(self, video: Tensor) -> Tensor:
        """Features (B, width) of clips (B, 3, T, side, side) that are normalised channel by channel."""
        return self.probe(self.encoder(video))


class VideoMae(nn.Module):
    """VideoMAE v2's classifier up to its features: the normalised mean of the tokens."""

    def __init__(self, size: VideoTransformerSize):
        super().__init__()
        self.size = size
        self.patch_embed = TubeletEmbedding(size)
        self.blocks = nn.ModuleList(Block(size, key_bias=False) for _ in range(size.depth))
        self.fc_norm = nn.LayerNorm(size.width, eps=NORM_EPSILON)
        self.head = nn.Linear(size.width, size.num_classes)
        # They aren't among the weights, so they are there even where the rest is built without memory.
        with torch.device("cpu"):
            self.register_buffer("positions", sinusoids(size.num_tokens, size.width), persistent=False)

    def forward(self, video: Tensor) -> Tensor:
        """Features (B, width) of clips (B, 3, T, side, side)."""
        tokens = self.patch_embed(video)
        tokens = tokens + self.get_buffer("positions").to(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return self.fc_norm(tokens.mean(dim=1))


def sinusoids(num_positions: int, width: int) -> Tensor:
    """Sine and cosine positions (1, positions, width): Vaswani et al., arXiv:1706.03762, section 3.5."""
    exponents = torch.arange(width, dtype=torch.float64).div(2, rounding_mode="floor") * 2 / width
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] / 10_000**exponents
    angles[:, 0::2], angles[:, 1::2] = angles[:, 0::2].sin(), angles[:, 1::2].cos()
    return angles.float()[None]
