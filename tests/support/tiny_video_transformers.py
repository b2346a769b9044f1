"""Video transformers of the real input and state dicts, but few and narrow blocks, with random weights."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from toklab.bench.metrics.video_transformers import VideoMae, VideoTransformerSize, VJepaFeatures
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)

TINY = VideoTransformerSize(width=12, depth=2, num_heads=3, mlp_width=20, patch=112)
"""Takes 16 frames of 224×224 pixels, as the published networks do."""


def _random(network: N) -> N:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return network.eval()


def tiny_vjepa() -> VJepaFeatures:
    """V-JEPA's encoder and probe."""
    return _random(VJepaFeatures(TINY))


def tiny_videomae() -> VideoMae:
    """VideoMAE v2's classifier."""
    return _random(VideoMae(TINY))


def vjepa_pickles(network: VJepaFeatures) -> dict[str, dict[str, Any]]:
    """What V-JEPA's files hold, by file name: its encoder among what its training kept, and its probe."""
    encoder = {f"module.backbone.{name}": value for name, value in network.encoder.state_dict().items()}
    probe = {f"module.{name}": value for name, value in network.probe.state_dict().items()}
    other = {name: torch.zeros_like(value) for name, value in encoder.items()}
    return {
        "vith16.pth.tar": {"encoder": other, "target_encoder": encoder, "epoch": 300, "scaler": None, "loss": 0.5},
        "ssv2-probe.pth.tar": {"classifier": probe, "epoch": 20, "batch_size": 32, "lr": 0.001},
    }


def videomae_pickle(network: VideoMae) -> dict[str, dict[str, Tensor]]:
    """What VideoMAE v2's file holds, in half precision."""
    return {"module": {name: value.half() for name, value in network.state_dict().items()}}
