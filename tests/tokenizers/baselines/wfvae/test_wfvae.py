"""WF-VAE: its wavelets, how far it looks ahead, and checkpoints of its first release."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from ported_tokenizers import clip
from toklab.tokenizers.baselines.wfvae.adapter import WFVAETokenizer
from toklab.tokenizers.baselines.wfvae.config import LEVEL_1, WFVAEConfig
from toklab.tokenizers.baselines.wfvae.golden import golden_parameters
from toklab.tokenizers.baselines.wfvae.wavelets import HaarWavelets2D, HaarWavelets3D
from toklab.tokenizers.golden import UnsupportedGolden, golden_tokenizer
from toklab.tokenizers.interface import TokenizerError

TINY: dict[str, Any] = {
    "latent_dim": 4,
    "base_channels": 8,
    "encoder_num_resblocks": 1,
    "decoder_num_resblocks": 1,
    "encoder_energy_flow_hidden_size": 4,
    "decoder_energy_flow_hidden_size": 4,
}
EIGHTFOLD = dict(
    zip(
        ("l1_dowmsample_block", "l1_downsample_wavelet", "l1_upsample_block", "l1_upsample_wavelet"),
        LEVEL_1["8x8x8"],
        strict=True,
    )
)


def built(**changes: Any) -> WFVAETokenizer:
    tokenizer = golden_tokenizer(WFVAETokenizer, TINY | changes, "a-wf-vae")
    tokenizer.init_random(0)
    return tokenizer


def test_the_3d_transform_and_its_inverse_multiply_by_what_its_coefficients_say() -> None:
    for nested in (True, False):
        wavelets = HaarWavelets3D(nested=nested)
        video = clip(2, 3, 9, 8, 12)
        bands = wavelets.transform(video)
        assert bands.shape == (2, 24, 5, 4, 6)
        torch.testing.assert_close(wavelets.inverse(bands), video * 8 * 0.3536**2, atol=1e-5, rtol=0)


def test_the_2d_transform_is_orthonormal() -> None:
    wavelets = HaarWavelets2D()
    video = clip(2, 3, 3, 8, 12)
    bands = wavelets.transform(video)
    assert bands.shape == (2, 12, 3, 4, 6)
    torch.testing.assert_close(wavelets.inverse(bands), video, atol=1e-6, rtol=0)


def test_bands_are_in_the_official_order() -> None:
    """A pattern that alternates along some axes has energy in one band alone."""
    for band, (t, h, w) in enumerate(itertools.product(range(2), repeat=3)):
        frames, rows, columns = torch.meshgrid(*(torch.arange(n) for n in (5, 4, 4)), indexing="ij")
        # The copy of the first frame shifts pairs by one.
        sign = (-1.0) ** (t * (frames + 1) + h * rows + w * columns)
        energy = HaarWavelets3D(nested=True).transform(sign.expand(1, 3, -1, -1, -1))[:, :, 1:].abs().sum((0, 2, 3, 4))
        assert set(torch.nonzero(energy > 1e-3).flatten().tolist()) == {3 * band, 3 * band + 1, 3 * band + 2}
    for band, (w, h) in enumerate(itertools.product(range(2), repeat=2)):
        rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
        sign = (-1.0) ** (h * rows + w * columns)
        energy = HaarWavelets2D().transform(sign.expand(1, 3, 1, -1, -1)).abs().sum((0, 2, 3, 4))
        assert set(torch.nonzero(energy > 1e-3).flatten().tolist()) == {3 * band, 3 * band + 1, 3 * band + 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "num_changed"),
    [({}, 2), (EIGHTFOLD, 6), ({"t_interpolation": "nearest"}, 0), ({**EIGHTFOLD, "t_interpolation": "nearest"}, 0)],
)
def test_as_many_frames_look_ahead_as_it_says(changes: dict[str, str], num_changed: int) -> None:
    tokenizer = built(**changes)
    step = tokenizer.spec.temporal_compression
    video = clip(1, 3, 1 + 3 * step, 8, 8)
    later = video.clone()
    later[:, :, 1 + step :] = clip(1, 3, 2 * step, 8, 8)
    before, after = (tokenizer.model.decode(tokenizer.model.encode(v)[:, :4]) for v in (video, later))
    changed = (before != after).flatten(3).any(3)[0].any(0)
    assert changed[1 + step :].all()
    assert changed[: 1 + step].sum() == num_changed
    assert tokenizer.looks_ahead == num_changed


def test_group_norms_see_the_whole_clip() -> None:
    tokenizer = built(norm_type="groupnorm", num_groups=4)
    assert tokenizer.looks_ahead is None
    assert "group norms" in tokenizer.looks_ahead_through


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [1, 9, 17])
def test_eight_frames_become_a_latent_where_level_1_halves_time(num_frames: int) -> None:
    tokenizer = built(**EIGHTFOLD)
    encoded = tokenizer._encode(clip(1, 3, num_frames, 16, 8), None)
    assert encoded.latents is not None
    assert encoded.latents.shape == (1, 4, 1 + (num_frames - 1) // 8, 2, 1)
    assert tokenizer._decode(encoded).shape == (1, 3, num_frames, 16, 8)


def test_a_checkpoint_of_the_first_release_gives_the_same() -> None:
    tokenizer = built(connect_res_layer_num=2)
    official = tokenizer.model.state_dict()
    first: dict[str, torch.Tensor] = {}
    for name, value in official.items():
        if "wavelet" in name:
            continue
        old = name.replace(".connect_l2.", ".connect_l3.").replace(".connect_l1.", ".connect_l2.")
        first[f"module.{old}"] = value
    first["module.encoder.wavelet_tranform_3d.h_conv.conv.weight"] = torch.zeros(1, 1, 2, 2, 2)
    other = built(connect_res_layer_num=2)
    other.init_random(1)
    other.load_state(first)
    loaded = other.model.state_dict()
    assert loaded.keys() == official.keys()
    assert all(torch.equal(loaded[name], value) for name, value in official.items())


def test_stored_filters_are_used() -> None:
    tokenizer = built()
    state = {name: value.clone() for name, value in tokenizer.model.state_dict().items()}
    state["encoder.wavelet_transform_in.h_conv.conv.weight"] *= 2
    other = built()
    other.load_state(state)
    video = clip(1, 3, 5, 8, 8)
    plain, doubled = (each.model.encoder.wavelet_transform_in.transform(video) for each in (tokenizer, other))
    torch.testing.assert_close(doubled[:, :3], 2 * plain[:, :3])
    torch.testing.assert_close(doubled[:, 3:], plain[:, 3:])


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(TokenizerError, match="the blocks of level 1 are Upsample"):
        WFVAEConfig.from_parameters(TINY | {"l1_dowmsample_block": "Upsample"})
    with pytest.raises(TokenizerError, match="norm_type must be one of layernorm, groupnorm"):
        WFVAEConfig.from_parameters(TINY | {"norm_type": "batchnorm"})
    with pytest.raises(UnsupportedGolden, match="use_attention = False"):
        golden_parameters({"arch": TINY | {"use_attention": False}})
