"""Entropies of the soft assignment of features to codes, the terms that keep a codebook in use.

Yu et al. 2023 (arXiv:2310.05737), equation 6, as VidTok's FSQ computes it: the probability of code c at a position with
features z is p ∝ exp(2 β z·c); one term is the mean over positions of the entropy of p, the other the entropy of the
mean of p. Entropies are in nats, and take the logarithm of p no lower than :data:`PROBABILITY_FLOOR`.

The floor makes both terms bounds from below of the true entropies: the entropy of a mean p spread evenly over more than
100,000 codes reads ln 100,000 = 11.51 instead of ln K. It is kept because published models were trained with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..distributed import mean_over_processes

PROBABILITY_FLOOR = 1e-5
"""Probabilities below it count with its logarithm."""

INVERSE_TEMPERATURE = 100.0
"""β of the soft assignment in MAGVIT-v2 and VidTok."""

CHUNK_ELEMENTS = 2**21
"""Elements of the largest float tensor that is made for a chunk of positions (8 MiB)."""


@dataclass(frozen=True)
class AssignmentEntropies:
    """The two entropies of a batch of positions, float32 scalars in nats."""

    per_sample: Tensor
    """Mean over positions of the entropy of p: small where features lie near one code."""
    codebook: Tensor
    """Entropy of the mean of p over positions and processes: large where all codes are in use."""


def clamped_entropy(probabilities: Tensor) -> Tensor:
    """−Σ p ln max(p, floor) over all elements, a scalar."""
    return -(probabilities * probabilities.clamp(min=PROBABILITY_FLOOR).log()).sum()


def product_entropies(
    features: Tensor, values: Sequence[Tensor], inverse_temperature: float = INVERSE_TEMPERATURE
) -> AssignmentEntropies:
    """Entropies over the codebook of all combinations of one value a dimension.

    Exact, without a tensor of N × K: the softmax is the product of a softmax a dimension, so p of a position is the
    outer product of the probabilities a and b of two halves of the dimensions. The mean of p is then one matrix
    product of the halves, and the codes a_i b_j above the floor are, for each i, a prefix of the sorted b.
    Time N √K log K + N K multiply-adds, memory K + :data:`CHUNK_ELEMENTS`, if the halves are about equal.

    Args:
        features: (N, D), unbounded, float32 (or float64).
        values: the values dimension d can take, (K_d,), for each of the D dimensions; K = Π K_d.
        inverse_temperature: β.
    """
    split = _balanced_split([len(v) for v in values])

    def chunk_sums(chunk: Tensor) -> tuple[Tensor, Tensor]:
        log_probabilities = [
            torch.log_softmax(2 * inverse_temperature * z.unsqueeze(-1) * v.to(z), dim=-1)
            for z, v in zip(chunk.unbind(-1), values, strict=True)
        ]
        first, second = (_joint(log_probabilities[:split], chunk), _joint(log_probabilities[split:], chunk))
        return _product_entropy(first, second).sum(), first.exp().T @ second.exp()

    widest = max(math.prod(len(v) for v in values[:split]), math.prod(len(v) for v in values[split:]))
    return _over_chunks(chunk_sums, features, widest)


def codebook_entropies(
    features: Tensor, codebook: Tensor, inverse_temperature: float = INVERSE_TEMPERATURE
) -> AssignmentEntropies:
    """Entropies over a codebook without structure, with p ∝ exp(−β |z − c|²).

    Computed in chunks of positions, whose N × K tensors are made again in the backward pass.

    Args:
        features: (N, D).
        codebook: (K, D).
        inverse_temperature: β.
    """

    def chunk_sums(chunk: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
        logits = inverse_temperature * (2 * chunk @ codebook.T - codebook.square().sum(-1))
        probabilities = torch.softmax(logits, dim=-1)
        return clamped_entropy(probabilities), probabilities.sum(0)

    return _over_chunks(chunk_sums, features, len(codebook), codebook)


def _over_chunks(
    chunk_sums: Callable[..., tuple[Tensor, Tensor]], features: Tensor, width: int, *others: Tensor
) -> AssignmentEntropies:
    """Entropies from a function that sums the entropy and p over a chunk, given ``width`` floats a position."""
    num_positions = max(1, CHUNK_ELEMENTS // width)
    entropy_sum, probability_sum = features.new_zeros(()), features.new_zeros(())
    for chunk in features.split(num_positions):
        # Recomputing a chunk in the backward pass keeps the memory of the forward pass to one chunk.
        entropy, probabilities = checkpoint(chunk_sums, chunk, *others, use_reentrant=False, preserve_rng_state=False)
        entropy_sum, probability_sum = entropy_sum + entropy, probability_sum + probabilities
    mean_probabilities = mean_over_processes(probability_sum / len(features))
    return AssignmentEntropies(entropy_sum / len(features), clamped_entropy(mean_probabilities))


def _balanced_split(sizes: Sequence[int]) -> int:
    """How many of the first dimensions make one half, so that the larger half has the fewest combinations."""
    return min(range(len(sizes) + 1), key=lambda s: max(math.prod(sizes[:s]), math.prod(sizes[s:])))


def _joint(log_probabilities: Sequence[Tensor], like: Tensor) -> Tensor:
    """Log-probabilities (N, Π K_d) of all combinations, the last dimension varying fastest."""
    joint = like.new_zeros(len(like), 1)
    for single in log_probabilities:
        joint = (joint.unsqueeze(-1) + single.unsqueeze(-2)).flatten(1)
    return joint


def _product_entropy(log_first: Tensor, log_second: Tensor) -> Tensor:
    """−Σ_ij p ln max(p, floor) with p = a_i b_j, for log a (N, I) and log b (N, J): (N,).

    For each i, the j with a_i b_j at or above the floor are the first of b in descending order, and their sums of b and
    of b ln b are read off running sums.
    """
    log_floor = math.log(PROBABILITY_FLOOR)
    negative_sorted = (-log_second).sort(dim=-1).values
    second = (-negative_sorted).exp()
    zero = second.new_zeros(len(second), 1)
    mass = torch.cat([zero, second.cumsum(-1)], dim=-1)
    mass_log = torch.cat([zero, (-second * negative_sorted).cumsum(-1)], dim=-1)
    with torch.no_grad():
        num_above = torch.searchsorted(negative_sorted, log_first - log_floor, right=True)
    mass_above, mass_log_above = mass.gather(-1, num_above), mass_log.gather(-1, num_above)
    mass_below = mass[:, -1:] - mass_above
    return -(log_first.exp() * (log_first * mass_above + mass_log_above + log_floor * mass_below)).sum(-1)
