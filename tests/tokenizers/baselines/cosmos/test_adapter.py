"""Cosmos behind the tokenizer contract: lengths, causality, codes, work, archives' state."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cosmos_archives import OfficialNames
from toklab.tokenizers.baselines.cosmos.adapter import CosmosTokenizer
from toklab.tokenizers.card import CheckpointSource
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import TokenizerError, VideoTokenizer
from toklab.tokenizers.trust.weight_files import sha256_of

pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")

NAMES = ["cosmos-tiny-cv", "cosmos-tiny-dv"]


def build(name: str) -> VideoTokenizer:
    return build_tokenizer(load_cards()[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_frame_depends_on_a_later_one(name: str) -> None:
    tokenizer = build(name)
    video = torch.rand(1, 3, 13, 16, 16) * 2 - 1
    changed = video.clone()
    changed[:, :, 9:] *= -1
    assert isinstance(tokenizer, CosmosTokenizer)
    features = [tokenizer.model.encode(clip) for clip in (video, changed)]
    torch.testing.assert_close(features[0][:, :, :3], features[1][:, :, :3], rtol=0, atol=1e-6)
    assert not torch.equal(features[0][:, :, 3:], features[1][:, :, 3:])
    results = [tokenizer.model.decode(latents) for latents in features]
    torch.testing.assert_close(results[0][:, :, :9], results[1][:, :, :9], rtol=0, atol=1e-6)
    assert not torch.equal(results[0][:, :, 9:], results[1][:, :, 9:])


def test_codes_alone_can_be_decoded() -> None:
    tokenizer = build("cosmos-tiny-dv")
    encoded = tokenizer.encode(torch.rand(2, 3, 5, 16, 16) * 2 - 1)
    (indices,) = encoded.codes
    assert indices.shape == (2, 2, 2, 2)
    assert indices.min() >= 0
    assert indices.max() < 64_000
    again = tokenizer.decode(replace(encoded, latents=None))
    torch.testing.assert_close(again, tokenizer.decode(encoded), rtol=0, atol=1e-6)


@pytest.mark.parametrize("compression", ["4x8x8", "8x8x8", "8x16x16"])
@pytest.mark.parametrize("kind", ["cv", "dv"])
def test_full_size_models_run_on_the_meta_device(kind: str, compression: str) -> None:
    tokenizer = build_on_meta(load_cards()[f"cosmos-{kind}-{compression}"])
    temporal, spatial, _ = map(int, compression.split("x"))
    video = torch.empty(1, 3, 17, 256, 256, device="meta")
    encoded = tokenizer.encode(video)
    assert encoded.latents is not None
    channels = 16 if kind == "cv" else 6
    assert encoded.latents.shape == (1, channels, 1 + 16 // temporal, 256 // spatial, 256 // spatial)
    assert tokenizer.decode(encoded).shape == video.shape


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_state_of_an_archive_loads(name: str, tmp_path: Path) -> None:
    source = build(name)
    assert isinstance(source, CosmosTokenizer)
    path = tmp_path / "autoencoder.jit"
    torch.jit.script(OfficialNames(source.model)).save(str(path))
    checkpoint = CheckpointSource(path=path.name, sha256=sha256_of(path))
    card = replace(load_cards()[name], checkpoint=checkpoint, source=tmp_path / "card.toml")
    loaded = build_tokenizer(card)
    video = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    assert torch.equal(loaded.decode(loaded.encode(video)), source.decode(source.encode(video)))
    with pytest.raises(TokenizerError, match=r"is code.*SHA-256.*--trust-torchscript"):
        build_tokenizer(replace(card, checkpoint=replace(checkpoint, sha256="")))


def test_without_diffusers_the_hint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers.models.autoencoders.autoencoder_kl_cosmos", None)
    with pytest.raises(TokenizerError, match=r"pip install 'toklab\[diffusers\]'"):
        build("cosmos-tiny-cv")


@pytest.mark.slow
@pytest.mark.thorough
def test_a_network_built_without_memory_leaves_the_module_of_diffusers_usable() -> None:
    code = """
from toklab.tokenizers.catalog import build_on_meta, load_cards
build_on_meta(load_cards()["cosmos-tiny-cv"])
from diffusers.models.autoencoders.autoencoder_kl_cosmos import CosmosPatchEmbed3d
print(CosmosPatchEmbed3d(4, "haar").wavelets.device)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "cpu\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_channels": 5}, "levels need as many"),
        ({"temporal_compression": 6}, "temporal_compression"),
        ({"spatial_compression": 32}, "spatial_compression"),
        ({"depth": 3}, "unknown depth"),
        ({"levels": [8, 8, 8, 5, 5, 4]}, "codebook_levels"),
    ],
)
def test_wrong_parameters_are_named(change: dict[str, object], message: str) -> None:
    card = load_cards()["cosmos-tiny-dv"]
    with pytest.raises(TokenizerError, match=message):
        CosmosTokenizer(card.spec, {**card.parameters, **change})
