"""What a causal network knows of time during one pass: what came before its input, and where the clip starts and ends.

The networks hold no state. Every pass carries a :class:`TimeContext`; layers that look back ask it for the frames
before their input. Tensors inside the networks are (B, T, H, W, C).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Past = Literal["zeros", "first_frame"]

STRIP_VALUES = 2**19
"""Numbers in a strip: 2 MiB in float32, so that the few tensors alive at a time stay in a core's caches."""
NOMINAL_CHUNK_FRAMES = 16
"""Frames by which the strips of a stream are sized, however many a chunk has."""


class TimeContext:
    """A pass over a whole clip.

    Where the past is the first frame repeated, all frames of the first latent are equal in every layer. Such a pass
    is ``merged``: one frame stands for all of them, and none is computed twice.
    """

    starts: bool = True
    """Whether the input of this pass begins with the first frame of the clip."""

    def __init__(self, past: Past = "zeros", merged: bool = False):
        self.past_rule = past
        self.merged = merged
        self.strip: tuple[int, int] | None = None
        """The part of the picture that is being worked on, (clip, first position), if it isn't the whole."""
        self.num_lead_frames = 1
        """Frames that belong to the first latent, at the current depth of a decoder; interpolation doubles them."""

    def strip_width(self, num_frames: int, channels: int) -> int:
        """Positions that a layer which works on each pixel by itself may take at once, to stay within the cache."""
        return max(1, STRIP_VALUES // (num_frames * channels))

    def past(self, layer: nn.Module, x: Tensor, num_frames: int) -> Tensor | None:
        """The ``num_frames`` frames before ``x`` (B, T, H, W, C), as ``layer`` sees them; ``None`` for zeros."""
        if self.past_rule == "zeros":
            return None
        return x[:, :1].expand(-1, num_frames, -1, -1, -1)

    @property
    def downsampling_overlap(self) -> int:
        """Frames before its input that a layer needs that halves time with a kernel of 3.

        One where all frames are there. Two where one frame stands for the whole first latent: then an odd number of
        frames comes in, and the first output is made of the first frame alone.
        """
        return 2 if self.merged and self.starts else 1

    def interpolate(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Double time linearly, the frames of the first latent apart from the others."""
        num_lead = self.num_lead_frames
        lead, rest = x[:, :num_lead], x[:, num_lead:]
        if not self.merged:
            self.num_lead_frames *= 2
            lead = double_linearly(lead)
        return torch.cat([lead, double_linearly(rest)], 1) if rest.shape[1] else lead

    def repeat(self, x: Tensor) -> Tensor:
        """Double time by repeating every frame; one that stands for the first latent stays one."""
        if self.merged and self.starts:
            return torch.cat([x[:, :1], double_frames(x[:, 1:])], 1)
        return double_frames(x)


class StreamContext(TimeContext):
    """Successive passes over the chunks of one clip, equal to one pass over the whole of it.

    Causal convolutions find the last frames of the chunk before. Interpolation gives every frame as soon as its
    right neighbour is known, so its output lags behind its input by half a frame until the clip ends. Each frame is
    computed once.
    """

    def __init__(self, past: Past, merged: bool):
        super().__init__(past, merged)
        self.ends = False
        self._kept: dict[tuple[nn.Module, tuple[int, int] | None], Tensor] = {}

    def begin_chunk(self, ends: bool) -> None:
        """Say, before the second and every later chunk, whether it is the last one of the clip."""
        self.starts = False
        self.ends = ends

    def strip_width(self, num_frames: int, channels: int) -> int:
        """As for a whole clip, but the same for every chunk, so that each strip finds its own past."""
        return super().strip_width(NOMINAL_CHUNK_FRAMES, channels)

    def past(self, layer: nn.Module, x: Tensor, num_frames: int) -> Tensor | None:
        """The frames before ``x``: those of the chunk before, or the rule's where this is the first."""
        key = (layer, self.strip)
        past = super().past(layer, x, num_frames) if self.starts else self._kept[key][:, -num_frames:]
        self._kept[key] = self._last_frames(past, x, num_frames)
        return past

    def _last_frames(self, past: Tensor | None, x: Tensor, num_frames: int) -> Tensor:
        if x.shape[1] >= num_frames:
            # A copy, so that the chunk's own memory can be freed.
            return x[:, -num_frames:].clone()
        if past is None:
            return F.pad(x, (0, 0, 0, 0, 0, 0, num_frames - x.shape[1], 0))
        return torch.cat([past, x], 1)[:, -num_frames:].clone()

    def interpolate(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Double time linearly: every frame whose neighbours are known; at the end of the clip, all that are left."""
        ready = []
        if self.starts:
            ready.append(x[:, :1])
            x = x[:, 1:]
        if x.shape[1]:
            before = self._kept.get((layer, None))
            doubled = double_linearly(x if before is None else torch.cat([before, x], 1))
            stop = doubled.shape[1] if self.ends else doubled.shape[1] - 1
            ready.append(doubled[:, (0 if before is None else 1) : stop])
            self._kept[layer, None] = x[:, -1:].clone()
        return torch.cat(ready, 1)


class LookaheadContext(StreamContext):
    """Decoder passes over overlapping chunks, as the official v1.1 code makes them with ``use_overlap``.

    Every chunk but the last brings the first latent of the next one along, whose frames are dropped from the output.
    The first interpolation behind another one takes the left neighbour of its second chunk from frames that were
    made without their right neighbour: these passes differ from one over the whole clip in the first frames after
    the first boundary. Published v1.1 figures carry this.
    """

    def begin_chunk(self, ends: bool) -> None:
        """Say, before the second and every later chunk, whether it is the last one of the clip."""
        super().begin_chunk(ends)
        self.num_lead_frames = 1

    def _last_frames(self, past: Tensor | None, x: Tensor, num_frames: int) -> Tensor:
        # A latent has as many look-ahead frames at every depth as the first latent has lead frames.
        return super()._last_frames(past, x[:, : x.shape[1] - self.num_lead_frames], num_frames)

    def interpolate(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Double time linearly, with what the chunk before looked ahead to as the left neighbours."""
        num_frames = self.num_lead_frames
        self.num_lead_frames *= 2
        if self.starts:
            self._kept[layer, None] = x[:, -num_frames:].clone()
            return torch.cat([x[:, :1], double_linearly(x[:, 1:])], 1) if x.shape[1] > 1 else x
        x = torch.cat([self._kept[layer, None], x], 1)
        self._kept[layer, None] = x[:, -2 * num_frames : -num_frames].clone()
        return double_linearly(x)[:, 2 * num_frames :]

    def repeat(self, x: Tensor) -> Tensor:
        """Double time by repeating every frame; one that stands for the first latent stays one."""
        self.num_lead_frames *= 2
        return super().repeat(x)


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
