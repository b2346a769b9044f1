"""How grown levels and direct extensions start, on clips whose frames follow one another evenly."""

from __future__ import annotations

import pytest
import torch
from smooth_clips import psnr, smooth_clips
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.growth_start import extend_into, grow_into
from toklab.tokenizers.progressive.linear_start import linear_start
from toklab.tokenizers.progressive.model import DirectModel, LevelledModel, ProgressiveModel, build_model, grow

SMALL = ProgressiveConfig(ratio=4, ch=12, num_res_blocks=1)


def quality(model: LevelledModel, clips: torch.Tensor) -> float:
    with torch.no_grad():
        return psnr(model.reconstruct(clips), clips)


@pytest.fixture(scope="module")
def fitted() -> tuple[ProgressiveModel, torch.Tensor]:
    """A base of 4×, and the clips that it is fitted to."""
    torch.manual_seed(0)
    model, clips = build_model(SMALL), smooth_clips(8, num_frames=17)
    linear_start(model, clips)
    assert isinstance(model, ProgressiveModel)
    return model, clips


@pytest.mark.slow
def test_a_grown_level_starts_better_than_with_repeated_frames_and_leaves_those_below(fitted) -> None:
    model, clips = fitted
    for _ in range(2):
        repeated = grow(model)
        grown = build_model(repeated.config)
        assert isinstance(grown, ProgressiveModel)
        grow_into(model, grown, clips)
        assert quality(grown, clips) > quality(repeated, clips) + 0.5
        for name, value in model.state_dict().items():
            assert torch.equal(grown.state_dict()[name], value), name
        model = grown


@pytest.mark.slow
def test_extensions_start_with_the_base_and_near_its_quality(fitted) -> None:
    base, clips = fitted
    model = build_model(ProgressiveConfig(ratio=16, architecture="direct", ch=12, num_res_blocks=1))
    assert isinstance(model, DirectModel)
    before = quality(model, clips)
    extend_into(base, model, clips)
    assert quality(model, clips) > before + 6
    for name, value in base.base.state_dict().items():
        assert torch.equal(model.base.state_dict()[name], value), name
