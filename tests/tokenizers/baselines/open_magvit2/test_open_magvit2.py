"""Open-MAGVIT2 against the official code's outputs, names and sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.baselines.open_magvit2.adapter import OpenMagvit2Tokenizer
from toklab.tokenizers.baselines.open_magvit2.config import OpenMagvit2Config
from toklab.tokenizers.baselines.open_magvit2.model import AdaptiveGroupNorm
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError

CARDS = load_cards()
TINY = CARDS["open-magvit2-tiny"]


def test_full_size() -> None:
    modules = build_on_meta(CARDS["open-magvit2-video"]).modules()
    counts = {role: sum(p.numel() for p in module.parameters()) for role, module in modules.items()}
    assert counts == {"encoder": 144_865_298, "decoder": 225_682_051, "regularizer": 0}


def test_any_clip_comes_back_at_its_own_size() -> None:
    tokenizer = build_tokenizer(TINY)
    for shape in ((1, 3, 17, 16, 24), (2, 3, 6, 20, 11), (1, 3, 1, 8, 8)):
        video = torch.rand(shape) * 2 - 1
        encoded = tokenizer.encode(video)
        reconstruction = tokenizer.decode(encoded)
        assert reconstruction.shape == video.shape
        assert reconstruction.isfinite().all()
        assert encoded.codebook_sizes == (2**18,)
        torch.testing.assert_close(tokenizer.decode(replace(encoded, latents=None)), reconstruction)


def test_adaptive_norm_follows_the_latent_statistics() -> None:
    layer = AdaptiveGroupNorm(2, 4, 2)
    latents = torch.randn(3, 2, 2, 3, 3)
    x = torch.randn(3, 4, 2, 6, 6)
    out = layer(x, latents)
    for clip in range(3):
        spread = latents[clip].flatten(1).std(1)
        mean = latents[clip].flatten(1).mean(1)
        expected = torch.nn.functional.group_norm(x[clip : clip + 1], 2, eps=1e-6)[0]
        expected = expected * layer.gamma(spread)[:, None, None, None] + layer.beta(mean)[:, None, None, None]
        torch.testing.assert_close(out[clip], expected, rtol=1e-4, atol=1e-5)


def test_averaged_weights_are_taken_whole_or_not_at_all() -> None:
    source = build_tokenizer(TINY)
    assert isinstance(source, OpenMagvit2Tokenizer)
    own = source.model.state_dict()
    checkpoint = {name: torch.zeros_like(value) for name, value in own.items()}
    checkpoint |= {f"model_ema.{name.replace('.', '')}": value for name, value in own.items()}
    checkpoint |= {"model_ema.decay": torch.tensor(0.999), "loss.discriminator.weight": torch.zeros(2)}
    video = torch.rand(1, 3, 5, 16, 16)
    expected = source.decode(source.encode(video))
    for state in (checkpoint, dict(own)):
        target = OpenMagvit2Tokenizer(TINY.spec, TINY.parameters)
        target.load_state(state)
        assert torch.equal(target.decode(target.encode(video)), expected)
    del checkpoint["model_ema.encoderconv_outconv_1bias"]
    with pytest.raises(TokenizerError, match=r"its average lacks 1 .*model_ema\.encoderconv_outconv_1bias"):
        OpenMagvit2Tokenizer(TINY.spec, TINY.parameters).load_state(checkpoint)


def test_wrong_parameters_and_settings_are_refused() -> None:
    with pytest.raises(TokenizerError, match="unknown depth"):
        OpenMagvit2Config.from_parameters({"depth": 2})
    with pytest.raises(TokenizerError, match="num_groups=32 doesn't divide"):
        OpenMagvit2Config.from_parameters({"ch": 8})
    with pytest.raises(TokenizerError, match="latent_channels 18, not 6"):
        OpenMagvit2Tokenizer(TINY.spec, {**TINY.parameters, "z_channels": 6})
    with pytest.raises(TokenizerError, match="chunk_frames"):
        OpenMagvit2Tokenizer(TINY.spec, TINY.parameters, InferenceSettings(chunk_frames=16))
