"""Distances between the features that a video transformer gives of clips of 16 frames."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..statistics.families import Family, Pair
from . import converted_weights
from .converted_weights import LoadedNetwork
from .interface import Arrays, Estimate, MeasuredWindow, MetricError, Unavailable
from .published_pickles import ConvertedWeights
from .set_metric import SetMetric

INPUT_SIDE = 224
"""Pixels of the networks' input."""
DIFFERENT_WEIGHTS = Unavailable("its features are of networks with different weights", "run into a new folder")
"""What is said of features that don't belong together."""


def squash(video: Tensor) -> Tensor:
    """Whole frames to 224×224 by bilinear interpolation without antialiasing, in [0, 1].

    Args:
        video: (B, 3, T, H, W) in [-1, 1].

    Returns:
        (B, 3, T, 224, 224).
    """
    frames = ((video + 1) / 2).transpose(1, 2).flatten(0, 1)
    frames = F.interpolate(frames, (INPUT_SIDE, INPUT_SIDE), mode="bilinear", align_corners=False, antialias=False)
    return frames.unflatten(0, (video.shape[0], video.shape[2])).transpose(1, 2)


class VideoTransformerMetric(SetMetric):
    """A set metric whose network's weights come by ``toklab weights pull``."""

    clip_frames = 16
    converted: ConvertedWeights

    def __init__(self, network: nn.Module | None = None):
        """``network``: used in place of the published one; figures are then comparable to none."""
        self._supplied = network
        self._loaded: LoadedNetwork | None = None

    @abstractmethod
    def prepared(self, video: Tensor) -> Tensor:
        """What the network takes, of a video (B, 3, 16, H, W) in [-1, 1]."""

    @property
    def measurement_key(self) -> str:
        """Name and version; which weights they are of stands beside the features, as their SHA-256 isn't published."""
        return super().measurement_key + (":supplied" if self._supplied is not None else "")

    def unavailable(self) -> Unavailable | None:
        """Why the network can't be used."""
        return None if self._supplied is not None else converted_weights.unavailable(self.converted)

    def prepare(self, device: torch.device) -> None:
        """Load the network; raises ``WeightsUnavailableError`` if its weights aren't here or aren't the right ones."""
        if self._supplied is None:
            self._loaded = converted_weights.load(self.converted, device)
        else:
            network = self._supplied.to(device).eval().requires_grad_(False)
            self._loaded = LoadedNetwork(network, hashlib.sha256(b"supplied").digest())

    @torch.no_grad()
    def measure_video(self, video: Tensor) -> list[Arrays]:
        """``features``, (d,) float32, and ``weights``, (32,) uint8, which tells whose."""
        if (num_frames := video.shape[2]) != self.clip_frames:
            raise MetricError(f"{self.name} takes clips of {self.clip_frames} frames, not {num_frames}")
        if self._loaded is None:
            self.prepare(video.device)
        assert self._loaded is not None
        features = self._loaded.network(self.prepared(video.float())).float().cpu().numpy()
        if not np.isfinite(features).all():
            raise MetricError(f"the network of {self.name} gave features that are not finite")
        weights = np.frombuffer(self._loaded.digest, np.uint8)
        return [{"features": row, "weights": weights} for row in features]

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """One row of features for each clip of a window."""
        return {**super().join(pieces), "weights": pieces[0]["weights"]}

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """As of all set metrics; features of different weights make no figure."""
        return super().aggregate(windows, facts) if len(_digests(windows)) <= 1 else DIFFERENT_WEIGHTS

    def compare_systems(
        self, systems: Sequence[Sequence[MeasuredWindow]], pairs: Sequence[Pair] | None = None
    ) -> Family | Unavailable:
        """As of all set metrics; systems whose features are of different weights aren't compared."""
        digests = set().union(*map(_digests, systems))
        return super().compare_systems(systems, pairs) if len(digests) <= 1 else DIFFERENT_WEIGHTS


def _digests(windows: Sequence[MeasuredWindow]) -> set[bytes]:
    arrays = (kept for window in windows for kept in (window.arrays, window.reference_arrays))
    return {bytes(kept["weights"]) for kept in arrays if "weights" in kept}
