"""Differences between systems on the same source videos, and how they vary between draws of the videos."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .draws import NUM_DRAWS, SEED, draw_counts
from .intervals import clear_of_rounding, studentised
from .ratios import IDENTITY, Freedom, Link, Ratio, standard_error


@dataclass(frozen=True)
class PairedRatios:
    """Ratios of several systems on the same videos, in one order."""

    ratios: tuple[Ratio, ...]
    link: Link
    share_weights: bool
    """Whether all systems have the same weights."""

    @classmethod
    def of(cls, sums: np.ndarray, weights: np.ndarray, link: Link = IDENTITY) -> PairedRatios:
        """From sums, (sources, systems), and weights, (sources,) or (sources, systems)."""
        sums, weights = np.asarray(sums, np.float64), np.asarray(weights, np.float64)
        if weights.ndim == 1:
            weights = np.repeat(weights[:, None], sums.shape[1], axis=1)
        ratios = tuple(Ratio.of(one, other) for one, other in zip(sums.T, weights.T, strict=True))
        return cls(ratios, link, all(np.array_equal(ratio.shares, ratios[0].shares) for ratio in ratios))

    @property
    def num_sources(self) -> int:
        """Videos."""
        return self.ratios[0].num_sources

    @functools.cached_property
    def values(self) -> np.ndarray:
        """Figures, (systems,)."""
        return self.link.value(np.array([ratio.value for ratio in self.ratios]))

    @functools.cached_property
    def slopes(self) -> np.ndarray:
        """Derivatives of the figures by their ratios, (systems,)."""
        return self.link.slope(np.array([ratio.value for ratio in self.ratios]))

    def difference(self, pair: tuple[int, int]) -> float:
        """Figure of the first system minus that of the second."""
        return float(self.values[pair[0]] - self.values[pair[1]])

    def influences(self, pair: tuple[int, int]) -> np.ndarray:
        """What each video adds to the difference, (sources,)."""
        first, second = pair
        return self.slopes[first] * self.ratios[first].residuals - self.slopes[second] * self.ratios[second].residuals

    def standard_errors(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Of each pair's difference."""
        return [standard_error(self.influences(pair)) for pair in pairs]

    def freedom(self, pair: tuple[int, int]) -> Freedom:
        """Of the pair's standard error: that of the system with the fewer degrees of freedom."""
        return min((self.ratios[system].freedom for system in pair), key=lambda freedom: freedom.degrees)

    def effective_sources(self, pair: tuple[int, int]) -> float:
        """Of the system whose weights are the less even."""
        return min(self.ratios[system].effective_sources for system in pair)


def pair_statistics(
    systems: PairedRatios, pairs: Sequence[tuple[int, int]], draws: int = NUM_DRAWS, seed: int = SEED
) -> np.ndarray:
    """Studentised deviations of the pairs' differences in every draw, the same draws for all: (draws, pairs)."""
    sums, error = _PairSums(systems, pairs), np.array(systems.standard_errors(pairs))
    found = [studentised(*sums.deviations(counts), error) for counts in draw_counts(systems.num_sources, draws, seed)]
    return np.concatenate(found)


def pair_deviations(
    systems: PairedRatios, pairs: Sequence[tuple[int, int]], counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far each difference of a draw is from that of the whole, and the draw's standard error: (draws, pairs) each.

    Args:
        systems: the systems.
        pairs: indices of the systems.
        counts: how often each video is drawn, (draws, sources) float64.
    """
    return _PairSums(systems, pairs).deviations(counts)


class _PairSums:
    """Sums over videos from which the standard error of every difference in a draw follows, without a loop over videos.

    With x the residuals of a system in a draw, q = x − e w, and a its slope over its weight in the draw, a video adds
    u = a_i q_i − a_j q_j to a difference. Written as u = m (q_i − q_j) + δ (q_i + q_j) / 2, with m the mean of a_i and
    a_j and δ their difference, nothing cancels where two systems are nearly the same: the squares of q_i − q_j come
    from columns of their own.
    """

    def __init__(self, systems: PairedRatios, pairs: Sequence[tuple[int, int]]):
        self.systems = systems
        self.first, self.second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        self.ratios = np.array([ratio.value for ratio in systems.ratios])
        residuals = np.stack([ratio.residuals for ratio in systems.ratios], axis=1)
        shares = np.stack([ratio.shares for ratio in systems.ratios], axis=1)
        apart = residuals[:, self.first] - residuals[:, self.second]
        self.curved = systems.link is not IDENTITY
        columns = [residuals, shares, residuals * shares, shares**2, apart**2]
        # Where weights differ between systems, the slopes over the weights do, too, and singles are needed.
        self.singles = self.curved or not systems.share_weights
        if self.singles:
            columns.append(residuals**2)
        if not systems.share_weights:
            mean = (shares[:, self.first] + shares[:, self.second]) / 2
            change = shares[:, self.first] - shares[:, self.second]
            columns += [apart * mean, mean**2, apart * change, mean * change, change**2]
        self.widths = np.cumsum([block.shape[1] for block in columns])[:-1]
        self.columns = np.concatenate(columns, axis=1)

    def deviations(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :func:`pair_deviations`."""
        blocks = np.split(counts @ self.columns, self.widths, axis=1)
        residual, weight, crossed, weight_squares, apart_squares = blocks[:5]
        deviation = residual / weight
        first, second = self.first, self.second
        difference = deviation[:, first] - deviation[:, second]
        if self.systems.share_weights:
            change = difference**2 * weight_squares[:, first]
            squares = apart_squares - 2 * difference * (crossed[:, first] - crossed[:, second]) + change
        else:
            apart_mean, mean_squares, apart_change, mean_change, change_squares = blocks[-5:]
            mean = (deviation[:, first] + deviation[:, second]) / 2
            change = difference**2 * mean_squares + mean**2 * change_squares
            squares = apart_squares + change
            squares += 2 * (difference * mean * mean_change - difference * apart_mean - mean * apart_change)
        squares = clear_of_rounding(squares, apart_squares + change)
        slopes = np.ones_like(weight)
        figures = deviation
        if self.curved:
            drawn = np.maximum(self.ratios + deviation, self.systems.link.lowest)
            slopes = self.systems.link.slope(drawn)
            figures = self.systems.link.value(drawn) - self.systems.values
        steps = slopes / weight
        middle = (steps[:, first] + steps[:, second]) / 2
        variation = middle**2 * squares
        if self.singles:
            own = blocks[5] - 2 * deviation * crossed + deviation**2 * weight_squares
            unequal = steps[:, first] - steps[:, second]
            variation += middle * unequal * (own[:, first] - own[:, second])
            variation += unequal**2 / 4 * (2 * own[:, first] + 2 * own[:, second] - squares)
        num_sources = self.systems.num_sources
        errors = np.sqrt(num_sources / (num_sources - 1) * np.maximum(variation, 0))
        return figures[:, first] - figures[:, second], errors
