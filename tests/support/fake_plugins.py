"""What TOKLAB_PLUGINS may name, working and not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fake_weights import WeightedTokenizer
from toklab.bench.metrics.interface import Estimate, MeasuredWindow, Metric
from toklab.datasets.interface import Dataset, VideoSource
from toklab.tokenizers.interface import InferenceSettings, TokenizerSpec

NOT_CALLABLE = 3

SPEC = TokenizerSpec(
    name="scaling",
    family="fake",
    title="Scaling",
    regularizer="ae",
    causal=True,
    temporal_compression=1,
    spatial_compression=1,
)


def build_scaling(settings: InferenceSettings) -> WeightedTokenizer:
    """A tokenizer plugin."""
    tokenizer = WeightedTokenizer(SPEC, {}, settings)
    tokenizer.init_random(0)
    return tokenizer


def build_nothing(settings: InferenceSettings) -> None:
    """A plugin that forgets to return its tokenizer."""


class FakeDataset(Dataset):
    """A dataset plugin."""

    name = "fake"

    def __init__(self, root: Path | None):
        self.root = root

    def sources(self) -> list[VideoSource]:
        return []


class FakeMetric(Metric):
    """A metric plugin."""

    name = "fake"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate:
        return Estimate(0.0, len(windows))
