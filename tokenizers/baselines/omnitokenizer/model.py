"""The OmniTokenizer network: patches of pixels, a spatial and a temporal transformer, a bottleneck, and back.

State-dict names are the official ones. Videos (B, 3, T, H, H) are in [-0.5, 0.5]; T is 1 plus a multiple of the
temporal patch, H a multiple of :attr:`OmniTokenizerConfig.size_multiple`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...networks.feed_forward import feed_forward
from ...networks.patches import from_patches, to_patches
from ...networks.quantizers.interface import Quantization, Quantizer
from ...networks.quantizers.kl import KLQuantizer
from ...networks.quantizers.vq import nearest_codes
from .attention import Attention, LayerNorm, PositionGenerator, WindowAttention
from .config import OmniTokenizerConfig

IN_CHANNELS = 3


class Layer(nn.ModuleDict):
    """Position encoding, attention and feed-forward network under the official names 0, 1 and 3."""

    def __init__(self, config: OmniTokenizerConfig, kind: str, temporal: bool):
        super().__init__()
        if kind == "t":
            self["0"] = PositionGenerator(config.dim)
            self["1"] = Attention(config, temporal)
        else:
            self["1"] = WindowAttention(config)
        self["3"] = feed_forward(config.dim)

    def forward(self, x: Tensor, grid: tuple[int, int, int, int]) -> Tensor:
        """(N, L, D) to the same shape."""
        if "0" in self:
            x = self["0"](x, grid) + x
        x = self["1"](x) + x
        return self["3"](x) + x


class Transformer(nn.Module):
    """Layers in a row, one for each letter of ``blocks``."""

    def __init__(self, config: OmniTokenizerConfig, blocks: str, temporal: bool):
        super().__init__()
        self.layers = nn.ModuleList(Layer(config, kind, temporal) for kind in blocks)
        self.norm_out = LayerNorm(config.dim)

    def forward(self, x: Tensor, grid: tuple[int, int, int, int]) -> Tensor:
        """(N, L, D) to the same shape."""
        for layer in self.layers:
            x = layer(x, grid)
        return self.norm_out(x)


def across_space(transformer: Transformer, x: Tensor) -> Tensor:
    """Apply to the tokens of each frame of (B, T, H, W, D)."""
    B, T, H, W, _ = x.shape
    return transformer(x.flatten(2, 3).flatten(0, 1), (B, T, H, W)).reshape(x.shape)


def across_time(transformer: Transformer, x: Tensor) -> Tensor:
    """Apply to the tokens at each place of (B, T, H, W, D).

    Its position encoding reads the sequences, which lie in memory place by place, as if they lay frame by frame; the
    released weights were trained so. Through it a token also depends on later frames of neighbouring places.
    """
    B, T, H, W, D = x.shape
    sequences = x.permute(0, 2, 3, 1, 4).reshape(B * H * W, T, D)
    return transformer(sequences, (B, T, H, W)).reshape(B, H, W, T, D).permute(0, 3, 1, 2, 4)


def patch_embedding(num_values: int, dim: int) -> nn.Sequential:
    """From the pixels of a patch to a token; index 0 is the official code's rearrangement."""
    return nn.Sequential(nn.Identity(), nn.LayerNorm(num_values), nn.Linear(num_values, dim), nn.LayerNorm(dim))


class Encoder(nn.Module):
    """Video to tokens."""

    def __init__(self, config: OmniTokenizerConfig):
        super().__init__()
        self.config = config
        num_pixels = IN_CHANNELS * config.patch_size**2
        self.to_patch_emb_first_frame = patch_embedding(num_pixels, config.dim)
        self.to_patch_emb = patch_embedding(num_pixels * config.temporal_patch_size, config.dim)
        self.enc_spatial_transformer = Transformer(config, config.enc_block, temporal=False)
        self.enc_temporal_transformer = Transformer(config, "t" * config.temporal_depth, temporal=True)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, t, h, w, D)."""
        edge, num_frames = self.config.patch_size, self.config.temporal_patch_size
        x = self.to_patch_emb_first_frame(to_patches(video[:, :, :1], 1, edge))
        if video.shape[2] > 1:
            x = torch.cat([x, self.to_patch_emb(to_patches(video[:, :, 1:], num_frames, edge))], dim=1)
        return across_time(self.enc_temporal_transformer, across_space(self.enc_spatial_transformer, x))


class Decoder(nn.Module):
    """Tokens to video."""

    def __init__(self, config: OmniTokenizerConfig):
        super().__init__()
        self.config = config
        num_pixels = IN_CHANNELS * config.patch_size**2
        self.dec_spatial_transformer = Transformer(config, config.dec_block, temporal=False)
        self.dec_temporal_transformer = Transformer(config, "t" * config.temporal_depth, temporal=True)
        self.to_pixels_first_frame = nn.Sequential(nn.Linear(config.dim, num_pixels))
        self.to_pixels = nn.Sequential(nn.Linear(config.dim, num_pixels * config.temporal_patch_size))

    def forward(self, x: Tensor) -> Tensor:
        """(B, t, h, w, D) to (B, 3, T, H, W)."""
        edge, num_frames = self.config.patch_size, self.config.temporal_patch_size
        x = across_space(self.dec_spatial_transformer, across_time(self.dec_temporal_transformer, x))
        video = from_patches(self.to_pixels_first_frame(x[:, :1]), 1, edge)
        if x.shape[1] == 1:
            return video
        return torch.cat([video, from_patches(self.to_pixels(x[:, 1:]), num_frames, edge)], dim=2)


class Codebook(Quantizer):
    """The vector nearest to the normalized features; the buffers beside ``embeddings`` served its training."""

    embeddings: Tensor
    N: Tensor
    z_avg: Tensor
    codebook_usage: Tensor

    def __init__(self, num_codes: int, dim: int):
        super().__init__()
        self.codebook_sizes = (num_codes,)
        self.register_buffer("embeddings", nn.functional.normalize(torch.randn(num_codes, dim), dim=-1))
        self.register_buffer("N", torch.zeros(num_codes))
        self.register_buffer("z_avg", self.embeddings.clone())
        self.register_buffer("codebook_usage", torch.zeros(num_codes))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Quantize (B, C, t, h, w); ``noise`` has no effect."""
        vectors = nn.functional.normalize(features.movedim(1, -1).float(), dim=-1)
        indices = nearest_codes(vectors.flatten(0, -2), self.embeddings.float()).view(vectors.shape[:-1])
        return Quantization(self.latents_of([indices]).to(features.dtype), (indices,))

    def latents_of(self, codes: Sequence[Tensor]) -> Tensor:
        """The vectors, not normalized, of one tensor of indices (B, t, h, w): (B, C, t, h, w), float32."""
        (indices,) = codes
        return self.embeddings[indices.long()].movedim(-1, 1).float()


class OmniTokenizerModel(nn.Module):
    """Encoder, bottleneck and decoder."""

    def __init__(self, config: OmniTokenizerConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        # The released VAEs carry an unused codebook too.
        self.codebook = Codebook(config.n_codes, config.codebook_dim)
        self.posterior = KLQuantizer() if config.use_vae else None
        self.pre_vq_conv = nn.Sequential(nn.Identity(), nn.Linear(config.dim, config.num_moments))
        self.post_vq_conv = nn.Sequential(nn.Identity(), nn.Linear(config.codebook_dim, config.dim))

    @property
    def regularization(self) -> Quantizer:
        """What stands between encoder and decoder."""
        return self.codebook if self.posterior is None else self.posterior

    def encode(self, video: Tensor) -> Tensor:
        """Features before the regularizer: (B, 3, T, H, H) to (B, C or 2C, t, h, h)."""
        return self.pre_vq_conv(self.encoder(video)).movedim(-1, 1)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, t, h, h) to (B, 3, T, H, H)."""
        return self.decoder(self.post_vq_conv(latents.movedim(1, -1)))
