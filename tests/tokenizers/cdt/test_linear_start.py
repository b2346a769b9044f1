"""The linear start of small CDTs, on smooth clips that a linear transform keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from smooth_clips import psnr, smooth_clips
from toklab.tokenizers.cdt.cache import FeatureCache
from toklab.tokenizers.cdt.config import CDTConfig
from toklab.tokenizers.cdt.linear_start import linear_start
from toklab.tokenizers.cdt.model import CDTModel, channels_first, channels_last
from toklab.tokenizers.interface import TokenizerError

SMALL: dict[str, Any] = {
    "latent_dim": 8,
    "out_channels": 3,
    "context_dim": 8,
    "unet_dim": 8,
    "space_down": [1, 1, 1, 0],
    "time_down": [0, 0, 1, 1],
}


@torch.no_grad()
def one_step(model: CDTModel, clips: torch.Tensor) -> torch.Tensor:
    latents = model.moments(clips).chunk(2, dim=1)[0]
    conditions = model.compressor.conditions(channels_last(latents), FeatureCache())
    noise = torch.randn(channels_last(clips).shape, generator=torch.Generator().manual_seed(1))
    time = torch.ones(len(clips), 1)
    return channels_first(model.denoiser(model.config.sample_gamma * noise, time, conditions, FeatureCache()))


@pytest.mark.slow
def test_one_step_shows_the_clip_whatever_the_noise() -> None:
    torch.manual_seed(0)
    model = CDTModel(CDTConfig.from_parameters(SMALL)).train()
    clips = smooth_clips(8)
    linear_start(model, clips)
    assert psnr(one_step(model, clips), clips) > 25


@pytest.mark.slow
def test_every_block_learns_after_a_step_for_each_level() -> None:
    torch.manual_seed(0)
    model = CDTModel(CDTConfig.from_parameters(SMALL)).train()
    clips = smooth_clips(4)
    linear_start(model, clips)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(8):
        optimizer.zero_grad()
        latents = model.moments(clips).chunk(2, dim=1)[0]
        conditions = model.compressor.conditions(channels_last(latents), FeatureCache())
        noisy = channels_last(clips) + torch.randn(channels_last(clips).shape)
        predicted = model.denoiser(noisy, torch.ones(len(clips), 1), conditions, FeatureCache())
        (predicted - channels_last(clips)).square().mean().backward()
        optimizer.step()
    gates = {name: value for name, value in model.named_parameters() if name.endswith("block2.block.1.g")}
    assert all(gate.any() for gate in gates.values())


@pytest.mark.parametrize("changes", [{"new_upsample": True}, {"space_down": [0, 1, 1, 1]}, {"condition_times": 1}])
def test_other_kinds_are_refused(changes: dict[str, Any]) -> None:
    model = CDTModel(CDTConfig.from_parameters(SMALL | changes))
    with pytest.raises(TokenizerError, match="a linear start needs a CDT"):
        linear_start(model, smooth_clips(1))
