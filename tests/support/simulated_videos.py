"""Made videos whose true figures are known, for tests of how often intervals and verdicts are right."""

from __future__ import annotations

import math

import numpy as np


def standardised_lognormal(generator: np.random.Generator, size: tuple[int, ...] | int) -> np.ndarray:
    """Skewed values of mean 0 and variance 1."""
    mean, deviation = math.exp(0.5), math.sqrt((math.e - 1) * math.e)
    return (np.exp(generator.normal(size=size)) - mean) / deviation


def free_window_counts(generator: np.random.Generator, num_sources: int) -> np.ndarray:
    """Windows of each video: 1 to dozens, whatever the video's level."""
    return np.maximum(1, np.round(np.exp(1.6 + 0.8 * generator.normal(size=num_sources))))


def normal_videos(generator: np.random.Generator, num_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and weights of videos of 8 windows; the true figure is 30."""
    means = 30 + 3 * generator.normal(size=num_sources) + generator.normal(size=num_sources) / math.sqrt(8)
    return means * 8, np.full(num_sources, 8.0)


def skewed_videos(generator: np.random.Generator, num_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and weights of videos whose levels are strongly skewed; the true figure is 25."""
    means = 25 + 3 * standardised_lognormal(generator, num_sources) + generator.normal(size=num_sources) / math.sqrt(8)
    return means * 8, np.full(num_sources, 8.0)


LINKED_TRUTH = 31.4398
"""True figure of :func:`linked_videos`."""


def linked_videos(generator: np.random.Generator, num_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and weights of videos of which those with more windows have higher levels."""
    levels = generator.normal(size=num_sources)
    counts = np.maximum(1, np.round(np.exp(1.6 + 0.8 * (0.6 * levels + 0.8 * generator.normal(size=num_sources)))))
    means = 30 + 3 * levels + generator.normal(size=num_sources) / np.sqrt(counts)
    return means * counts, counts


def dominated_videos(generator: np.random.Generator, num_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and weights of videos of which one has 80 windows, the others 4; the true figure is 30."""
    weights = np.full(num_sources, 4.0)
    weights[0] = 80
    means = 30 + 3 * generator.normal(size=num_sources) + generator.normal(size=num_sources) / np.sqrt(weights)
    return means * weights, weights


def equal_systems(
    generator: np.random.Generator, num_sources: int, num_systems: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Means, (sources, systems), of systems that are equally good on videos whose levels differ."""
    levels = 30 + 3 * generator.normal(size=(num_sources, 1))
    return levels + generator.normal(size=(num_sources, num_systems))
