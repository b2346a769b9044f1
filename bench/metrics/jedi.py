"""JEDi: the distance of second moments of V-JEPA's features, as published and without its bias.

Luo et al., *Beyond FVD: enhanced evaluation metrics for video generation quality*, arXiv:2410.05203. The features are
those of the attentive probe that was trained on Something-Something v2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .published_pickles import JEDI_VJEPA
from .set_distance import PolynomialDistance
from .transformer_metric import VideoTransformerMetric, squash

CONVENTION = (
    "jedi-vjepa-h16-ssv2: V-JEPA ViT-H/16 and the attentive pooler of its Something-Something v2 probe; clips of 16 "
    "frames, squashed to 224×224, bilinear, no antialiasing, no 8-bit rounding; ImageNet's mean and deviation"
)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue in [0, 1]."""


def normalised(video: Tensor) -> Tensor:
    """Clips (B, 3, T, H, W) in [0, 1], less ImageNet's mean and over its deviation, channel by channel."""
    mean, deviation = (torch.tensor(of, device=video.device).view(1, 3, 1, 1, 1) for of in (MEAN, DEVIATION))
    return (video - mean) / deviation


class _Jedi(VideoTransformerMetric):
    display_range = (2.0, 0.0)
    decimals = 4
    measurement = "vjepa-h16-ssv2-features"
    feature_size = 1280
    quantity = "JEDi"
    small_sample = "the value is inflated"
    converted = JEDI_VJEPA
    # Its bias isn't extrapolated away: the paired one has none.
    has_limit = False

    def prepared(self, video: Tensor) -> Tensor:
        """Squashed and normalised: (B, 3, 16, 224, 224)."""
        return normalised(squash(video))


class Jedi(_Jedi):
    """JEDi over all pairs, as papers print it; too large by the size of the sample."""

    name = "jedi"
    title = "JEDi"
    range = (0.0, math.inf)
    convention = f"{CONVENTION}; 100 · MMD² with the kernel (⟨x, y⟩/1280)² over all pairs"
    distance = PolynomialDistance(is_paired=False)


class PairedJedi(_Jedi):
    """JEDi of clips and their reconstructions without its bias, so that it can be compared between N."""

    name = "jedi-paired"
    title = "JEDi (paired)"
    range = (-math.inf, math.inf)
    convention = (
        f"{CONVENTION}; 100 · MMD² with the kernel (⟨x, y⟩/1280)², without a clip's pairs with itself and its own"
    )
    distance = PolynomialDistance(is_paired=True)
    is_inflated = False
