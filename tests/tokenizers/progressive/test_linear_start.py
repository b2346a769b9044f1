"""The linear start of small bases and directly extended networks, on smooth clips that a linear transform keeps."""

from __future__ import annotations

import pytest
import torch
from smooth_clips import psnr, smooth_clips
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.linear_start import linear_start
from toklab.tokenizers.progressive.model import LevelledModel, build_model


def quality(model: LevelledModel, clips: torch.Tensor) -> float:
    with torch.no_grad():
        return psnr(model.reconstruct(clips), clips)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "ratio"), [("progressive", 4), ("direct", 8)])
def test_a_model_starts_far_better_than_from_random_weights(architecture, ratio: int) -> None:
    torch.manual_seed(0)
    model = build_model(ProgressiveConfig(ratio=ratio, architecture=architecture, ch=12, num_res_blocks=1))
    clips = smooth_clips(8)
    before = quality(model, clips)
    linear_start(model, clips)
    assert quality(model, clips) > max(before + 6, 20)


def test_grown_models_are_refused() -> None:
    model = build_model(ProgressiveConfig(ratio=8, ch=12, num_res_blocks=1))
    with pytest.raises(TokenizerError, match="without grown levels"):
        linear_start(model, smooth_clips(1))
