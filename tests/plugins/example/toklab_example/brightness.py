"""A metric: how much brighter the reconstruction is than the clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from toklab.bench.metrics.interface import Arrays, Estimate, MeasuredWindow, Metric, Unavailable, WindowBatch


class BrightnessMetric(Metric):
    name = "example-brightness"
    title = "Brightness"
    direction = "none"
    range = (-1.0, 1.0)
    display_range = (-0.1, 0.1)
    needs = "pairs"
    convention = "mean of reconstruction minus reference over all values, on [0, 1]"
    measurement = "example-brightness"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        differences = ((batch.reconstruction - batch.reference) / 2).flatten(1).double().mean(1)
        return [{"difference": np.array([value])} for value in differences.tolist()]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        values = [float(window.arrays["difference"][0]) for window in windows]
        return Estimate(math.fsum(values) / len(values), len(values), "windows")
