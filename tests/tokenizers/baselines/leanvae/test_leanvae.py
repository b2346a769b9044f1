"""LeanVAE: its wavelets, causality, and its training checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ported_tokenizers import clip
from toklab.tokenizers.baselines.leanvae.adapter import LeanVAETokenizer
from toklab.tokenizers.baselines.leanvae.config import LeanVAEConfig
from toklab.tokenizers.baselines.leanvae.golden import golden_parameters
from toklab.tokenizers.baselines.leanvae.wavelets import haar_2d, haar_3d, inverse_haar_2d, inverse_haar_3d
from toklab.tokenizers.golden import UnsupportedGolden, golden_tokenizer
from toklab.tokenizers.interface import TokenizerError

TINY: dict[str, Any] = {"latent_dim": 4, "embedding_dim": 24, "l_dim": 8, "h_dim": 16, "sep_num_layer": 1}


def built() -> LeanVAETokenizer:
    tokenizer = golden_tokenizer(LeanVAETokenizer, TINY | {"fusion_num_layer": 1}, "a-leanvae")
    tokenizer.init_random(0)
    return tokenizer


def test_wavelets_are_plain_sums_and_differences() -> None:
    video = clip(1, 3, 2, 2, 2)
    flat = haar_3d(video)[0, :, 0, 0, 0].reshape(8, 3).numpy()
    box = video[0].numpy()
    for band in range(8):
        t, h, w = np.unravel_index(band, (2, 2, 2))
        signs = np.array([1, -1])
        pattern = (signs**t)[:, None, None] * (signs**h)[None, :, None] * (signs**w)[None, None, :]
        np.testing.assert_allclose(flat[band], (box * pattern).sum((1, 2, 3)), atol=1e-6)
    of_frame = haar_2d(video[:, :, :1])[0, :, 0, 0, 0].reshape(4, 3).numpy()
    for band, (h, w) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        pattern = (np.array([1, -1]) ** h)[:, None] * (np.array([1, -1]) ** w)[None, :]
        np.testing.assert_allclose(of_frame[band], (box[:, 0] * pattern).sum((1, 2)), atol=1e-6)


def test_inverses_are_exact() -> None:
    video = clip(2, 3, 4, 8, 12)
    torch.testing.assert_close(inverse_haar_3d(haar_3d(video)), video)
    torch.testing.assert_close(inverse_haar_2d(haar_2d(video)), video)


def test_it_is_causal() -> None:
    tokenizer = built()
    video = clip(1, 3, 13, 16, 16)
    later = video.clone()
    later[:, :, 9:] = clip(1, 3, 4, 16, 16)
    before, after = (tokenizer.decode(tokenizer.encode(v)) for v in (video, later))
    torch.testing.assert_close(before[:, :, :9], after[:, :, :9])
    assert not torch.allclose(before[:, :, 9:], after[:, :, 9:])


def test_a_training_checkpoint_loads_without_its_discriminator() -> None:
    tokenizer, other = built(), built()
    other.init_random(1)
    state = {f"autoencoder.{name}": value for name, value in tokenizer.model.state_dict().items()}
    other.load_state({**state, "image_discriminator.weight": torch.ones(1), "perceptual.lin0": torch.ones(1)})
    loaded = other.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in tokenizer.model.state_dict().items())


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(TokenizerError, match="l_dim 8 and h_dim 17 must make up embedding_dim 24"):
        LeanVAEConfig.from_parameters(TINY | {"h_dim": 17})
    with pytest.raises(UnsupportedGolden, match="use_tile_inference = True"):
        golden_parameters({"arch": TINY | {"use_tile_inference": True}})
