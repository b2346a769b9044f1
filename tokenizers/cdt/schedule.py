"""The noise schedule of CDT, and the subset of its steps that sampling takes.

The signal's share after step n of N is ᾱₙ = Π (1 − β), the betas from the cosine rule of Nichol and Dhariwal 2021
(arXiv:2102.09672, eq. 17), read on a grid of N + 1 points from 0 to N + 1 as the official code does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..errors import TokenizerError

COSINE_OFFSET = 0.008
MAX_BETA = 0.999


@lru_cache(maxsize=8)
def _signal_shares(num_timesteps: int) -> tuple[float, ...]:
    points = num_timesteps + 1
    grid = torch.linspace(0, points, points, dtype=torch.float64)
    cosine = torch.cos((grid / points + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2
    cosine = cosine / cosine[0]
    betas = (1 - cosine[1:] / cosine[:-1]).clamp(0, MAX_BETA)
    return tuple(torch.cumprod(1 - betas, 0).tolist())


def signal_shares(num_timesteps: int) -> Tensor:
    """ᾱ of every step, (N,), float32 rounded from float64."""
    return torch.tensor(_signal_shares(num_timesteps), dtype=torch.float64, device="cpu").float()


@dataclass(frozen=True)
class SamplingStep:
    """One step of DDIM (Song et al. 2021, arXiv:2010.02502)."""

    index: int
    """Its place in the noise schedule."""
    share: float
    """ᾱ at that place."""
    next_share: float
    """ᾱ after the step; 1 after the last, which gives the prediction itself."""

    recip: float
    """√(1/ᾱ)."""
    recip_minus_one: float
    """√(1/ᾱ − 1)."""
    sigma: float
    """Standard deviation of the noise that a step of η = 1 adds (eq. 16 of the DDIM paper)."""


def sampling_indices(num_timesteps: int, steps: int) -> list[int]:
    """Places in the schedule of ``steps`` steps, ascending: the noisiest alone, or evenly from 0 to it.

    Raises:
        TokenizerError: if there are more steps than the schedule has, or none.
    """
    if not 1 <= steps <= num_timesteps:
        raise TokenizerError(f"steps must lie between 1 and {num_timesteps}, but is {steps}")
    if steps == 1:
        return [num_timesteps - 1]
    return torch.linspace(0, num_timesteps - 1, steps, device="cpu").long().tolist()


def sampling_steps(num_timesteps: int, steps: int) -> list[SamplingStep]:
    """The steps in the order they are taken, noisiest first; errors are those of :func:`sampling_indices`."""
    indices = sampling_indices(num_timesteps, steps)
    # In float32, as the official code does: near 1, the differences from 1 depend on it.
    shares = signal_shares(num_timesteps)[indices]
    following = torch.cat([torch.ones_like(shares[:1]), shares[:-1]])
    sigma = (1 - following).sqrt() / (1 - shares).sqrt() * (1 - shares / following).sqrt()
    columns = [shares, following, (1 / shares).sqrt(), (1 / shares - 1).sqrt(), sigma]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [SamplingStep(index, *row) for index, row in zip(indices, rows, strict=True)][::-1]
