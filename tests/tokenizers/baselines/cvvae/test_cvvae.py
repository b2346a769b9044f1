"""CV-VAE: its chunks, its tiles, and checkpoints under the names of both classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ported_tokenizers import clip, ported, remove_group_norms
from safetensors.torch import save_file
from toklab.tokenizers.baselines.cvvae.adapter import CVVAETokenizer
from toklab.tokenizers.baselines.cvvae.checkpoint import official_name
from toklab.tokenizers.baselines.cvvae.config import CVVAEConfig
from toklab.tokenizers.baselines.cvvae.golden import golden_parameters
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.golden import UnsupportedGolden
from toklab.tokenizers.interface import TokenizerError
from torch import Tensor

TINY = ("cv-vae-tiny-4chn", "cv-vae-tiny-16chn")


def cvvae(name: str) -> CVVAETokenizer:
    tokenizer = ported(name)
    assert isinstance(tokenizer, CVVAETokenizer)
    return tokenizer


def latents(tokenizer: CVVAETokenizer, video: Tensor) -> Tensor:
    encoded = tokenizer.encode(video)
    assert encoded.latents is not None
    return encoded.latents


@pytest.mark.parametrize("name", TINY)
def test_chunks_see_no_other_chunk_but_the_frame_they_share(name: str) -> None:
    tokenizer = cvvae(name)
    video = clip(1, 3, 33, 8, 8)
    whole = latents(tokenizer, video)
    assert whole.shape[2] == 9
    torch.testing.assert_close(whole[:, :, :5], latents(tokenizer, video[:, :, :17]))
    torch.testing.assert_close(whole[:, :, 5:], latents(tokenizer, video[:, :, 16:])[:, :, 1:])


@pytest.mark.parametrize("name", TINY)
def test_the_encoder_is_causal_but_for_its_norms(name: str) -> None:
    tokenizer = cvvae(name)
    remove_group_norms(tokenizer.model.encoder)
    video = clip(1, 3, 17, 8, 8)
    later = video.clone()
    later[:, :, 9:] = clip(1, 3, 8, 8, 8)
    before, after = latents(tokenizer, video), latents(tokenizer, later)
    torch.testing.assert_close(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, :, 3], after[:, :, 3])


@pytest.mark.parametrize("name", TINY)
def test_large_frames_go_through_in_tiles(name: str) -> None:
    tokenizer = cvvae(name)
    assert tokenizer.config.tile_spatial_size == 64
    video = clip(1, 3, 1, 64, 112)
    tiled = latents(tokenizer, video)
    # Tiles start at 0 and 48 pixels and share 16, which is 2 latents.
    left, right = latents(tokenizer, video[..., :64]), latents(tokenizer, video[..., 48:])
    assert tiled.shape[3:] == (8, 14)
    torch.testing.assert_close(tiled[..., :6], left[..., :6])
    torch.testing.assert_close(tiled[..., 6], left[..., 6])
    torch.testing.assert_close(tiled[..., 7], (left[..., 7] + right[..., 1]) / 2)
    torch.testing.assert_close(tiled[..., 8:], right[..., 2:])
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_official_files_load_in_half_precision(name: str, tmp_path: Path) -> None:
    tokenizer = cvvae(name)
    state = {official_name(key, tokenizer.config): value for key, value in tokenizer.model.state_dict().items()}
    for key, value in state.items():
        if "to_" in key or "conv_shortcut" in key:
            # As AutoencoderKL stores them: matrices, and 2-D kernels.
            state[key] = value.squeeze(-1).squeeze(-1) if "to_" in key else value.squeeze(-1)
    save_file({key: value.half().contiguous() for key, value in state.items()}, tmp_path / "w.safetensors")
    text = load_cards()[name].source.read_text(encoding="utf-8")
    text = text.replace("random_seed = 0", 'path = "w.safetensors"').replace(f'"{name}"', '"other"')
    (tmp_path / "other.toml").write_text(text)
    loaded = build_tokenizer(load_cards([tmp_path])["other"])
    video = clip(1, 3, 5, 8, 8)
    assert isinstance(loaded, CVVAETokenizer)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    torch.testing.assert_close(latents(loaded, video), latents(tokenizer, video), atol=0.05, rtol=0.05)


def test_another_variants_checkpoint_is_refused() -> None:
    state = cvvae("cv-vae-tiny-4chn").model.state_dict()
    with pytest.raises(TokenizerError, match=r"cv-vae-tiny-16chn: the checkpoint is of another model"):
        cvvae("cv-vae-tiny-16chn").load_state(state)


SD: dict[str, Any] = {"variant": "sd", "z_channels": 4, "ch": 32, "ch_mult": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "sd4"}, "variant must be one of sd, sd3"),
        ({"half_3d": False}, "unknown half_3d"),
        ({"en_de_n_frames_a_time": 6}, "en_de_n_frames_a_time must be a multiple of 4"),
        ({"tile_spatial_size": 60}, "tile_spatial_size must be a multiple of 8"),
        ({"tile_spatial_size": 64}, "tile_overlap_ratio 0.2222 of tile_spatial_size 64"),
    ],
)
def test_wrong_parameters_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        CVVAEConfig.from_parameters(SD | changes)
    with pytest.raises(TokenizerError, match="takes ch and ch_mult"):
        CVVAEConfig.from_parameters({"variant": "sd", "z_channels": 4})


def test_without_chunks_a_clip_goes_through_whole() -> None:
    config = CVVAEConfig.from_parameters(SD | {"en_de_n_frames_a_time": 0, "tile_spatial_size": 0})
    assert config.tiling(1024, 1024, decodes=False) is None
    card = load_cards()["cv-vae-tiny-4chn"]
    tokenizer = CVVAETokenizer(card.spec, {**card.parameters, "en_de_n_frames_a_time": 0})
    tokenizer.init_random(0)
    assert not tokenizer.can_stream
    video = clip(1, 3, 21, 8, 8)
    assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape
    assert not torch.allclose(latents(tokenizer, video), latents(cvvae("cv-vae-tiny-4chn"), video), atol=1e-4)


def test_goldens_of_other_networks_are_not_supported() -> None:
    with pytest.raises(UnsupportedGolden, match="half_3d = False"):
        golden_parameters({"arch": {"ch": 32, "half_3d": False}})
