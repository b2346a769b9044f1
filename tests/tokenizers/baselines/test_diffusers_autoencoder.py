from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from toklab.bench.conformance.check_adapter import check_adapter
from toklab.tokenizers.baselines.diffusers_autoencoder import DiffusersTokenizer
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError, TokenizerSpec, VideoTokenizer
from toklab.tokenizers.vidtok.adapter import VidTokTokenizer

diffusers = pytest.importorskip("diffusers", reason="the extra [diffusers] isn't installed")

from tiny_autoencoders import TINY, tiny_card  # noqa: E402  (imports diffusers)

PARAMETERS_IN_MILLIONS = {
    "allegro": 174.96,
    "cogvideox-2b": 215.58,
    "cogvideox-5b": 215.58,
    "cogvideox1.5-5b": 215.58,
    "cosmos-1.0-cv-8x8x8": 105.65,
    "easyanimate-v5": 244.38,
    "easyanimate-v5.1": 244.38,
    "hunyuanvideo": 246.48,
    "hunyuanvideo-1.5": 1260.63,
    "kvae-3d": 617.98,
    "ltx-2": 1222.48,
    "ltx-video-0.9.0": 419.19,
    "ltx-video-0.9.1": 934.98,
    "ltx-video-0.9.5": 1246.91,
    "ltx-video-0.9.7": 1246.91,
    "mochi-1": 459.75,
    "qwen-image": 126.89,
    "sd-vae-ft-mse": 83.65,
    "svd": 97.74,
    "vidtok_fsq_causal_488_32768_v1_1-diffusers": 157.42,
    "vidtok_kl_causal_488_16chn_v1_1-diffusers": 157.95,
    "vidtok_kl_causal_488_4chn_v1_1-diffusers": 157.45,
    "wan2.1": 126.89,
    "wan2.2": 704.69,
}
"""Counted from the classes' own configurations, apart from toklab."""

LARGE_TILE = {"allegro"}
"""Whatever comes in is padded to a tile of 24 × 320 × 320, which takes seconds even for a tiny network."""


def official_cards() -> list[str]:
    return [name for name, card in load_cards().items() if card.spec.family == "diffusers"]


def clip_for(spec: TokenizerSpec, num_frames: int) -> torch.Tensor:
    size = max(64, spec.size_multiple)
    generator = torch.Generator().manual_seed(num_frames)
    return torch.rand(1, 3, num_frames, size, size, generator=generator) * 2 - 1


def round_trip(tokenizer: VideoTokenizer, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = tokenizer.encode(clip)
    assert encoded.latents is not None
    return encoded.latents, tokenizer.decode(encoded)


def test_every_card_of_the_family_is_tested() -> None:
    assert set(official_cards()) == set(PARAMETERS_IN_MILLIONS)


@pytest.mark.slow
@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", PARAMETERS_IN_MILLIONS)
def test_full_size_has_the_published_parameters_and_the_latent_of_its_card(name: str) -> None:
    card = load_cards()[name]
    tokenizer = build_on_meta(card)
    count = sum(parameter.numel() for parameter in torch.nn.ModuleList(tokenizer.modules().values()).parameters())
    assert round(count / 1e6, 2) == PARAMETERS_IN_MILLIONS[name]
    num_frames, size = 17 if card.spec.causal else 16, 256
    try:
        latents, reconstruction = round_trip(tokenizer, torch.zeros(1, 3, num_frames, size, size, device="meta"))
    except RuntimeError:
        # The class makes tensors on the CPU as it runs.
        num_frames, size = 5, 32
        tokenizer.init_random(0)
        latents, reconstruction = round_trip(tokenizer, torch.zeros(1, 3, num_frames, size, size))
    legal_frames, height, width = tokenizer.legal_shape(num_frames, size, size)
    assert latents.shape == (
        1,
        card.spec.latent_channels,
        -(-legal_frames // card.spec.temporal_compression),
        height // card.spec.spatial_compression,
        width // card.spec.spatial_compression,
    )
    assert reconstruction.shape == (1, 3, num_frames, size, size)


@pytest.mark.slow
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", sorted(set(TINY) - LARGE_TILE))
def test_a_tiny_one_gives_back_as_many_frames_as_went_in(name: str, tmp_path: Path) -> None:
    card = tiny_card(name, tmp_path)
    tokenizer = build_tokenizer(card)
    for num_frames in (1, 4, 9):
        clip = clip_for(card.spec, num_frames)
        encoded = tokenizer.encode(clip)
        assert encoded.latents is not None
        assert encoded.latents.shape[1] == card.spec.latent_channels
        assert tokenizer.decode(encoded).shape == clip.shape


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["svd", "easyanimate-v5", "hunyuanvideo", "ltx-2", "hunyuanvideo-1.5", "wan2.2"])
def test_a_tiny_one_keeps_the_rules_of_adapters(name: str, tmp_path: Path) -> None:
    findings = list(check_adapter(build_tokenizer(tiny_card(name, tmp_path)), side=64))
    assert [(finding.rule, finding.judgement.why) for finding in findings if finding.failed] == []


def test_allegro_pads_a_clip_until_whole_tiles_cover_it() -> None:
    tokenizer = build_on_meta(load_cards()["allegro"])
    assert tokenizer.legal_shape(16, 64, 64) == (24, 320, 320)
    assert tokenizer.legal_shape(25, 320, 321) == (40, 320, 560)


@pytest.mark.slow
@pytest.mark.thorough
def test_allegro_leaves_no_place_without_a_tile(tmp_path: Path) -> None:
    card = tiny_card("allegro", tmp_path)
    tokenizer = build_tokenizer(card)
    clip = clip_for(card.spec, 16)
    reconstruction = tokenizer.decode(tokenizer.encode(clip))
    assert reconstruction.shape == clip.shape
    # Where no tile fits, the class itself leaves zeros, without a word.
    assert not (reconstruction == 0).any()


@pytest.mark.slow
def test_a_legal_clip_gives_what_the_class_itself_gives(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(tiny_card("wan2.1", tmp_path))
    model = diffusers.AutoencoderKLWan.from_pretrained(tmp_path / "vae", local_files_only=True)
    clip = clip_for(tokenizer.spec, 9)
    encoded = tokenizer.encode(clip)
    with torch.no_grad():
        latents = model.encode(clip).latent_dist.mode()
        reconstruction = model.decode(latents).sample
    assert encoded.latents is not None
    torch.testing.assert_close(encoded.latents, latents, rtol=0, atol=0)
    torch.testing.assert_close(tokenizer.decode(encoded), reconstruction, rtol=0, atol=0)


@pytest.mark.slow
def test_whole_clips_of_hunyuan_are_not_tiled_in_time(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(tiny_card("hunyuanvideo", tmp_path))
    model = diffusers.AutoencoderKLHunyuanVideo.from_pretrained(tmp_path / "vae", local_files_only=True)
    clip = clip_for(tokenizer.spec, 21)
    reconstruction = tokenizer.decode(tokenizer.encode(clip))
    with torch.no_grad():
        tiled = model.decode(model.encode(clip).latent_dist.mode()).sample
        model.use_framewise_encoding = model.use_framewise_decoding = False
        whole = model.decode(model.encode(clip).latent_dist.mode()).sample
    torch.testing.assert_close(reconstruction, whole, rtol=0, atol=0)
    assert (tiled[:, :, :21] - whole).abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vidtok_kl_causal_488_4chn_v1_1", "vidtok_fsq_causal_488_32768_v1_1"])
def test_vidtok_of_diffusers_and_ours_agree_on_the_same_weights(name: str, tmp_path: Path) -> None:
    theirs = build_tokenizer(tiny_card(f"{name}-diffusers", tmp_path))
    assert isinstance(theirs, DiffusersTokenizer)
    small = {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1}
    card = load_cards()[name]
    ours = VidTokTokenizer(card.spec, {**card.parameters, **small})
    ours.load_state(theirs.model.state_dict())
    clip = clip_for(card.spec, 17)
    expected, encoded = theirs.encode(clip), ours.encode(clip)
    assert encoded.latents is not None
    assert expected.latents is not None
    torch.testing.assert_close(encoded.latents, expected.latents, rtol=1e-4, atol=1e-4)
    for codes, reference in zip(encoded.codes, expected.codes, strict=True):
        assert torch.equal(codes, reference)
    torch.testing.assert_close(ours.decode(encoded), theirs.decode(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_posterior_samples_follow_the_generators_of_the_clips(tmp_path: Path) -> None:
    card = tiny_card("svd", tmp_path)
    tokenizer = build_tokenizer(card, InferenceSettings(posterior="sample"))
    mean = build_tokenizer(card)
    clips = clip_for(card.spec, 3).repeat(2, 1, 1, 1, 1)
    two = tokenizer.encode(clips, [torch.Generator().manual_seed(seed) for seed in (1, 2)])
    one = tokenizer.encode(clips[:1], [torch.Generator().manual_seed(2)])
    assert two.latents is not None
    assert one.latents is not None
    assert one.kl_nats is not None
    torch.testing.assert_close(two.latents[1:], one.latents, rtol=1e-5, atol=1e-5)
    assert not torch.equal(two.latents[0], two.latents[1])
    assert not torch.equal(mean.encode(clips[:1]).latents, one.latents)  # pyright: ignore[reportArgumentType]
    assert one.kl_nats.shape == (1,)


@pytest.mark.slow
def test_divergences_in_half_precision_are_summed_in_float32(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(tiny_card("hunyuanvideo", tmp_path), InferenceSettings(precision="bfloat16"))
    assert isinstance(tokenizer, DiffusersTokenizer)
    clip = clip_for(tokenizer.spec, 5)
    encoded = tokenizer.encode(clip)
    with torch.no_grad():
        posterior = tokenizer.model.encode(clip.bfloat16()).latent_dist
    mean, log_variance = posterior.mean.double(), posterior.logvar.double()
    expected = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum((1, 2, 3, 4))
    assert encoded.kl_nats is not None
    torch.testing.assert_close(encoded.kl_nats.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.slow
def test_a_class_that_drops_its_variance_has_neither_divergence_nor_samples(tmp_path: Path) -> None:
    card = tiny_card("kvae-3d", tmp_path)
    tokenizer = build_tokenizer(card)
    assert isinstance(tokenizer, DiffusersTokenizer)
    clip = clip_for(card.spec, 1)
    assert tokenizer.encode(clip).kl_nats is None
    with torch.no_grad():
        assert not tokenizer.model.encode(clip).latent_dist.logvar.any()
    with pytest.raises(TokenizerError, match=r"drops the variance of its posterior.*leave posterior out"):
        build_tokenizer(card, InferenceSettings(posterior="sample"))


@pytest.mark.slow
def test_noise_inside_a_decoder_follows_from_the_seed_of_each_clip(tmp_path: Path) -> None:
    card = tiny_card("ltx-video-0.9.1", tmp_path)
    tokenizer = build_tokenizer(card)
    assert isinstance(tokenizer, DiffusersTokenizer)
    # What a network that wasn't trained multiplies its noise by is 0.
    for name, parameter in tokenizer.model.decoder.named_parameters():
        if "per_channel_scale" in name:
            parameter.fill_(1.0)
    clips = clip_for(card.spec, 9).repeat(2, 1, 1, 1, 1)
    two = tokenizer.encode(clips, [torch.Generator().manual_seed(seed) for seed in (1, 2)])
    assert two.noise_seeds[1:] == tokenizer.encode(clips[:1], [torch.Generator().manual_seed(2)]).noise_seeds
    state = torch.get_rng_state()
    decoded = tokenizer.decode(two)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert torch.equal(tokenizer.decode(two.select(1)), decoded[1:])
    assert not torch.equal(decoded[0], decoded[1])


@pytest.mark.slow
def test_a_failure_leaves_nothing_behind_for_the_next_clip(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(tiny_card("easyanimate-v5", tmp_path))
    clip = clip_for(tokenizer.spec, 9)
    expected = tokenizer.decode(tokenizer.encode(clip))
    with pytest.raises(ValueError, match="non-empty"):
        tokenizer._encode(clip[:, :, :4], None)
    torch.testing.assert_close(tokenizer.decode(tokenizer.encode(clip)), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "missing autoencoder"),
        ({"autoencoder": "AutoencoderKLWan", "tile": True}, "unknown tile"),
        ({"autoencoder": "AutoencoderKLFuture"}, "--upgrade"),
        ({"autoencoder": "utils"}, "has no utils"),
        ({"autoencoder": "AutoencoderKLWan", "config": {"bass_dim": 4}}, "takes no bass_dim"),
        ({"autoencoder": "AutoencoderKLWan", "attributes": {"use_tilling": True}}, "no attribute use_tilling"),
        ({"autoencoder": "AutoencoderKLWan", "frames": "both"}, "frames must be one of clip, images"),
        ({"autoencoder": "AutoencoderKLWan", "config_file": "nowhere/config.json"}, "nowhere/config.json"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(TokenizerError, match=problem):
        DiffusersTokenizer(load_cards()["wan2.1"].spec, parameters)


def test_the_checkpoint_and_the_config_of_another_model_are_refused(tmp_path: Path) -> None:
    wan, qwen = tmp_path / "wan", tmp_path / "qwen"
    card = tiny_card("wan2.1", wan)
    tiny_card("hunyuanvideo", qwen)
    (wan / "vae/diffusion_pytorch_model.safetensors").write_bytes(
        (qwen / "vae/diffusion_pytorch_model.safetensors").read_bytes()
    )
    with pytest.raises(TokenizerError, match="another model's"):
        build_tokenizer(card)
    (wan / "vae/config.json").write_bytes((qwen / "vae/config.json").read_bytes())
    with pytest.raises(TokenizerError, match="is the config of AutoencoderKLHunyuanVideo"):
        build_tokenizer(card)


def test_without_weights_it_says_so() -> None:
    tokenizer = build_on_meta(load_cards()["wan2.1"])
    with pytest.raises(TokenizerError, match="has no weights yet"):
        tokenizer.encode(torch.zeros(1, 3, 5, 32, 32))


@pytest.mark.slow
@pytest.mark.thorough
def test_diffusers_runs_from_the_root_of_the_checkout() -> None:
    pytest.importorskip("transformers", reason="transformers isn't installed")
    code = (
        "import torch, transformers; from diffusers import AutoencoderKLWan as W;"
        "m = W(base_dim=4, z_dim=4, dim_mult=[1]*4, num_res_blocks=1, latents_mean=[0.]*4, latents_std=[1.]*4);"
        "print(tuple(m.decode(m.encode(torch.zeros(1, 3, 5, 32, 32)).latent_dist.mode()).sample.shape))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 3, 5, 32, 32)", done.stderr
