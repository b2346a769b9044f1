"""The linear start of small bases and directly extended networks, on smooth clips that a linear transform keeps."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.linear_start import linear_start
from toklab.tokenizers.progressive.model import LevelledModel, build_model


def smooth_clips(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(number, 3, 2, 2, 2, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (9, 32, 32), mode="trilinear")


def quality(model: LevelledModel, clips: torch.Tensor) -> float:
    with torch.no_grad():
        error = (model.reconstruct(clips) - clips).square().mean()
    return float(-10 * torch.log10(error / 4))


@pytest.mark.parametrize(("architecture", "ratio"), [("progressive", 4), ("direct", 4), ("direct", 8)])
def test_a_model_starts_far_better_than_from_random_weights(architecture, ratio: int) -> None:
    torch.manual_seed(0)
    model = build_model(ProgressiveConfig(ratio=ratio, architecture=architecture, ch=12, num_res_blocks=1))
    clips = smooth_clips(16)
    before = quality(model, clips)
    linear_start(model, clips)
    assert quality(model, clips) > max(before + 6, 20)


def test_grown_models_are_refused() -> None:
    model = build_model(ProgressiveConfig(ratio=8, ch=12, num_res_blocks=1))
    with pytest.raises(TokenizerError, match="without grown levels"):
        linear_start(model, smooth_clips(1))
