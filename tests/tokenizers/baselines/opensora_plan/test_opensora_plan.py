"""Open-Sora-Plan's CausalVAE: official chunks and tiles by settings, and the wrappings of its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ported_tokenizers import clip, ported, remove_group_norms
from safetensors.torch import load_file
from toklab.tokenizers.baselines.opensora_plan.adapter import CausalVAETokenizer
from toklab.tokenizers.baselines.opensora_plan.config import CausalVAEConfig
from toklab.tokenizers.baselines.opensora_plan.golden import golden_parameters
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.golden import UnsupportedGolden
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from torch import Tensor

NAME = "opensora-plan-tiny"


def causal_vae(**settings: Any) -> CausalVAETokenizer:
    tokenizer = ported(NAME, InferenceSettings(**settings))
    assert isinstance(tokenizer, CausalVAETokenizer)
    return tokenizer


def latents(tokenizer: CausalVAETokenizer, video: Tensor) -> Tensor:
    encoded = tokenizer.encode(video)
    assert encoded.latents is not None
    return encoded.latents


def test_the_network_is_causal_but_for_its_norms() -> None:
    tokenizer = causal_vae()
    remove_group_norms(tokenizer.model)
    video = clip(1, 3, 13, 8, 8)
    later = video.clone()
    later[:, :, 5:] = clip(1, 3, 8, 8, 8)
    before, after = latents(tokenizer, video), latents(tokenizer, later)
    torch.testing.assert_close(before[:, :, :2], after[:, :, :2])
    assert not torch.allclose(before[:, :, 2], after[:, :, 2])
    decoded, changed = tokenizer.decode(tokenizer.encode(video)), tokenizer.decode(tokenizer.encode(later))
    torch.testing.assert_close(decoded[:, :, 0], changed[:, :, 0])


@pytest.mark.slow
@pytest.mark.goldens
def test_settings_give_the_official_tiling(shared: Path) -> None:
    folder = shared / "goldens" / "baselines" / "opensoraplan_v1_2"
    stored = load_file(folder / "io.safetensors")
    tiling = json.loads((folder / "config.json").read_text())["tiling"]
    size = tiling["tile_sample_min_size"]
    card = load_cards()[NAME]
    settings = InferenceSettings(
        chunk_frames=tiling["tile_sample_min_size_t"] - 1,
        chunk_mode="official",
        tile_size=size,
        tile_overlap=int(size * tiling["tile_overlap_factor"]),
    )
    tokenizer = CausalVAETokenizer(card.spec, card.parameters, settings)
    tokenizer.load_state(load_file(folder / "state.safetensors"))
    encoded = tokenizer.encode(stored["input_tiled"])
    torch.testing.assert_close(encoded.latents, stored["latent_tiled"], atol=5e-5, rtol=0)
    torch.testing.assert_close(tokenizer.decode(encoded), stored["recon_tiled"], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_small_clips_are_neither_chunked_nor_tiled() -> None:
    whole = causal_vae()
    official = causal_vae(chunk_frames=8, chunk_mode="official", tile_size=32, tile_overlap=8)
    for small, shape in ((True, (1, 3, 9, 32, 32)), (False, (1, 3, 13, 32, 32)), (False, (1, 3, 1, 32, 40))):
        video = clip(*shape)
        assert torch.allclose(latents(whole, video), latents(official, video), atol=1e-5) == small
        assert official.decode(official.encode(video)).shape == video.shape


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chunk_frames": 8}, "chunks can't be exact; set chunk_mode=official"),
        ({"chunk_frames": 6, "chunk_mode": "official"}, "chunk_frames must be a multiple of 4, not 6"),
        ({"tile_size": 60}, "tile_size must be a multiple of 8, not 60"),
        ({"tile_size": 64, "tile_overlap": 4}, "tile_overlap must be a multiple of 8, not 4"),
    ],
)
def test_settings_off_the_grid_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        causal_vae(**settings)


@pytest.mark.parametrize("wrapping", ["ema_state_dict", "gen_model", "state_dict", "plain"])
def test_checkpoints_load_from_every_wrapping(wrapping: str, tmp_path: Path) -> None:
    tokenizer = causal_vae()
    state = tokenizer.model.state_dict()
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    content = {
        "ema_state_dict": {"ema_state_dict": {f"module.{k}": v for k, v in state.items()}, "state_dict": other},
        "gen_model": {"state_dict": {"gen_model": state, "dics_model": other}, "epoch": 3},
        "state_dict": {"state_dict": state | {"loss.logvar": torch.zeros(())}},
        "plain": state,
    }[wrapping]
    torch.save(content, tmp_path / "checkpoint.ckpt")
    text = load_cards()[NAME].source.read_text(encoding="utf-8")
    text = text.replace("random_seed = 0", 'path = "checkpoint.ckpt"').replace(f'"{NAME}"', '"other"')
    (tmp_path / "other.toml").write_text(text)
    loaded = build_tokenizer(load_cards([tmp_path])["other"])
    assert isinstance(loaded, CausalVAETokenizer)
    assert all(torch.equal(value, state[key]) for key, value in loaded.model.state_dict().items())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden": 3}, "unknown hidden"),
        ({"encoder_resnet_blocks": ["ResnetBlock2D"]}, "encoder_resnet_blocks has a value a level"),
        ({"encoder_spatial_downsample": ["Downsample", "Other", "", ""]}, "encoder_spatial_downsample has a value"),
        ({"decoder_spatial_upsample": ["", "", "SpatialUpsample2x", "SpatialUpsample2x"]}, "halvings of time, but 0"),
        (
            {"decoder_spatial_upsample": ["", "", "Spatial2xTime2x3DUpsample", "Spatial2xTime2x3DUpsample"]},
            "3 halvings of space, but 2",
        ),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        CausalVAEConfig.from_parameters(parameters)


def test_goldens_of_other_networks_are_not_supported() -> None:
    with pytest.raises(UnsupportedGolden, match="q_conv = Conv3d"):
        golden_parameters({"arch": {"q_conv": "Conv3d"}})
