"""Fréchet video distance on the 400 pre-softmax outputs of I3D, by two conventions of preprocessing.

Unterthiner et al., *Towards accurate generative models of video: a new metric and challenges*, arXiv:1812.01717. The
network is StyleGAN-V's TorchScript, whose SHA-256 is compared before it is loaded.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import weights
from .interface import Arrays, MetricError, Unavailable
from .set_distance import FrechetDistance
from .set_metric import SetMetric

MIN_FRAMES = 10
"""Frames below which I3D's temporal pooling leaves nothing."""
INPUT_SIDE = 224
"""Pixels of I3D's input."""


def crop_to_input(video: Tensor) -> Tensor:
    """Short side to 224 by bilinear interpolation without antialiasing, then the central 224×224 (VideoGPT's).

    Args:
        video: (B, C, T, H, W).

    Returns:
        (B, C, T, 224, 224).
    """
    height, width = video.shape[-2:]
    scale = INPUT_SIDE / min(height, width)
    # The short side is named, not scaled: its product may round to 225.
    size = [INPUT_SIDE if side == min(height, width) else math.ceil(side * scale) for side in (height, width)]
    frames = video.transpose(1, 2).flatten(0, 1)
    frames = F.interpolate(frames, size, mode="bilinear", align_corners=False)
    top, left = (size[0] - INPUT_SIDE) // 2, (size[1] - INPUT_SIDE) // 2
    frames = frames[..., top : top + INPUT_SIDE, left : left + INPUT_SIDE]
    return frames.unflatten(0, (video.shape[0], video.shape[2])).transpose(1, 2)


class _Fvd(SetMetric):
    range = (0.0, math.inf)
    display_range = (500.0, 0.0)
    decimals = 1
    feature_size = 400

    def __init__(self, detector: Path | None = None):
        """``detector``: a TorchScript file to use in place of the published I3D; the caller vouches for its code."""
        self._detector_path = detector
        self._detector: Any = None

    @abstractmethod
    def features(self, detector: Any, video: Tensor) -> Tensor:
        """Features (B, 400) of a video (B, 3, T, H, W) in [-1, 1]."""

    @property
    def measurement_key(self) -> str:
        """Name, version and network."""
        detector = "supplied" if self._detector_path is not None else weights.FVD_I3D.sha256[:12]
        return f"{super().measurement_key}:{detector}"

    def unavailable(self) -> Unavailable | None:
        """Why I3D can't be used."""
        return None if self._detector_path is not None else weights.unavailable(weights.FVD_I3D)

    def prepare(self, device: torch.device) -> None:
        """Load I3D; raises ``WeightsUnavailableError`` if the file isn't here or isn't the right one."""
        path = self._detector_path if self._detector_path is not None else weights.verified(weights.FVD_I3D)
        self._detector = torch.jit.load(str(path), map_location=device).eval()

    @torch.no_grad()
    def measure_video(self, video: Tensor) -> list[Arrays]:
        """``features``: (400,) float32."""
        if (num_frames := video.shape[2]) < MIN_FRAMES:
            raise MetricError(f"FVD takes windows of at least {MIN_FRAMES} frames, not {num_frames}")
        if self._detector is None:
            self.prepare(video.device)
        features = self.features(self._detector, video.float()).float().cpu().numpy()
        if not np.isfinite(features).all():
            raise MetricError("I3D gave features that are not finite")
        return [{"features": row} for row in features]


class FvdSquash(_Fvd):
    """FVD as StyleGAN-V computes it."""

    name = "fvd-i3d"
    title = "FVD"
    convention = (
        "I3D (StyleGAN-V TorchScript), whole windows squashed to 224×224 inside it, no 8-bit rounding, "
        "covariance divided by N; one feature a window"
    )
    measurement = "i3d-features-squash"
    distance = FrechetDistance(ddof=0)

    def features(self, detector: Any, video: Tensor) -> Tensor:
        """I3D resizes by itself."""
        return detector(video, rescale=False, resize=True, return_features=True)


class FvdCrop(_Fvd):
    """FVD with VideoGPT's preprocessing and covariance, on StyleGAN-V's weights."""

    name = "fvd-i3d-crop"
    title = "FVD (crop)"
    convention = (
        "I3D (StyleGAN-V TorchScript), short side to 224 bilinear and centre crop, no 8-bit rounding, "
        "covariance divided by N − 1; one feature a window"
    )
    measurement = "i3d-features-crop"
    distance = FrechetDistance(ddof=1)

    def features(self, detector: Any, video: Tensor) -> Tensor:
        """Resized and cropped before I3D."""
        return detector(crop_to_input(video), rescale=False, resize=False, return_features=True)
