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
from toklab.tokenizers.cdt.schedule import signal_shares
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.training.least_squares import ridge, space_time_blocks

SMALL: dict[str, Any] = {
    "latent_dim": 8,
    "out_channels": 3,
    "context_dim": 8,
    "unet_dim": 8,
    "space_down": [1, 1, 1, 0],
    "time_down": [0, 0, 1, 1],
}


STEPS = (20, 100, 400, 1500, 4000, 8191)
"""Of the noise schedule's 8192."""


def textured_clips(number: int) -> torch.Tensor:
    """Smooth clips (B, 3, T, 32, 32) with still grains of 2×2 pixels, which a latent can't hold."""
    grains = torch.randn(number, 3, 1, 16, 16, generator=torch.Generator().manual_seed(1)) / 10
    return smooth_clips(number) + grains.repeat_interleave(2, 3).repeat_interleave(2, 4)


def noisy_clips(clips: torch.Tensor, step: int) -> torch.Tensor:
    share = signal_shares(8192)[step]
    noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(step))
    return share.sqrt() * clips + (1 - share).sqrt() * noise


@torch.no_grad()
def denoised(model: CDTModel, clips: torch.Tensor, step: int) -> torch.Tensor:
    latents = model.moments(clips).chunk(2, dim=1)[0]
    conditions = model.compressor.conditions(channels_last(latents), FeatureCache())
    time = torch.full((len(clips), 1), step / 8192)
    noisy = channels_last(noisy_clips(clips, step))
    return channels_first(model.denoiser(noisy, time, conditions, FeatureCache()))


def errors_of_best_linear(clips: torch.Tensor, from_noise: torch.Tensor, step: int) -> torch.Tensor:
    """Errors of a fit to this noise level: each block of 2×2 pixels from the noisy one and from what one step gives."""
    inputs = torch.cat([noisy_clips(clips, step), from_noise], 1)
    features, wanted = (space_time_blocks(channels_last(x), 1, 2).flatten(0, 3) for x in (inputs, clips))
    weight, bias = ridge(features, wanted)
    return features @ weight.T + bias - wanted


@pytest.fixture(scope="module")
def started() -> tuple[CDTModel, torch.Tensor]:
    torch.manual_seed(0)
    model, clips = CDTModel(CDTConfig.from_parameters(SMALL)).train(), textured_clips(8)
    linear_start(model, clips)
    return model, clips


@pytest.mark.slow
def test_the_start_is_near_the_best_linear_estimate_at_every_noise_level(started) -> None:
    model, clips = started
    from_noise = denoised(model, clips, 8191)
    for step in STEPS:
        least = float(-10 * torch.log10(errors_of_best_linear(clips, from_noise, step).square().mean() / 4))
        assert psnr(denoised(model, clips, step), clips) > min(least - 0.8, 38), step


@pytest.mark.slow
def test_the_start_answers_little_noise_with_a_nearly_clean_clip(started) -> None:
    model, clips = started
    assert psnr(denoised(model, clips, 20), clips) > psnr(denoised(model, clips, 8191), clips) + 8


@pytest.mark.slow
def test_every_block_learns_after_a_step_for_each_level() -> None:
    torch.manual_seed(0)
    model = CDTModel(CDTConfig.from_parameters(SMALL)).train()
    clips = smooth_clips(2)
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
