"""FVD with its interval over a small dataset."""

from __future__ import annotations

import numpy as np
from metric_windows import estimate, feature_window, make_metric


def test_fvd_of_300_windows(benchmark):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(2, 30, 10, 400)).astype(np.float32)
    windows = [
        feature_window(f"v{source}", window, features[0, source, window], features[1, source, window])
        for source in range(30)
        for window in range(10)
    ]
    benchmark.pedantic(lambda: estimate(make_metric("fvd-i3d"), windows), rounds=2, iterations=1)


def test_ranks_of_twenty_systems_with_2000_windows(benchmark):
    generator = np.random.default_rng(0)
    references = generator.normal(size=(2_000, 400)).astype(np.float32)
    systems = []
    for _ in range(20):
        made = references + 0.3 * generator.normal(size=references.shape).astype(np.float32)
        systems.append([feature_window(f"v{i:04}", 0, made[i], references[i]) for i in range(2_000)])
    benchmark.pedantic(lambda: make_metric("fvd-i3d").compare_systems(systems), rounds=1, iterations=1)
