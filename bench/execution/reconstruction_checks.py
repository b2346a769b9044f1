"""What a tokenizer's reconstruction must be before it is measured."""

from __future__ import annotations

import torch
from torch import Tensor

FRAMES_NAMED = 5
"""Frames that a message names at most."""


class RuleBroken(ValueError):
    """What a tokenizer did to its input, or gave back, that makes its figures worthless."""


class NonFiniteReconstruction(ValueError):
    """A reconstruction with values that aren't numbers, or infinite."""


def check_untouched(given: Tensor, reference: Tensor) -> None:
    """Raise :class:`RuleBroken` if a tokenizer changed the clips that it was given a copy of."""
    if not torch.equal(given, reference):
        raise RuleBroken("the tokenizer changed the clip that it was given; work on a copy, as with video = video * 2")


def check_reconstruction(reconstruction: Tensor, given: Tensor) -> None:
    """Raise :class:`RuleBroken` unless a reconstruction is on its clip's device and in memory of its own."""
    if reconstruction.device != given.device:
        raise RuleBroken(f"the reconstruction is on {reconstruction.device}, the clip on {given.device}")
    if reconstruction.untyped_storage().data_ptr() == given.untyped_storage().data_ptr():
        raise RuleBroken("the reconstruction shares its memory with the clip; return a tensor of its own")


def are_finite(reconstruction: Tensor) -> list[bool]:
    """Whether each clip of (B, 3, T, H, W) is without NaN and infinite values; both show in its extremes."""
    extremes = torch.stack([torch.stack(clip.aminmax()) for clip in reconstruction])
    return extremes.isfinite().all(dim=1).tolist()


def describe_non_finite(reconstruction: Tensor, start: int = 0) -> str:
    """How many values of a reconstruction aren't finite, and in which frames.

    Args:
        reconstruction: (3, T, H, W).
        start: index of its first frame in the window.
    """
    bad = ~reconstruction.isfinite()
    frames = (bad.any(dim=0).flatten(1).any(dim=1).nonzero().flatten() + start).tolist()
    return f"the reconstruction holds {int(bad.sum())} NaN or infinite values, in frames {frames[:FRAMES_NAMED]}"
