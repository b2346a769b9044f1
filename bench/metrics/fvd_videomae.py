"""Content-debiased FVD: the Fréchet distance of features of VideoMAE v2, which see more of motion than I3D's.

Ge et al., *On the content bias in Fréchet video distance*, arXiv:2404.12391.
"""

from __future__ import annotations

import math

from torch import Tensor

from .published_pickles import FVD_VIDEOMAE
from .set_distance import FrechetDistance
from .transformer_metric import VideoTransformerMetric, squash


class VideoMaeFvd(VideoTransformerMetric):
    """FVD on VideoMAE v2's ViT-g as cd-fvd computes it; its input isn't normalised."""

    name = "fvd-videomae-g-ssv2"
    title = "FVD (VideoMAE)"
    range = (0.0, math.inf)
    display_range = (500.0, 0.0)
    decimals = 1
    convention = (
        "VideoMAE v2 ViT-g/14 fine-tuned on Something-Something v2, normalised mean of its tokens; clips of 16 frames "
        "in [0, 1], squashed to 224×224, bilinear, no antialiasing, no mean and deviation, no 8-bit rounding; "
        "covariance divided by N (cd-fvd)"
    )
    measurement = "videomae-g-ssv2-features"
    feature_size = 1408
    distance = FrechetDistance(ddof=0)
    converted = FVD_VIDEOMAE

    def prepared(self, video: Tensor) -> Tensor:
        """Squashed, in [0, 1]: (B, 3, 16, 224, 224)."""
        return squash(video)
