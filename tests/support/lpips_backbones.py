"""Backbones of LPIPS with random weights, in place of the published ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16


def random_backbone(network: str) -> dict[str, Tensor]:
    """A state dict of ``vgg`` or ``alex`` as torchvision names it; the same numbers each time."""
    with torch.device("meta"):
        model = {"vgg": vgg16, "alex": alexnet}[network](weights=None)
    state: dict[str, Tensor] = {}
    convolutions = [(name, layer) for name, layer in model.features.named_children() if isinstance(layer, nn.Conv2d)]
    for index, (name, layer) in enumerate(convolutions):
        generator = torch.Generator().manual_seed(1000 + index)
        weight = torch.randn(layer.weight.shape, generator=generator)
        assert layer.bias is not None
        state[f"features.{name}.weight"] = weight * math.sqrt(2 / layer.weight[0].numel())
        state[f"features.{name}.bias"] = 0.05 * torch.randn(layer.bias.shape, generator=generator)
    return state
