"""Functions of time in the embedding, and blocks that scale by them."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.cdt.blocks import ResnetBlock
from toklab.tokenizers.cdt.cache import FeatureCache
from toklab.tokenizers.cdt.config import CDTConfig
from toklab.tokenizers.cdt.denoiser import Denoiser
from toklab.tokenizers.cdt.schedule import signal_shares
from toklab.tokenizers.cdt.time_gains import DIVIDER_UNIT, set_gain_block, set_time_embedding
from toklab.tokenizers.cdt.wiener import gain

NUM_TIMESTEPS = 8192
STEPS = torch.tensor([0, 50, 200, 800, 2000, 4000, 6000, 8191])


@pytest.fixture
def dividers() -> torch.Tensor:
    shares = signal_shares(NUM_TIMESTEPS).double()
    return 1 / torch.stack([gain(variance, shares) for variance in (0.003, 0.1)])


@pytest.fixture
def denoiser(dividers: torch.Tensor) -> Denoiser:
    torch.manual_seed(0)
    parameters = {"latent_dim": 4, "out_channels": 3, "context_dim": 8, "unet_dim": 8, "space_down": [1, 1, 1, 0]}
    denoiser = Denoiser(CDTConfig.from_parameters(parameters))
    with torch.no_grad():
        set_time_embedding(denoiser, dividers)
    return denoiser


@torch.no_grad()
def test_the_time_embedding_follows_the_dividers(denoiser: Denoiser, dividers: torch.Tensor) -> None:
    gains = 1 / (DIVIDER_UNIT * denoiser.time_mlp(STEPS[:, None] / NUM_TIMESTEPS)[:, :2].T)
    assert float(dividers.max() / dividers.min()) > 99
    torch.testing.assert_close(gains.double(), 1 / dividers[:, STEPS], rtol=0.05, atol=0.01)


@torch.no_grad()
@pytest.mark.parametrize("place", [0, 8])
def test_a_block_adds_a_mixture_over_its_divider(denoiser: Denoiser, place: int) -> None:
    torch.manual_seed(1)
    block = ResnetBlock(16, 16, True, time_channels=8)
    mixture, x = torch.randn(6, 16) / 4, torch.randn(2, 3, 4, 4, 16)
    zero = torch.randn(6)
    inner = (x @ mixture.T - zero).flatten(0, 3).std(0)
    constants = set_gain_block(block, mixture, zero, place, 1, inner=inner, outer=inner)
    wanted = x @ mixture.T - zero
    for step in STEPS:
        time = denoiser.time_mlp(torch.full((2, 1), int(step) / NUM_TIMESTEPS))
        added = (block(x, FeatureCache(), time) - x)[..., place : place + 6] - constants
        expected = wanted / (DIVIDER_UNIT * time[0, 1])
        # Two norms, neither quite linear.
        assert float((added - expected).norm() / expected.norm()) < 0.1
