"""What causal layers remember of a clip from one chunk to the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FeatureCache:
    """The last frames that each layer has seen of one clip. It belongs to a call, never to a network.

    Args:
        keeps: whether anything is remembered; a clip that goes through in one piece needs no memory.
    """

    def __init__(self, *, keeps: bool = False):
        self.keeps = keeps
        self.starts = True
        """Whether the chunk under way is the first of its clip."""
        self._frames: dict[nn.Module, Tensor] = {}

    def prepend_past(self, layer: nn.Module, x: Tensor, num_frames: int) -> Tensor:
        """(B, T, H, W, C) behind up to ``num_frames`` frames that ``layer`` saw before; it remembers the last ones.

        Fewer come where the clip has had fewer so far.
        """
        if not self.keeps:
            return x
        past = self._frames.get(layer)
        joined = x if past is None else torch.cat([past, x], 1)
        # Without the copy all of the chunk would stay in memory.
        self._frames[layer] = joined[:, -num_frames:].clone()
        return joined

    def end_chunk(self) -> None:
        """Note that the next chunk isn't the first."""
        self.starts = False
