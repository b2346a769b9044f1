"""The best linear estimate of a clip from noisy frames and a condition, as a sum of a few gains that depend on time.

Let x = c + r be a component of the clip, c its condition and r what the condition lacks, uncorrelated with c, of
variance s. Noisy frames are y = √ᾱ x + √(1 − ᾱ) n with n of variance 1. The estimate of least mean squared error that
is linear in y and c is Wiener's (1949): c + G (y − √ᾱ c) with G = √ᾱ s / (ᾱ s + 1 − ᾱ). Its error is
s (1 − ᾱ) / (ᾱ s + 1 − ᾱ).

G differs from component to component, but a norm scales all of them alike. So the estimate is built in stages: each
adds α y + β c, with α and β of each component, times a gain that all components share.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

MIN_GAIN = 0.01
"""Smaller gains aren't asked for: the noise that this one lets through is lost in the condition's own error."""
MIN_VARIANCE = 1e-6
NUM_CANDIDATES = 12
"""Gains that are tried for each stage, at equal ratios."""
NUM_LEVELS = 64
"""Noise levels that stages are fitted to, at equal ratios of noise to signal."""
RIDGE = 1e-9


@dataclass(frozen=True)
class Stage:
    """One addition to the estimate."""

    variance: float
    """σ of its gain, see :func:`gain`."""
    noisy: Tensor
    """α of each component, (N,)."""
    condition: Tensor
    """β of each component, (N,), which multiplies the estimate so far; that starts as the condition."""


def optimal_errors(variances: Tensor, shares: Tensor) -> Tensor:
    """Least mean squared errors (L, N), at shares ᾱ (L,) of the signal, of components that lack ``variances`` (N,)."""
    noise = 1 - shares[:, None]
    return variances * noise / (shares[:, None] * variances + noise)


def gain(variance: float, shares: Tensor) -> Tensor:
    """G of a component that lacks ``variance``, at shares ᾱ (L,) of the signal, but at least 0.01."""
    return (shares.sqrt() * variance / (shares * variance + 1 - shares)).clamp(min=MIN_GAIN)


def fit_stages(powers: Tensor, variances: Tensor, shares: Tensor, number: int) -> list[Stage]:
    """The stages of least error, over noise levels at equal ratios of noise to signal.

    Args:
        powers: mean squares of the conditions, (N,), in units of the noise's variance.
        variances: of what they lack, (N,), in the same unit.
        shares: ᾱ of every step of the noise schedule, falling, (L,).
        number: of stages.
    """
    powers, variances, shares = powers.double(), variances.double().clamp(min=MIN_VARIANCE), shares.double()
    levels = _levels(shares)
    low, high = variances.log10().aminmax()
    candidates = torch.logspace(float(low), float(high), NUM_CANDIDATES, dtype=torch.float64).tolist()
    least = optimal_errors(variances, levels).sum(1)
    best: tuple[float, list[Stage]] | None = None
    for chosen in itertools.combinations(candidates, number):
        stages: list[Stage] = []
        for variance in chosen:
            stages.append(_next_stage(stages, variance, powers, variances, levels))
        excess = float((stage_errors(stages, powers, variances, levels).sum(1) / least).log().mean())
        if best is None or excess < best[0]:
            best = excess, stages
    assert best is not None
    return best[1]


def stage_errors(stages: list[Stage], powers: Tensor, variances: Tensor, shares: Tensor) -> Tensor:
    """Mean squared errors (L, N) of the estimate that ``stages`` give; other arguments are those of the fit."""
    clip, _, estimate, spread = _coefficients(stages, powers, variances, shares)
    return ((clip - estimate).square() * spread).sum(-1)


def _levels(shares: Tensor) -> Tensor:
    """ᾱ at about :data:`NUM_LEVELS` of the schedule's steps, at equal ratios of noise to signal."""
    ratios = torch.log((1 - shares) / shares)
    wanted = torch.linspace(float(ratios[0]), float(ratios[-1]), NUM_LEVELS, dtype=ratios.dtype)
    return shares[torch.searchsorted(ratios, wanted).clamp(max=len(shares) - 1).unique()]


def _coefficients(
    stages: list[Stage], powers: Tensor, variances: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clip, noisy frames and estimate in parts of c, r and n, each (L, N, 3), and the parts' mean squares, (N, 3)."""
    ones, zeros = torch.ones_like(shares), torch.zeros_like(shares)
    shape = (-1, len(variances), -1)
    clip, noisy, estimate = (
        torch.stack(parts, 1)[:, None].expand(shape)
        for parts in (
            (ones, ones, zeros),
            (shares.sqrt(), shares.sqrt(), (1 - shares).sqrt()),
            (ones, zeros, zeros),
        )
    )
    for stage in stages:
        mixture = stage.noisy[:, None] * noisy + stage.condition[:, None] * estimate
        estimate = estimate + gain(stage.variance, shares)[:, None, None] * mixture
    return clip, noisy, estimate, torch.stack([powers, variances, torch.ones_like(powers)], 1)


def _next_stage(stages: list[Stage], variance: float, powers: Tensor, variances: Tensor, levels: Tensor) -> Stage:
    """The stage of that gain whose mixture brings the relative errors nearest to the least ones."""
    clip, noisy, estimate, spread = _coefficients(stages, powers, variances, levels)
    features = torch.stack([noisy, estimate], -1) * gain(variance, levels)[:, None, None, None]
    weights = 1 / optimal_errors(variances, levels)
    weighted = features * (weights[..., None] * spread)[..., None]
    gram = torch.einsum("lnpa,lnpb->nab", weighted, features)
    moments = torch.einsum("lnpa,lnp->na", weighted, clip - estimate)
    penalty = RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(2, dtype=gram.dtype)
    noisy_weights, condition_weights = torch.linalg.solve(gram + penalty, moments).T
    return Stage(variance, noisy_weights, condition_weights)
