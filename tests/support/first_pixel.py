"""A metric of features that is quick: the first value of each clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toklab.bench.metrics.interface import Arrays, Estimate, MeasuredWindow, Metric, WindowBatch
from torch import Tensor


class FirstPixel(Metric):
    """Keeps the first value of reference and reconstruction."""

    name = title = measurement = "first-pixel"
    direction = "none"
    range = display_range = (-1.0, 1.0)
    needs = "features"
    convention = "first value"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        return self.measure_reference(batch.reconstruction)

    def measure_reference(self, reference: Tensor) -> list[Arrays]:
        return [{"first": video.flatten()[:1].numpy()} for video in reference]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        return Estimate(0.0, len(windows), "windows")
