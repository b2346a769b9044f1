"""What holds for every ported KL autoencoder: goldens, sizes, lengths, streams, weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from ported_tokenizers import TINY_CARDS, PortedTokenizer, clip, ported
from safetensors import safe_open
from toklab.bench.catalog.complexity import count_multiply_adds
from toklab.bench.conformance.selftest import compare_golden
from toklab.tokenizers.baselines.cvvae.adapter import CVVAETokenizer
from toklab.tokenizers.baselines.cvvae.checkpoint import official_name
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.streaming import join_encoded

GOLDENS = ("cvvae_sd", "cvvae_sd3", "opensora_v1_2", "opensoraplan_v1_2")

FULL_SIZE = {
    "cv-vae": ("cvvae_sd", 182_446_475, 5.675, 17.118),
    "cv-vae-v1.1": ("cvvae_sd", 182_446_475, 5.675, 17.118),
    "cv-vae-sd3": ("cvvae_sd3", 181_892_515, 5.678, 17.109),
    "opensora-v1.2": ("opensora_v1_2", 393_341_007, 6.796, 13.028),
    "opensora-plan-v1.2": ("opensoraplan_v1_2", 239_189_991, 5.214, 23.626),
}
"""By card: key list, parameters, TFLOPs of encoder and decoder for 17 frames of 256 × 256 pixels, of official code."""


def on_meta(name: str) -> PortedTokenizer:
    if name.startswith("opensora-v"):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    tokenizer = build_on_meta(load_cards()[name])
    assert isinstance(tokenizer, PortedTokenizer)
    return tokenizer


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.parametrize("name", GOLDENS)
def test_outputs_equal_the_official_ones(shared: Path, name: str) -> None:
    if name.startswith("opensora_"):
        pytest.importorskip("diffusers", reason="the extra diffusers")
    folder = shared / "goldens" / "baselines" / name
    comparisons = list(compare_golden(folder))
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []
    with safe_open(folder / "io.safetensors", "pt") as stored:
        outputs = {f"io/{tensor}" for tensor in stored.keys() if not tensor.startswith("input")}  # noqa: SIM118
    assert {comparison.tensor for comparison in comparisons} == outputs


@pytest.mark.goldens
@pytest.mark.parametrize("name", FULL_SIZE)
def test_state_dict_has_the_official_names_and_shapes(shared: Path, name: str) -> None:
    tokenizer = on_meta(name)
    keys = f"{FULL_SIZE[name][0]}_keys.json"
    official = json.loads((shared / "goldens" / "baselines" / keys).read_text())["state_dict"]
    state = {key: list(value.shape) for key, value in tokenizer.model.state_dict().items()}
    if isinstance(tokenizer, CVVAETokenizer):
        state = {official_name(key, tokenizer.config): shape for key, shape in state.items()}
    assert state.keys() == official.keys()
    # Kernels of one position may be stored as matrices.
    assert all(shape[: len(official[key])] == official[key] for key, shape in state.items())
    assert all(set(shape[len(official[key]) :]) <= {1} for key, shape in state.items())


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", FULL_SIZE)
def test_parameters_and_operations_are_those_of_the_official_code(name: str) -> None:
    tokenizer = on_meta(name)
    _, num_parameters, encoder, decoder = FULL_SIZE[name]
    modules = tokenizer.modules()
    assert {p.device.type for module in modules.values() for p in module.parameters()} == {"meta"}
    assert sum(p.numel() for module in modules.values() for p in module.parameters()) == num_parameters
    assert sum(p.numel() for p in tokenizer.model.parameters()) == num_parameters
    macs = count_multiply_adds(tokenizer, 17, 256, 256)
    assert [round(2 * count / 1e12, 3) for count in macs] == [encoder, decoder]


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY_CARDS)
def test_as_many_frames_come_out_as_went_in(name: str) -> None:
    tokenizer = ported(name)
    for num_frames in range(1, 23):
        encoded = tokenizer.encode(clip(1, 3, num_frames, 8, 16))
        video = tokenizer.decode(encoded)
        assert video.shape == (1, 3, num_frames, 8, 16)
        assert video.isfinite().all()
        assert encoded.latents is not None
        assert encoded.latents.shape[:2] == (1, tokenizer.spec.latent_channels)
    odd = clip(2, 3, 6, 20, 11)
    encoded = tokenizer.encode(odd)
    assert tokenizer.decode(encoded).shape == odd.shape
    assert encoded.kl_nats is not None
    assert encoded.kl_nats.shape == (2,)


@pytest.mark.parametrize("name", TINY_CARDS)
def test_clips_of_a_batch_do_not_see_each_other(name: str) -> None:
    tokenizer = ported(name)
    video = clip(2, 3, 5, 16, 16)
    both, second = tokenizer.encode(video), tokenizer.encode(video[1:])
    assert both.latents is not None
    assert second.latents is not None
    torch.testing.assert_close(both.latents[1:], second.latents, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokenizer.decode(both)[1:], tokenizer.decode(second), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", TINY_CARDS)
@pytest.mark.parametrize("num_frames", [17, 37])
def test_a_stream_gives_what_encode_and_decode_give(name: str, num_frames: int) -> None:
    settings = InferenceSettings(posterior="sample")
    if name == "opensora-plan-tiny":
        settings = InferenceSettings(posterior="sample", chunk_frames=8, chunk_mode="official")
    tokenizer = ported(name, settings)
    video = clip(1, 3, num_frames, 8, 8)
    encoded = tokenizer.encode(video, [torch.Generator().manual_seed(1)])
    pieces = list(tokenizer.encode_stream(video.split(5, 2), [torch.Generator().manual_seed(1)]))
    joined = join_encoded(pieces)
    assert joined.num_frames == num_frames
    assert joined.latents is not None
    assert encoded.latents is not None
    torch.testing.assert_close(joined.latents, encoded.latents)
    decoded = torch.cat(list(tokenizer.decode_stream(pieces)), 2)
    torch.testing.assert_close(decoded, tokenizer.decode(encoded), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TINY_CARDS)
def test_samples_follow_the_generator(name: str) -> None:
    tokenizer = ported(name, InferenceSettings(posterior="sample"))
    video = clip(1, 3, 5, 8, 8)
    first, again, other = (tokenizer.encode(video, [torch.Generator().manual_seed(seed)]).latents for seed in (1, 1, 2))
    mode = ported(name).encode(video).latents
    assert first is not None
    assert again is not None
    assert other is not None
    assert mode is not None
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, mode)


@pytest.mark.parametrize("name", TINY_CARDS)
def test_seeds_decide_the_weights(name: str) -> None:
    tokenizer = ported(name)
    state = tokenizer.model.state_dict()
    tokenizer.init_random(0)
    assert all(torch.equal(value, state[key]) for key, value in tokenizer.model.state_dict().items())
    tokenizer.init_random(1)
    assert any(not torch.equal(value, state[key]) for key, value in tokenizer.model.state_dict().items())
    assert tokenizer.spec.weights.startswith("random (seed 1")


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY_CARDS)
def test_missing_and_foreign_weights_are_named(name: str) -> None:
    ported(name)
    bare = build_on_meta(load_cards()[name])
    with pytest.raises(TokenizerError, match=f"{name} has no weights yet"):
        bare.encode(clip(1, 3, 1, 8, 8))
    with pytest.raises(TokenizerError, match=f"{name}: the checkpoint is of another model"):
        bare.load_state({"encoder.conv_in.weight": torch.zeros(1)})


@pytest.mark.parametrize("name", TINY_CARDS)
def test_half_precision_is_honoured(name: str) -> None:
    tokenizer = ported(name, InferenceSettings(precision="bfloat16"))
    encoded = tokenizer.encode(clip(1, 3, 5, 8, 8))
    assert encoded.latents is not None
    assert encoded.latents.dtype == torch.bfloat16
    assert tokenizer.decode(encoded).dtype == torch.float32


@pytest.mark.parametrize("name", TINY_CARDS)
def test_a_spec_that_says_something_else_is_refused(name: str, tmp_path: Path) -> None:
    ported(name)
    card = load_cards()[name]
    text = card.source.read_text(encoding="utf-8").replace("temporal_compression = 4", "temporal_compression = 8")
    (tmp_path / "other.toml").write_text(text.replace(f'"{name}"', '"other"'))
    with pytest.raises(TokenizerError, match=r"other: .*temporal_compression 8, not 4"):
        build_on_meta(load_cards([tmp_path])["other"])
