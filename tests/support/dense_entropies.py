"""The entropy terms written plainly, with the whole N × K tensor, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

FLOOR = 1e-5


def all_codes(values: Sequence[Tensor]) -> Tensor:
    """Every combination of one value a dimension, (K, D), float64."""
    return torch.tensor(list(itertools.product(*(v.tolist() for v in values))), dtype=torch.float64)


def dense_entropies(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over N of the entropy of softmax(logits), (N, K), and the entropy of its mean."""
    probabilities = torch.softmax(logits, dim=-1)
    mean = probabilities.mean(0)
    per_sample = -(probabilities * probabilities.clamp(min=FLOOR).log()).sum(-1).mean()
    return per_sample, -(mean * mean.clamp(min=FLOOR).log()).sum()
