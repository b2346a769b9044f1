"""The linear start of small VidTok models, on smooth clips that a linear transform keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from smooth_clips import psnr, smooth_clips
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.linear_start import linear_start, replace_bottleneck
from toklab.tokenizers.vidtok.model import VidTokModel

REGULARIZERS = [
    ({"kind": "kl"}, 4),
    ({"kind": "fsq", "levels": [8, 8, 8, 8]}, 4),
    ({"kind": "lfq", "num_bits": 10}, 10),
    ({"kind": "vq", "codebook_size": 64, "dim": 4, "codebook_update": "ema"}, 4),
]


def model_of(regularizer: dict[str, Any], z_channels: int, **changes: Any) -> VidTokModel:
    parameters = {"ch": 8, "ch_mult": [1, 2, 2, 2], "num_res_blocks": 1, "time_downsample_factor": 4}
    own = {"z_channels": z_channels, "double_z": regularizer["kind"] == "kl", "regularizer": regularizer}
    return VidTokModel(VidTokConfig.from_parameters(parameters | own | changes))


def quality(model: VidTokModel, clips: torch.Tensor) -> float:
    with torch.no_grad():
        measured = psnr(model.eval().reconstruct(clips), clips)
    model.train()
    return measured


@pytest.fixture(scope="module")
def fitted() -> tuple[VidTokModel, torch.Tensor]:
    """A model of 8 channels, and the clips that it is fitted to."""
    torch.manual_seed(0)
    model, clips = model_of({"kind": "kl"}, 8).train(), smooth_clips(8)
    linear_start(model, clips)
    return model, clips


@pytest.mark.slow
@pytest.mark.parametrize(("regularizer", "z_channels"), REGULARIZERS, ids=lambda value: str(value))
def test_a_model_starts_far_better_than_from_random_weights(regularizer: dict[str, Any], z_channels: int) -> None:
    torch.manual_seed(0)
    model = model_of(regularizer, z_channels).train()
    clips = smooth_clips(8)
    before = quality(model, clips)
    linear_start(model, clips)
    assert quality(model, clips) > before + 4


@pytest.mark.slow
def test_the_start_follows_from_model_and_clips() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        model = model_of({"kind": "kl"}, 4).train()
        linear_start(model, smooth_clips(4))
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_other_variants_are_refused() -> None:
    model = model_of({"kind": "kl"}, 4, variant="noncausal")
    with pytest.raises(TokenizerError, match="variant causal"):
        linear_start(model, smooth_clips(1))


@pytest.mark.slow
@pytest.mark.parametrize(("regularizer", "z_channels"), REGULARIZERS, ids=lambda value: str(value))
def test_another_bottleneck_keeps_the_trunk_and_the_picture(
    fitted, regularizer: dict[str, Any], z_channels: int
) -> None:
    base, clips = fitted
    torch.manual_seed(0)
    model = model_of(regularizer, z_channels).train()
    before = quality(model, clips)
    replace_bottleneck(base, model, clips)
    assert quality(model, clips) > before + 4
    theirs, own = base.state_dict(), model.state_dict()
    changed = {name for name in theirs if name not in own or not torch.equal(theirs[name], own[name])}
    assert changed
    assert all(name.startswith(("encoder.conv_out", "decoder.conv_in")) for name in changed)


def test_a_bottleneck_fits_no_other_trunk() -> None:
    base, wider = model_of({"kind": "kl"}, 8).train(), model_of({"kind": "kl"}, 4, ch=16).train()
    with pytest.raises(TokenizerError, match="differ beyond their bottlenecks"):
        replace_bottleneck(base, wider, smooth_clips(1))
