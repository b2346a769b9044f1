"""LPIPS with the VGG-16 backbone on CPUs: the network of the ``lpips`` package, computed faster.

Pictures are kept with their channels last, convolutions of many channels take Winograd's form, and distances are
taken layer by layer in strips that stay in the processor's caches, so that no feature is kept longer than needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...tokenizers.networks.kernels.packing import convolve, pack_kernel
from ...tokenizers.networks.kernels.square_tiles import convolve_squares, suits_squares, transform_square_kernel
from ...tokenizers.networks.kernels.winograd import DerivedWeight

STRIP_NUMBERS = 2**17
"""Numbers of a strip of features whose distances are taken at once."""
NORM_FLOOR = 1e-10
"""Added to the norm of a pixel's features, as in the package."""


class VggLpips:
    """Distances of pictures by the parameters of a model of the package, which stay its own."""

    def __init__(self, model: Any):
        """``model``: ``lpips.LPIPS`` with backbone ``vgg``, in evaluation mode on a CPU."""
        self._scaling = model.scaling_layer
        self._heads = [head.model[-1] for head in model.lins]
        slices = [getattr(model.net, f"slice{number}") for number in range(1, model.net.N_slices + 1)]
        self._stages = [[_Layer(part) for part in stage if isinstance(part, nn.Conv2d)] for stage in slices]

    def distances(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of each pair of pictures (N, 3, H, W) in [-1, 1], (N,)."""
        total = x.new_zeros(len(x))
        for ones, others, head in zip(self.features(x), self.features(y), self._heads, strict=True):
            total += torch.stack([_distance(a, b, head.weight.view(-1)) for a, b in zip(ones, others, strict=True)])
        return total

    def features(self, pictures: Tensor) -> Iterator[Tensor]:
        """Features (N, H, W, C) of pictures (N, 3, H, W) in [-1, 1], layer after layer."""
        made = self._scaling(pictures).permute(0, 2, 3, 1).contiguous()
        for number, stage in enumerate(self._stages):
            if number:
                made = F.max_pool2d(made.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            for layer in stage:
                made = layer(made)
            yield made


class _Layer:
    """A 3×3 convolution and the ReLU after it."""

    def __init__(self, conv: nn.Conv2d):
        self._conv = conv
        self._squares = DerivedWeight(transform_square_kernel)
        self._packed = DerivedWeight(pack_kernel)

    def __call__(self, x: Tensor) -> Tensor:
        weight, bias = self._conv.weight, self._conv.bias
        assert bias is not None
        if suits_squares(x, weight.shape[1], weight.shape[0]):
            return convolve_squares(x, self._squares(weight), bias)
        return convolve(x, self._packed(weight), bias, (1, 1)).clamp_min_(0)


def _distance(x: Tensor, y: Tensor, head: Tensor) -> Tensor:
    """The mean over pixels of the weighted squares between features (H, W, C) of norm 1."""
    x, y = x.flatten(0, 1), y.flatten(0, 1)
    num_pixels = max(1, STRIP_NUMBERS // x.shape[1])
    sums = []
    for one, other in zip(x.split(num_pixels), y.split(num_pixels), strict=True):
        difference = one / _norm(one)
        difference.sub_(other / _norm(other)).square_()
        sums.append((difference @ head).sum())
    return torch.stack(sums).sum() / len(x)


def _norm(features: Tensor) -> Tensor:
    return torch.linalg.vector_norm(features, dim=1, keepdim=True).add_(NORM_FLOOR)
