"""Open-Sora v1.2: independent chunks, zeros before them, and the extra it needs."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from ported_tokenizers import clip, ported, remove_group_norms
from toklab.tokenizers.baselines.opensora.adapter import OpenSoraTokenizer
from toklab.tokenizers.baselines.opensora.config import OpenSoraConfig, TemporalConfig
from toklab.tokenizers.baselines.opensora.temporal import TemporalAutoencoder
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import TokenizerError
from torch import Tensor

SPATIAL = {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4}


def opensora() -> OpenSoraTokenizer:
    tokenizer = ported("opensora-tiny")
    assert isinstance(tokenizer, OpenSoraTokenizer)
    return tokenizer


def latents(tokenizer: OpenSoraTokenizer, video: Tensor) -> Tensor:
    encoded = tokenizer.encode(video)
    assert encoded.latents is not None
    return encoded.latents


@pytest.mark.slow
def test_chunks_of_17_frames_are_independent() -> None:
    tokenizer = opensora()
    video = clip(1, 3, 39, 8, 8)
    whole = latents(tokenizer, video)
    assert whole.shape[2] == 5 + 5 + 2
    for start, first, last in ((0, 0, 5), (17, 5, 10), (34, 10, 12)):
        torch.testing.assert_close(whole[:, :, first:last], latents(tokenizer, video[:, :, start : start + 17]))
    decoded = tokenizer.decode(tokenizer.encode(video))
    torch.testing.assert_close(decoded[:, :, 34:], tokenizer.decode(tokenizer.encode(video[:, :, 34:])))


def test_zeros_stand_before_the_image_latents_of_a_chunk() -> None:
    model = opensora().model
    image_latents = torch.rand(1, 4, 5, 2, 2)
    padded = torch.cat([torch.zeros(1, 4, 3, 2, 2), image_latents], 2)
    torch.testing.assert_close(model.temporal_moments(image_latents), model.temporal_moments(padded))


def test_image_latents_are_those_of_frames_by_themselves() -> None:
    model = opensora().model
    video = clip(2, 3, 7, 16, 16)
    frames = [model.spatial_moments(video[:, :, t : t + 1]) for t in range(7)]
    torch.testing.assert_close(model.spatial_moments(video), torch.cat(frames, 2))


def test_latents_are_shifted_and_scaled() -> None:
    model = opensora().model
    shift, scale = torch.tensor([-0.1, 0.34, 0.27, 0.98]), torch.tensor([3.85, 2.32, 2.33, 3.06])
    values = (shift + 2 * scale).view(1, 4, 1, 1, 1).expand(-1, -1, 2, -1, -1)
    torch.testing.assert_close(model.normalize(values), torch.full((1, 4, 2, 1, 1), 2.0))


def test_time_is_causal_but_for_its_norms() -> None:
    config = TemporalConfig(filters=8, num_res_blocks=1, channel_multipliers=(1, 1, 1, 1), num_groups=4)
    autoencoder = TemporalAutoencoder(config).eval()
    remove_group_norms(autoencoder)
    x = torch.rand(1, 4, 16, 3, 3)
    later = x.clone()
    later[:, :, 8:] += 1
    with torch.no_grad():
        before, after = autoencoder.encode(x), autoencoder.encode(later)
        torch.testing.assert_close(before[:, :, :2], after[:, :, :2])
        assert not torch.allclose(before[:, :, 2], after[:, :, 2])
        z = torch.rand(1, 4, 4, 3, 3)
        changed = z.clone()
        changed[:, :, 2:] += 1
        torch.testing.assert_close(autoencoder.decode(z, 16)[:, :, :8], autoencoder.decode(changed, 16)[:, :, :8])


def test_without_diffusers_the_hint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers.models.autoencoders.autoencoder_kl", None)
    with pytest.raises(TokenizerError, match=r"can't be imported.*pip install 'toklab\[diffusers\]'"):
        build_on_meta(load_cards()["opensora-tiny"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "missing spatial"),
        ({"spatial": {}}, "spatial.block_out_channels is missing"),
        ({"spatial": SPATIAL, "temporal": {"width": 1}}, "Open-Sora temporal parameters: unknown width"),
        ({"spatial": SPATIAL, "temporal": {"temporal_downsample": [True]}}, "temporal_downsample has one value"),
        ({"spatial": {**SPATIAL, "latent_channels": 8}}, "must equal temporal.in_out_channels"),
        ({"spatial": SPATIAL, "scale": [1.0]}, "scale and shift have one value"),
        ({"spatial": SPATIAL, "micro_frame_size": 0}, "micro_frame_size must be at least 1"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        OpenSoraConfig.from_parameters(parameters)


def test_parameters_that_diffusers_refuses_are_told() -> None:
    pytest.importorskip("diffusers", reason="the extra diffusers")
    card = load_cards()["opensora-tiny"]
    spatial = {**card.parameters["spatial"], "width": 3}
    with pytest.raises(TokenizerError, match="AutoencoderKL refuses the spatial ones"):
        OpenSoraTokenizer(card.spec, {**card.parameters, "spatial": spatial})
