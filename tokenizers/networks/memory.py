"""What causal layers saw last of a clip that comes in pieces, so that the pieces give what the whole gives."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Memory:
    """The memory of one clip's stream; layers find in it what they put there."""

    def __init__(self) -> None:
        self.starts = True
        """Whether the piece on its way is the first."""
        self.ends = False
        """Whether it is the last."""
        self._held: dict[nn.Module, Tensor] = {}

    def held(self, layer: nn.Module) -> Tensor | None:
        """What a layer put there last, if anything."""
        return self._held.get(layer)

    def hold(self, layer: nn.Module, x: Tensor) -> None:
        """Keep ``x`` for a layer, without the larger tensor that it may be a part of, if another piece follows."""
        if self.ends:
            self._held.pop(layer, None)
        else:
            self._held[layer] = x.clone()

    def in_turn(self, layer: nn.Module, x: Tensor, num_frames: int) -> Tensor:
        """The next ``num_frames`` of all frames (B, C, T, H, W) that a layer got; the others wait."""
        waiting = self.held(layer)
        frames = x if waiting is None else torch.cat([waiting, x], 2)
        self.hold(layer, frames[:, :, num_frames:])
        return frames[:, :, :num_frames]


class Remembering:
    """A layer whose ``forward(x, memory)`` takes a clip piece by piece; without a memory, ``x`` is a whole clip."""


class RememberingSequential(Remembering, nn.Sequential):
    """Layers one after the other, some of which may be :class:`Remembering`."""

    def forward(self, input: Tensor, memory: Memory | None = None) -> Tensor:
        """What the last layer gives."""
        for layer in self:
            input = run(layer, input, memory)
        return input


def run(layer: nn.Module, x: Tensor, memory: Memory | None) -> Tensor:
    """``layer`` of ``x``, with the memory if the layer takes one."""
    return layer(x, memory) if isinstance(layer, Remembering) else layer(x)


def join_past(layer: nn.Module, x: Tensor, start: Tensor, num_kept: int, memory: Memory | None, dim: int) -> Tensor:
    """``x`` behind what a layer saw last along time, the axis ``dim``.

    Args:
        layer: whose past it is.
        x: the present.
        start: what stands before a clip.
        num_kept: positions that the layer will see again.
        memory: where they are kept; ``None``: ``x`` is a whole clip.
        dim: the axis of time.
    """
    past = None if memory is None else memory.held(layer)
    joined = torch.cat([start if past is None else past, x], dim)
    if memory is not None:
        memory.hold(layer, joined.narrow(dim, joined.shape[dim] - num_kept, num_kept))
    return joined
