"""The shipped CDTs use what they are given: noisy frames as well as the condition, at every noise level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toklab.bench.metrics.psnr import decibels, frame_mse
from toklab.bench.training.validation import Validation, first_windows
from toklab.datasets.folder import FolderDataset
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.cdt.adapter import CDTTokenizer
from toklab.tokenizers.cdt.cache import FeatureCache
from toklab.tokenizers.cdt.model import channels_first, channels_last
from toklab.tokenizers.cdt.schedule import signal_shares
from toklab.tokenizers.interface import InferenceSettings
from torch import Tensor

NAMES = ("cdt-small-4chn", "cdt-small-16chn")
NUM_CLIPS = 2
SIZE = 64
LITTLE_NOISE, PURE_NOISE = 50, 8191
"""Of the noise schedule's 8192 steps; clips with the first one's noise have 40.75 dB."""
GAIN_DB = 8.0
TOLERANCE_DB = 0.5

Clips = list[Tensor]


@pytest.fixture(scope="module")
def sample_clips() -> Clips:
    return Validation(size=SIZE, num_clips=NUM_CLIPS).clips(17)


@pytest.fixture(scope="module")
def real_clips(shared: Path) -> Clips:
    sources = FolderDataset(shared / "clips" / "sample").sources()[:NUM_CLIPS]
    return first_windows(sources, 17, SIZE)


CASES = [
    pytest.param(NAMES[0], "real_clips"),
    pytest.param(NAMES[1], "sample_clips"),
    pytest.param(NAMES[0], "sample_clips", marks=pytest.mark.thorough),
    pytest.param(NAMES[1], "real_clips", marks=pytest.mark.thorough),
]
"""Weights and clips."""


@pytest.fixture
def clips(request: pytest.FixtureRequest) -> Clips:
    return request.getfixturevalue(request.param)


def tokenizer_of(name: str, **settings: int) -> CDTTokenizer:
    tokenizer = build_tokenizer(load_cards()[name], InferenceSettings.from_mapping(settings))
    assert isinstance(tokenizer, CDTTokenizer)
    return tokenizer


def mean_psnr(clips: Clips, shown: Clips) -> float:
    return float(np.mean([decibels(frame_mse(*pair).numpy()) for pair in zip(clips, shown, strict=True)]))


@torch.no_grad()
def denoised(tokenizer: CDTTokenizer, clip: Tensor, step: int) -> Tensor:
    """What the denoiser makes of a clip with the noise of that step, under the clip's own condition."""
    model, share = tokenizer.model, signal_shares(tokenizer.config.num_timesteps)[step]
    mean = model.moments(clip).chunk(2, 1)[0]
    conditions = model.compressor.conditions(channels_last(mean), FeatureCache())
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(step))
    noisy = channels_last(share.sqrt() * clip + (1 - share).sqrt() * noise)
    time = torch.full((1, 1), step / tokenizer.config.num_timesteps)
    return channels_first(model.denoiser(noisy, time, conditions, FeatureCache()))


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "clips"), CASES, indirect=["clips"])
def test_nearly_clean_frames_stay_nearly_clean(name: str, clips: Clips) -> None:
    tokenizer = tokenizer_of(name)
    from_little, from_pure = (
        mean_psnr(clips, [denoised(tokenizer, clip, step).clamp(-1, 1) for clip in clips])
        for step in (LITTLE_NOISE, PURE_NOISE)
    )
    assert from_little > from_pure + GAIN_DB


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize(("name", "clips"), CASES, indirect=["clips"])
def test_more_steps_give_another_video_that_is_not_worse(name: str, clips: Clips) -> None:
    videos = []
    for steps in (1, 4):
        tokenizer = tokenizer_of(name, steps=steps)
        videos.append([tokenizer.decode(tokenizer.encode(clip)).clamp(-1, 1) for clip in clips])
    quality = [mean_psnr(clips, video) for video in videos]
    assert quality[1] > quality[0] - TOLERANCE_DB
    # A level of 8 bits is 2 / 255.
    assert all((one - four).abs().max() > 2 / 255 for one, four in zip(*videos, strict=True))
