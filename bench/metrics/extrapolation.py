"""A distance of infinitely many features, extrapolated from parts of a large set: FVD∞.

Below the limits it is off by a factor, so it isn't offered there. Close to them it may be a tenth too small.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..statistics.extrapolation import limit_of_growing_samples, sample_sizes
from .feature_set import FeatureSet
from .kept_results import KeptResults

MIN_FEATURES = 1000
"""Features below which there is no extrapolation."""
MIN_FEATURES_PER_NUMBER = 2.5
"""The same for each number in a feature."""
NUM_SUBSAMPLES = 3
"""Parts of each size."""
_LIMITS: KeptResults[float] = KeptResults(256)


def can_extrapolate(features: FeatureSet) -> bool:
    """Whether a set is large enough."""
    return len(features) >= max(MIN_FEATURES, MIN_FEATURES_PER_NUMBER * features.num_features)


def extrapolate(features: FeatureSet) -> float:
    """The distance of infinitely many features, at least the smallest that there is; always the same for one set.

    Raises:
        ValueError: if the set is too small.
    """
    if not can_extrapolate(features):
        raise ValueError(f"{len(features):,} features of {features.num_features:,} numbers are too few to extrapolate")
    return _LIMITS.get((features.identity, features.distance_rule), lambda: _extrapolate(features))


def extrapolate_without(features: FeatureSet, source_names: Sequence[str]) -> np.ndarray:
    """The extrapolated distance without each group of sources, (groups,), each by the whole procedure.

    This takes about 40 s for 2,000 features of 400 numbers. The set must be large enough; what is left of it may be a
    little smaller.

    Args:
        features: the whole set.
        source_names: all sources, from which the groups follow.
    """
    groups, num_groups = features.groups(source_names)
    return np.array([_extrapolate(features.part(np.flatnonzero(groups != g).tolist())) for g in range(num_groups)])


def _extrapolate(features: FeatureSet) -> float:
    sizes = sample_sizes(len(features))
    # The largest part is the set itself, whatever the draw.
    draws = [features.growing(draw, sizes[:-1]) for draw in range(NUM_SUBSAMPLES)]
    values = [*itertools.chain(*draws), *[features.distance()] * NUM_SUBSAMPLES]
    limit = limit_of_growing_samples(sizes[:-1] * NUM_SUBSAMPLES + sizes[-1:] * NUM_SUBSAMPLES, values)
    return max(features.distance_rule.lowest, limit)
