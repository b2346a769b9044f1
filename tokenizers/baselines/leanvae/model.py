"""LeanVAE's networks; the first frame of a clip goes through 2-D wavelets, pairs of the others through 3-D ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.memory import Memory
from ...networks.patches import from_patches, to_patches
from .config import LeanVAEConfig
from .layers import LayerStack
from .wavelets import COLOURS, haar_2d, haar_3d, inverse_haar_2d, inverse_haar_3d

PATCH = 4
"""Edge of the patches that are cut from bands, in positions of a band."""
FRAMES_OF_IMAGE, FRAMES_OF_VIDEO = 1, 2
"""Wavelet frames in a patch of the first frame, and of the others."""
LOW = COLOURS * PATCH**2
"""Values of a patch of low frequencies of the first frame; one of the others has as many for each frame."""
NUM_HIGH = {"image": 3, "video": 7}
"""Bands that aren't low."""


class Encoder(nn.Module):
    """A clip (B, 3, 1 + 4 k, H, W) to features (B, 1 + k, H / 8, W / 8, D)."""

    def __init__(self, config: LeanVAEConfig):
        super().__init__()
        self.video_low_proj = _after_rearranging(FRAMES_OF_VIDEO * LOW, config.l_dim)
        self.video_high_proj = _after_rearranging(FRAMES_OF_VIDEO * LOW * NUM_HIGH["video"], config.h_dim)
        self.image_low_proj = _after_rearranging(LOW, config.l_dim)
        self.image_high_proj = _after_rearranging(LOW * NUM_HIGH["image"], config.h_dim)
        self.low_layer = LayerStack(config.sep_num_layer, config.l_dim)
        self.high_layer = LayerStack(config.sep_num_layer, config.h_dim)
        self.fusion_layer = LayerStack(config.fusion_num_layer, config.embedding_dim)

    def forward(self, video: Tensor, memory: Memory | None = None) -> Tensor:
        """Encode a clip, or a piece of one with what was remembered: the first of 1 + 4 k frames, others of 4 k."""
        low: list[Tensor] = []
        high: list[Tensor] = []
        if memory is None or memory.starts:
            image, video = haar_2d(video[:, :, :1]), video[:, :, 1:]
            low.append(self.image_low_proj(to_patches(image[:, :COLOURS], FRAMES_OF_IMAGE, PATCH)))
            high.append(self.image_high_proj(to_patches(image[:, COLOURS:], FRAMES_OF_IMAGE, PATCH)))
        if video.shape[2]:
            bands = haar_3d(video)
            low.append(self.video_low_proj(to_patches(bands[:, :COLOURS], FRAMES_OF_VIDEO, PATCH)))
            high.append(self.video_high_proj(to_patches(bands[:, COLOURS:], FRAMES_OF_VIDEO, PATCH)))
        separate = (self.low_layer(torch.cat(low, 1), memory), self.high_layer(torch.cat(high, 1), memory))
        return self.fusion_layer(torch.cat(separate, -1), memory)


class Decoder(nn.Module):
    """Features (B, 1 + k, h, w, D) to a clip (B, 3, 1 + 4 k, 8 h, 8 w)."""

    def __init__(self, config: LeanVAEConfig):
        super().__init__()
        self.fusion_layer = LayerStack(config.fusion_num_layer, config.embedding_dim)
        self.low_layer = LayerStack(config.sep_num_layer, config.l_dim)
        self.high_layer = LayerStack(config.sep_num_layer, config.h_dim)
        self.video_low_proj = nn.Sequential(nn.Linear(config.l_dim, FRAMES_OF_VIDEO * LOW))
        self.video_high_proj = nn.Sequential(nn.Linear(config.h_dim, FRAMES_OF_VIDEO * LOW * NUM_HIGH["video"]))
        self.image_low_proj = nn.Sequential(nn.Linear(config.l_dim, LOW))
        self.image_high_proj = nn.Sequential(nn.Linear(config.h_dim, LOW * NUM_HIGH["image"]))
        self._widths = (config.l_dim, config.h_dim)

    def bands(self, features: Tensor, memory: Memory | None = None) -> tuple[Tensor, Tensor]:
        """Wavelet bands of the first frame (B, 12, 1, H / 2, W / 2), and of the others (B, 24, 2 k, H / 2, W / 2).

        Of a piece that isn't the first there are none of a first frame: (B, 12, 0, H / 2, W / 2).
        """
        num_images = 1 if memory is None or memory.starts else 0
        low, high = self.fusion_layer(features, memory).split(self._widths, -1)
        low, high = self.low_layer(low, memory), self.high_layer(high, memory)
        image = [self.image_low_proj(low[:, :num_images]), self.image_high_proj(high[:, :num_images])]
        video = [self.video_low_proj(low[:, num_images:]), self.video_high_proj(high[:, num_images:])]
        return (
            torch.cat([from_patches(part, FRAMES_OF_IMAGE, PATCH) for part in image], 1),
            torch.cat([from_patches(part, FRAMES_OF_VIDEO, PATCH) for part in video], 1),
        )

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Decode features of a clip, or of a piece with what was remembered."""
        image, video = self.bands(features, memory)
        return torch.cat([inverse_haar_2d(image), inverse_haar_3d(video)], 2)


class SparseBottleneck(nn.Module):
    """A projection to the latent, and its inverse by iterative shrinkage and thresholding with learned transforms."""

    def __init__(self, config: LeanVAEConfig):
        super().__init__()
        size, latent = config.embedding_dim, config.latent_dim
        self.phi = nn.Parameter(nn.init.orthogonal_(torch.empty(latent, size)))
        self.Q = nn.Parameter(self.phi.detach().t().clone())
        iterations = range(config.ista_iter_num)
        stacks = [
            nn.ModuleList(LayerStack(config.ista_layer_num, size, residual=False) for _ in iterations) for _ in range(2)
        ]
        self.forward_l, self.backward_l = stacks
        self.weights = nn.ParameterList(nn.Parameter(torch.tensor(0.5)) for _ in iterations)
        self.threshold = nn.ParameterList(nn.Parameter(torch.full((1,), 0.01)) for _ in iterations)

    def project(self, features: Tensor) -> Tensor:
        """(B, t, h, w, D) to latents (B, t, h, w, C)."""
        return F.linear(features, self.phi)

    def forward(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """Latents (B, t, h, w, C) to features (B, t, h, w, D), of a clip, or of a piece with what was remembered."""
        x = F.linear(latents, self.Q)
        for forward, backward, weight, threshold in zip(
            self.forward_l, self.backward_l, self.weights, self.threshold, strict=True
        ):
            x = x - weight * F.linear(F.linear(x, self.phi) - latents, self.phi.t())
            sparse = forward(x, memory)
            sparse = sparse.sign() * F.relu(sparse.abs() - threshold)
            x = x + backward(sparse, memory)
        return x


class LeanVAEModel(nn.Module):
    """Encoder, bottleneck and decoder; pixels are in [−0.5, 0.5]."""

    def __init__(self, config: LeanVAEConfig):
        super().__init__()
        self.latent_bottleneck = SparseBottleneck(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.std_layer = nn.Linear(config.embedding_dim, config.latent_dim)

    def moments(self, features: Tensor) -> Tensor:
        """Mean and log-variance (B, 2 C, t, h, w) of the encoder's features (B, t, h, w, D)."""
        both = [self.latent_bottleneck.project(features), self.std_layer(features)]
        return torch.cat(both, -1).permute(0, 4, 1, 2, 3)

    def encode(self, video: Tensor, memory: Memory | None = None) -> Tensor:
        """Mean and log-variance (B, 2 C, t, H / 8, W / 8) of a clip (B, 3, 1 + 4 k, H, W), or of a piece of one."""
        return self.moments(self.encoder(video, memory))

    def decode(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """A clip (B, 3, 1 + 4 k, H, W) from latents (B, C, 1 + k, h, w), or a piece of one."""
        features = self.latent_bottleneck(latents.permute(0, 2, 3, 4, 1), memory)
        return self.decoder(features, memory)


def _after_rearranging(size: int, channels: int) -> nn.Sequential:
    """A projection of patches, in the second place: the official first one rearranges, and has no weights."""
    return nn.Sequential(nn.Identity(), nn.Linear(size, channels))
