"""Fréchet distance between the normal distributions fitted to two sets of features, without a matrix square root.

Dowson and Landau, *The Fréchet distance between multivariate normal distributions*, Journal of Multivariate Analysis 12
(1982): |μa − μb|² + tr Σa + tr Σb − 2 tr √(Σa Σb). With A and B the centred features divided by √(N − ddof), so that
Σ = AᵀA, the last trace is the nuclear norm of A Bᵀ: its singular values are the square roots of the eigenvalues of
Σa Σb that aren't zero. That holds at any rank, so no ε is added to covariances of fewer samples than dimensions.
"""

from __future__ import annotations

import numpy as np


def frechet_distance(
    features_a: np.ndarray,
    features_b: np.ndarray,
    ddof: int = 0,
    repeats: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """Fréchet distance of two sets of features, in float64.

    Args:
        features_a: (Na, d).
        features_b: (Nb, d).
        ddof: 0 divides covariances by N, 1 by N − 1.
        repeats: how often each row of either counts, (Na,) and (Nb,); once each if not given.

    Raises:
        ValueError: if the shapes don't match, or a set has no more samples than ``ddof``.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(f"two sets of features must be (N, d) with one d, not {features_a.shape}, {features_b.shape}")
    if repeats is None:
        repeats = np.ones(len(features_a)), np.ones(len(features_b))
    mean_a, root_a = _mean_and_root(features_a, repeats[0], ddof)
    mean_b, root_b = _mean_and_root(features_b, repeats[1], ddof)
    nuclear_norm = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(
        np.square(mean_a - mean_b).sum() + np.square(root_a).sum() + np.square(root_b).sum() - 2 * nuclear_norm
    )


def _mean_and_root(features: np.ndarray, repeats: np.ndarray, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,), and a root R of the covariance RᵀR with at most d rows."""
    samples = repeats.sum()
    if samples <= ddof:
        raise ValueError(f"{int(samples)} samples are too few for a covariance with ddof {ddof}")
    drawn = repeats > 0
    rows, repeats = features[drawn].astype(np.float64), repeats[drawn]
    mean = repeats @ rows / samples
    root = (rows - mean) * np.sqrt(repeats / (samples - ddof))[:, None]
    if len(root) > root.shape[1]:
        root = np.asarray(np.linalg.qr(root, mode="r"))
    return mean, root
