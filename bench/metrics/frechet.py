"""Fréchet distance between the normal distributions fitted to two sets of features, without a matrix square root.

Dowson and Landau, *The Fréchet distance between multivariate normal distributions*, Journal of Multivariate Analysis 12
(1982): |μa − μb|² + tr Σa + tr Σb − 2 tr √(Σa Σb). With A and B the centred features divided by √(N − ddof), so that
Σ = AᵀA, the last trace is the nuclear norm of A Bᵀ: its singular values are the square roots of the eigenvalues of
Σa Σb that aren't zero. That holds at any rank, so no ε is added to covariances of fewer samples than dimensions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a set of features."""

    mean: np.ndarray
    """(d,)."""
    root: np.ndarray
    """R with RᵀR the covariance, (rows, d), at most d rows where there are more samples."""

    @classmethod
    def of(cls, features: np.ndarray, ddof: int = 0) -> Moments:
        """Of features (N, d); raises ``ValueError`` unless there are more samples than ``ddof``."""
        samples = len(features)
        if samples <= ddof:
            raise ValueError(f"{samples} samples are too few for a covariance with ddof {ddof}")
        rows = features.astype(np.float64)
        mean = rows.sum(axis=0) / samples
        root = (rows - mean) / math.sqrt(samples - ddof)
        if len(root) > root.shape[1]:
            root = np.asarray(np.linalg.qr(root, mode="r"))
        return cls(mean, root)

    def distance(self, other: Moments) -> float:
        """The Fréchet distance."""
        nuclear_norm = np.linalg.svd(self.root @ other.root.T, compute_uv=False).sum()
        traces = np.square(self.root).sum() + np.square(other.root).sum()
        return float(np.square(self.mean - other.mean).sum() + traces - 2 * nuclear_norm)


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray, ddof: int = 0) -> float:
    """Fréchet distance of two sets of features, in float64.

    Args:
        features_a: (Na, d).
        features_b: (Nb, d).
        ddof: 0 divides covariances by N, 1 by N − 1.

    Raises:
        ValueError: if the shapes don't match, or a set has no more samples than ``ddof``.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(f"two sets of features must be (N, d) with one d, not {features_a.shape}, {features_b.shape}")
    return Moments.of(features_a, ddof).distance(Moments.of(features_b, ddof))


def moments_without(features: np.ndarray, groups: np.ndarray, num_groups: int, ddof: int) -> Iterator[Moments]:
    """The moments of all features but those of group 0, of group 1, and so on.

    Args:
        features: (N, d).
        groups: the group of each row, (N,), from 0.
        num_groups: groups; some may have no row.
        ddof: as for :func:`frechet_distance`.
    """
    rows, centre = _counted(features)
    step = math.isqrt(num_groups - 1) + 1
    for start in range(0, num_groups, step):
        block = range(start, min(start + step, num_groups))
        inside = np.isin(groups, block)
        # What lies outside of the block is reduced to a triangle once, for all groups of the block.
        outside = np.linalg.qr(rows[~inside], mode="r")
        for group in block:
            kept = inside & (groups != group)
            triangle = np.asarray(np.linalg.qr(np.concatenate([outside, rows[kept]]), mode="r"))
            yield _of_triangle(triangle, centre, int((groups != group).sum()) - ddof)


def growing_moments(features: np.ndarray, sizes: Sequence[int], ddof: int = 0) -> list[Moments]:
    """The moments of the first rows.

    Args:
        features: (N, d).
        sizes: how many rows, rising, the first more than ``ddof``.
        ddof: as for :func:`frechet_distance`.
    """
    rows, centre = _counted(features)
    triangle, found = rows[:0], []
    for start, end in itertools.pairwise([0, *sizes]):
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, rows[start:end]]), mode="r"))
        found.append(_of_triangle(triangle, centre, end - ddof))
    return found


def _counted(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows less their mean, which comes second, behind a column of ones.

    That column counts rows, so that a triangle of some of them holds their number, their mean and the root of the rest.
    """
    rows = features.astype(np.float64)
    centre = rows.mean(axis=0)
    return np.concatenate([np.ones((len(rows), 1)), rows - centre], axis=1), centre


def _of_triangle(triangle: np.ndarray, centre: np.ndarray, freedom: int) -> Moments:
    return Moments(centre + triangle[0, 1:] / triangle[0, 0], triangle[1:, 1:] / math.sqrt(freedom))
