"""Kernels behind repeated pixels or frames, folded into kernels on what was repeated."""

from __future__ import annotations

import torch
from torch import Tensor

Phases = tuple[tuple[tuple[int, ...], ...], ...]
"""For every phase of a doubling, which taps of a kernel fall on which of the neighbours that it sees."""


def fold_taps(weight: Tensor, dim: int, phases: Phases) -> list[Tensor]:
    """For each phase of a doubling, ``weight`` with the taps along ``dim`` added up that fall on the same input."""
    return [
        torch.cat([weight.narrow(dim, taps[0], len(taps)).sum(dim, keepdim=True) for taps in phase], dim)
        for phase in phases
    ]
