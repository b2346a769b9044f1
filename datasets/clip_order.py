"""Which video each clip of a training comes from: one global order that follows from a seed alone."""

from __future__ import annotations

import functools
import hashlib
import math

import numpy as np


class ClipOrder:
    """The global order of a training's clips, position by position.

    Position n of all processes together is synthetic or not by the share alone. The others go through the videos in
    epochs: each epoch has every video once, in an order of its own. So the positions of an epoch have different videos,
    whichever process takes which of them, and any position is found without those before it.

    Args:
        seed: of the order.
        num_videos: how many there are; 0: every position is synthetic.
        synthetic_share: share of synthetic positions, in [0, 1], spread evenly.
    """

    def __init__(self, seed: int, num_videos: int, synthetic_share: float = 0.0):
        self._seed = seed
        self._num_videos = num_videos
        self._share = synthetic_share if num_videos else 1.0
        self._epoch = functools.lru_cache(maxsize=2)(self._shuffled)

    def is_synthetic(self, position: int) -> bool:
        """Whether the clip at a position is synthetic."""
        return self._num_synthetic(position + 1) > self._num_synthetic(position)

    def video(self, position: int, attempt: int = 0) -> int:
        """Number of the video at a position that isn't synthetic.

        Args:
            position: in the global order, from 0.
            attempt: from 1 on a substitute for a video that can't be used, drawn from all.
        """
        if attempt:
            return int(self.generator(position, attempt).integers(self._num_videos))
        epoch, place = divmod(position - self._num_synthetic(position), self._num_videos)
        return int(self._epoch(epoch)[place])

    def generator(self, position: int, attempt: int = 0) -> np.random.Generator:
        """What draws everything else of the clip at a position."""
        return np.random.default_rng(_number(f"{self._seed}/clip/{position}/{attempt}"))

    def _num_synthetic(self, position: int) -> int:
        """Synthetic positions before this one."""
        return math.floor(position * self._share)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng(_number(f"{self._seed}/epoch/{epoch}")).permutation(self._num_videos)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
