"""The gated feed-forward network of transformers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

WIDENING = 4 * 2 / 3
"""Hidden channels over channels, before rounding down: four times, of which a gated network takes two thirds."""


class GatedGELU(nn.Module):
    """Halves the channels: u · GELU(g) of the halves u and g (Shazeer 2020, arXiv:2002.05202, GEGLU)."""

    def forward(self, x: Tensor) -> Tensor:
        """(…, 2 D) to (…, D)."""
        values, gates = x.chunk(2, -1)
        return values * F.gelu(gates)


def feed_forward(channels: int) -> nn.Sequential:
    """LayerNorm, a gated layer, and back to as many channels; the fourth place is that of official codes' dropout."""
    hidden = int(WIDENING * channels)
    return nn.Sequential(
        nn.LayerNorm(channels),
        nn.Linear(channels, 2 * hidden, bias=False),
        GatedGELU(),
        nn.Identity(),
        nn.Linear(hidden, channels, bias=False),
    )
