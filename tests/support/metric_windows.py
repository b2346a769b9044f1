"""Builders of metrics, batches and measured windows for tests of metrics."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np
import torch
from toklab.bench.metrics import METRICS
from toklab.bench.metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable, WindowBatch
from toklab.tokenizers.interface import Encoded, TokenizerSpec
from torch import Tensor

SPEC = TokenizerSpec("test", "test", "Test", "fsq", causal=True, temporal_compression=1, spatial_compression=1)


def make_metric(name: str) -> Metric:
    module, _, attribute = METRICS[name].partition(":")
    return getattr(importlib.import_module(f"toklab.bench.metrics{module}"), attribute)()


def make_batch(reference: Tensor, reconstruction: Tensor, encoded: Encoded | None = None) -> WindowBatch:
    return WindowBatch(reference, reconstruction, encoded or Encoded(), SPEC)


def random_video(seed: int, shape: Sequence[int] = (1, 3, 3, 16, 20)) -> Tensor:
    return torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def estimate(metric: Metric, windows: Sequence[MeasuredWindow], facts: dict[str, float] | None = None) -> Estimate:
    outcome = metric.aggregate(windows, facts or {})
    assert isinstance(outcome, Estimate), outcome
    return outcome


def refusal(metric: Metric, windows: Sequence[MeasuredWindow], facts: dict[str, float] | None = None) -> Unavailable:
    outcome = metric.aggregate(windows, facts or {})
    assert isinstance(outcome, Unavailable), outcome
    return outcome


def window_of(source: str, index: int, **arrays: object) -> MeasuredWindow:
    made = {name: np.asarray(value) for name, value in arrays.items()}
    return MeasuredWindow(source, index, max((len(a) for a in made.values() if a.ndim), default=0), made)


def feature_window(source: str, index: int, reconstruction: np.ndarray, reference: np.ndarray) -> MeasuredWindow:
    return MeasuredWindow(source, index, 17, {"features": reconstruction}, {"features": reference})
