"""What a causal network knows of time during one pass: what came before the clip, and how its first latent counts.

The networks hold no state. Every pass carries a :class:`TimeContext`; layers that look back ask it for the frames
before their input. Tensors inside the networks are (B, T, H, W, C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Past = Literal["zeros", "first_frame"]


class TimeContext:
    """A pass over a whole clip.

    Where the past is the first frame repeated, all frames of the first latent are equal in every layer. Such a pass
    is ``merged``: one frame stands for all of them, and none is computed twice.
    """

    def __init__(self, past: Past = "zeros", merged: bool = False):
        self.past_rule = past
        self.merged = merged
        self.lead = 1
        """Frames at the current depth of a decoder that belong to the first latent; upsamplers double it."""

    def past(self, layer: nn.Module, x: Tensor, num_frames: int) -> Tensor | None:
        """The ``num_frames`` frames before ``x`` (B, T, H, W, C), as ``layer`` sees them; ``None`` for zeros."""
        if self.past_rule == "zeros":
            return None
        return x[:, :1].expand(-1, num_frames, -1, -1, -1)

    def downsampling_overlap(self) -> int:
        """Frames before its input that a layer needs that halves time with a kernel of 3.

        One where all frames are there. Two where one frame stands for the whole first latent: then an odd number of
        frames comes in, and the first output is made of the first frame alone.
        """
        return 2 if self.merged else 1

    def interpolate(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Double time linearly, the frames of the first latent apart from the others."""
        lead = self.lead
        head = self._double_lead(double_linearly, x)
        return torch.cat([head, double_linearly(x[:, lead:])], 1) if x.shape[1] > lead else head

    def repeat(self, x: Tensor) -> Tensor:
        """Double time by repeating every frame."""
        lead = self.lead
        return torch.cat([self._double_lead(double_frames, x), double_frames(x[:, lead:])], 1)

    def _double_lead(self, double: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        lead = x[:, : self.lead]
        if self.merged:
            return lead
        self.lead *= 2
        return double(lead)


def double_frames(x: Tensor) -> Tensor:
    """Every frame of (B, T, H, W, C) twice."""
    return x.repeat_interleave(2, 1)


def double_linearly(x: Tensor) -> Tensor:
    """Linear interpolation of (B, T, H, W, C) to 2 T frames at a quarter and three quarters, clamped at both ends.

    The rule of ``align_corners=False``: out[2i] = ¼ x[i-1] + ¾ x[i], out[2i+1] = ¾ x[i] + ¼ x[i+1].
    """
    before = torch.cat([x[:, :1], x[:, :-1]], 1)
    after = torch.cat([x[:, 1:], x[:, -1:]], 1)
    return torch.stack([torch.lerp(x, before, 0.25), torch.lerp(x, after, 0.25)], 2).flatten(1, 2)
