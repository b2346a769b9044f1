"""A figure that is a ratio of sums over source videos, and how precise it is.

Each video gives the sum of its numerators and a weight (frames, pixels, windows). The standard error is the linearised
cluster estimate; its scale and degrees of freedom allow for videos of unequal weight, after Bell and McCaffrey, *Bias
reduction in standard errors for linear regression with multi-stage samples*, Survey Methodology 28 (2002).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MIN_SOURCES = 5
"""Videos below which there is no interval and no verdict."""


@dataclass(frozen=True)
class Link:
    """A monotone function from a ratio to the figure that is printed, such as decibels of a mean squared error."""

    value: Callable[[np.ndarray], np.ndarray]
    """Figures from ratios, elementwise."""
    slope: Callable[[np.ndarray], np.ndarray]
    """Its derivative, elementwise."""
    lowest: float = -math.inf
    """The smallest ratio that it is defined for."""


IDENTITY = Link(lambda ratios: ratios, np.ones_like)
"""For figures that are ratios themselves."""


@dataclass(frozen=True)
class Freedom:
    """How a standard error has to be read, as the weights of the videos determine it."""

    scale: float
    """What the standard error is multiplied with; 1 for equal weights."""
    degrees: float
    """Degrees of freedom of Student's t; one less than the videos for equal weights."""


def freedom(weights: np.ndarray) -> Freedom:
    """Scale and degrees of freedom for videos whose means vary alike and whose weights are ``weights``, (sources,).

    Residuals w (y − θ) of means y of equal variance have a covariance proportional to M. The degrees of freedom are
    Satterthwaite's, (tr M)² / tr M²; both traces are sums of powers of the weights here.

    Raises:
        ValueError: with fewer than two videos.
    """
    num_sources = len(weights)
    if num_sources < 2:
        raise ValueError(f"a standard error takes at least 2 videos, not {num_sources}")
    # Weights as shares of the whole: the formula doesn't depend on their unit.
    shares = weights / math.fsum(weights)
    second, third, fourth = (math.fsum(shares**power) for power in (2, 3, 4))
    trace = second - 2 * third + second**2
    trace_of_square = (
        second**4
        + 2 * second * fourth
        - 4 * second**2 * third
        + 2 * third**2
        + math.fsum(shares**4 * (1 + 2 * second - 4 * shares))
    )
    scale = math.sqrt(second / (num_sources / (num_sources - 1) * trace))
    return Freedom(scale, trace**2 / trace_of_square)


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums with what its precision rests on; all arrays have one entry a video."""

    value: float
    """Σ sums / Σ weights."""
    residuals: np.ndarray
    """What each video adds to the numerator beyond ``value`` times its weight, over the sum of all weights."""
    shares: np.ndarray
    """Each video's share of the weights; they sum to 1."""

    @classmethod
    def of(cls, sums: np.ndarray, weights: np.ndarray) -> Ratio:
        """The ratio of sums and weights, (sources,) each, in an order that doesn't depend on chance.

        Raises:
            ValueError: if the shapes differ, there is no video, a sum isn't finite or a weight isn't positive.
        """
        sums, weights = np.asarray(sums, np.float64), np.asarray(weights, np.float64)
        if sums.shape != weights.shape or sums.ndim != 1 or not len(sums):
            raise ValueError(f"sums and weights need one entry a video, not {sums.shape} and {weights.shape}")
        if not np.isfinite(sums).all() or not np.isfinite(weights).all() or not (weights > 0).all():
            raise ValueError("sums must be finite, and weights finite and above zero")
        weight = math.fsum(weights)
        value = math.fsum(sums) / weight
        return cls(value, (sums - value * weights) / weight, weights / weight)

    @property
    def num_sources(self) -> int:
        """Videos."""
        return len(self.shares)

    @property
    def effective_sources(self) -> float:
        """Videos of equal weight that would tell as much: 1 / Σ shares²."""
        return 1 / math.fsum(self.shares**2)

    @property
    def standard_error(self) -> float:
        """See :func:`standard_error`."""
        return standard_error(self.residuals)

    @functools.cached_property
    def freedom(self) -> Freedom:
        """See :func:`freedom`."""
        return freedom(self.shares)


def standard_error(influences: np.ndarray) -> float:
    """√(S/(S − 1) Σ u²) of what each of S ≥ 2 videos adds to a figure, (sources,)."""
    num_sources = len(influences)
    return math.sqrt(num_sources / (num_sources - 1) * math.fsum(influences**2))
