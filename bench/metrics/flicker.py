"""Flicker error: how much the reconstruction's change from frame to frame differs from the reference's."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from .frame_errors import frame_errors
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
    return frame_errors(reference, reconstruction).transitions


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
        return [{"errors": row} for row in batch.once(frame_errors).transitions.cpu().numpy()]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The error of each transition."""
        return np.asarray(window.arrays["errors"])
