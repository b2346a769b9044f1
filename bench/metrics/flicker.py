"""Flicker error: how much the reconstruction's change from frame to frame differs from the reference's."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from .interface import Arrays, MeasuredWindow, WindowBatch
from .ratio import RatioMetric


def transition_errors(reference: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean over (C, H, W) of |(x_t+1 − x_t) − (y_t+1 − y_t)| on the scale [0, 1], for each transition.

    Args:
        reference: x, (B, C, T, H, W) in [-1, 1].
        reconstruction: y, the same shape and range.

    Returns:
        (B, T − 1) float64; zero columns for single frames.
    """
    frames = zip(reference.unbind(2), reconstruction.unbind(2), strict=True)
    # The difference of the changes is the change of the difference.
    errors = ((x.double() - y.double()) / 2 for x, y in frames)
    transitions = [(after - before).abs().flatten(1).mean(1) for before, after in itertools.pairwise(errors)]
    return torch.stack(transitions, dim=1) if transitions else reference.new_zeros(len(reference), 0).double()


class Flicker(RatioMetric):
    """Mean absolute error of the change from frame to frame."""

    name = "flicker"
    title = "Flicker"
    direction = "lower"
    range = (0.0, 2.0)
    display_range = (0.05, 0.0)
    decimals = 4
    needs = "pairs"
    convention = "mean |Δx − Δy| over (C, H, W) on [0, 1], Δ from each frame to the next; mean over transitions"
    measurement = "transition-errors"
    counted = "transitions"
    takes_stacks = True

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``errors``: (T − 1,) float64."""
        return [{"errors": row} for row in transition_errors(batch.reference, batch.reconstruction).cpu().numpy()]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The error of each transition."""
        return np.asarray(window.arrays["errors"])
