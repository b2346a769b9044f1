"""A metric: how much brighter the reconstruction is than the clip."""

import numpy as np
from toklab.bench.metrics.interface import Arrays, MeasuredWindow, WindowBatch
from toklab.bench.metrics.ratio import RatioMetric


class BrightnessMetric(RatioMetric):
    """Mean difference of brightness, over all frames."""

    name = "example-brightness"
    title = "Brightness"
    direction = "none"
    range = (-1.0, 1.0)
    display_range = (-0.1, 0.1)
    decimals = 4
    needs = "pairs"
    convention = "mean of reconstruction minus reference over (C, H, W) on [0, 1]; mean over all frames"
    measurement = "example-brightness"
    piecewise = True

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``difference``: (T,) float64, kept in the ledger for each window."""
        differences = (batch.reconstruction.double() - batch.reference.double()) / 2
        return [{"difference": row} for row in differences.mean(dim=(1, 3, 4)).cpu().numpy()]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The difference of each frame; their mean over all windows is the figure."""
        return window.arrays["difference"]
