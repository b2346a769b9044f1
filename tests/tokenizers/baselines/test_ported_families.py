"""What holds for every ported family: official names and sizes, lengths, batches, streams, samples, weights."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ported_tokenizers import TINY_CARDS, card_of, clip, on_meta, ported
from toklab.bench.catalog.complexity import count_multiply_adds
from toklab.tokenizers.baselines.cvvae.adapter import CVVAETokenizer
from toklab.tokenizers.baselines.cvvae.checkpoint import official_name
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.streaming import StreamingTokenizer, join_encoded

KEY_LISTS = {
    "cv-vae": "baselines/cvvae_sd",
    "cv-vae-v1.1": "baselines/cvvae_sd",
    "cv-vae-sd3": "baselines/cvvae_sd3",
    "omnitokenizer-vae": "baselines/omnitokenizer_vae",
    "omnitokenizer-vq": "baselines/omnitokenizer_vq",
    "open-magvit2-video": "baselines/open_magvit2_video",
    "opensora-plan-v1.2": "baselines/opensoraplan_v1_2",
    "opensora-v1.2": "baselines/opensora_v1_2",
    "leanvae-16chn": "baselines_2/leanvae_dim16",
    "leanvae-4chn": "baselines_2/leanvae_dim4",
    "taecvx": "baselines_2/taecvx",
    "taeh3": "baselines_2/taeh3",
    "taehv": "baselines_2/taehv",
    "taehv1_5": "baselines_2/taehv1_5",
    "taehv1_5_super": "baselines_2/taehv1_5_super",
    "taeltx2_3": "baselines_2/taeltx_2",
    "taeltx2_3_wide": "baselines_2/taeltx2_3_wide",
    "taeltx_2": "baselines_2/taeltx_2",
    "taeos1_3": "baselines_2/taehv",
    "taew2_1": "baselines_2/taehv",
    "taew2_2": "baselines_2/taew2_2",
    "taew2_2_super": "baselines_2/taew2_2_super",
    "wf-vae-l-16chn": "baselines_2/wfvae_l_16chn",
    "wf-vae-osp-v1.3": "baselines_2/wfvae_s_8chn_osp_v1_3",
    "wf-vae-osp-v1.5": "baselines_2/wfvae_m_32chn_888_osp_v1_5",
}
"""By card: the list of official names and shapes among the goldens."""

TERA_FLOPS = {
    "cv-vae": (5.675, 17.118),
    "cv-vae-sd3": (5.678, 17.109),
    "opensora-plan-v1.2": (5.214, 23.626),
    "opensora-v1.2": (6.796, 13.028),
}
"""By card: TFLOPs of encoder and decoder for 17 frames of 256 × 256 pixels, of official code."""

STREAMING = {
    "cv-vae-tiny-4chn": InferenceSettings(posterior="sample"),
    "cv-vae-tiny-16chn": InferenceSettings(posterior="sample"),
    "opensora-tiny": InferenceSettings(posterior="sample"),
    "opensora-plan-tiny": InferenceSettings(posterior="sample", chunk_frames=8, chunk_mode="official"),
}
"""Families whose chunks don't give what whole clips give, and settings for them."""

CHUNK_OF_OPENSORA = 17


def official_tensors(goldens: Path, keys: str) -> tuple[dict[str, list[int]], int]:
    """Shapes of an official state dict by name, and its number of parameters, from the list called ``keys``."""
    folder, _, model = keys.partition("/")
    if (stored := goldens / folder / f"{model}_keys.json").is_file():
        official = json.loads(stored.read_text())
        return official["state_dict"], official["params"]
    with (goldens / folder / f"{model}_keys.csv").open(newline="") as file:
        sides = {row["key"]: row["shape"].split("x") for row in csv.DictReader(file)}
    shapes = {key: [] if shape == ["scalar"] else list(map(int, shape)) for key, shape in sides.items()}
    return shapes, int(official_counts(goldens, keys)["params"])


def official_counts(goldens: Path, keys: str) -> dict[str, str]:
    """The row of a model in ``params_macs.csv``."""
    folder, _, model = keys.partition("/")
    with (goldens / folder / "params_macs.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["model"] == model]
    return row


@pytest.mark.goldens
@pytest.mark.parametrize("name", KEY_LISTS)
def test_tensors_have_the_official_names_and_shapes(shared: Path, name: str) -> None:
    tokenizer = on_meta(name)
    official, num_parameters = official_tensors(shared / "goldens", KEY_LISTS[name])
    state = {key: list(value.shape) for key, value in tokenizer.model.state_dict().items()}
    if isinstance(tokenizer, CVVAETokenizer):
        # Kernels of one position may be stored as matrices.
        state = {official_name(key, tokenizer.config): shape for key, shape in state.items()}
        assert all(set(shape[len(official[key]) :]) <= {1} for key, shape in state.items())
        state = {key: shape[: len(official[key])] for key, shape in state.items()}
    assert state == official
    of_modules = [p for module in tokenizer.modules().values() for p in module.parameters()]
    assert {p.device.type for p in of_modules} == {"meta"}
    assert sum(p.numel() for p in of_modules) == sum(p.numel() for p in tokenizer.model.parameters()) == num_parameters


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", TERA_FLOPS)
def test_operations_are_those_of_the_official_code(name: str) -> None:
    macs = count_multiply_adds(on_meta(name), 17, 256, 256)
    assert tuple(round(2 * count / 1e12, 3) for count in macs) == TERA_FLOPS[name]


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.goldens
@pytest.mark.parametrize("name", [name for name, keys in KEY_LISTS.items() if keys.startswith("baselines_2/")])
def test_operations_are_those_that_were_stored(shared: Path, name: str) -> None:
    official = official_counts(shared / "goldens", KEY_LISTS[name])
    encode, decode = count_multiply_adds(on_meta(name), int(official["frames_256x256"]), 256, 256)
    # LeanVAE's wavelets are convolutions there and sums here, and here the head of its posterior counts too.
    rel = 4e-4 if name.startswith("leanvae") else 0
    assert encode / 1e9 == pytest.approx(float(official["encode_GMAC"]), abs=0.006, rel=rel)
    assert decode / 1e9 == pytest.approx(float(official["decode_GMAC"]), abs=0.006, rel=rel)


def num_latents(name: str, num_frames: int) -> int:
    """Latent frames of a clip: four frames each, but for a first one; Open-Sora takes chunks without one."""
    if name != "opensora-tiny":
        return 1 + -(-(num_frames - 1) // 4)
    chunks = [min(CHUNK_OF_OPENSORA, num_frames - start) for start in range(0, num_frames, CHUNK_OF_OPENSORA)]
    return sum(-(-length // 4) for length in chunks)


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY_CARDS)
def test_as_many_frames_come_out_as_went_in(name: str) -> None:
    tokenizer = ported(name)
    for num_frames in (1, 2, 4, 5, 18, 22):
        encoded = tokenizer.encode(clip(1, 3, num_frames, 16, 16))
        video = tokenizer.decode(encoded)
        assert video.shape == (1, 3, num_frames, 16, 16)
        assert video.isfinite().all()
        assert encoded.latents is not None
        assert encoded.latents.shape == (1, tokenizer.spec.latent_channels, num_latents(name, num_frames), 2, 2)
    odd = clip(2, 3, 6, 20, 11)
    encoded = tokenizer.encode(odd)
    assert tokenizer.decode(encoded).shape == odd.shape
    assert (encoded.kl_nats is not None) == (tokenizer.spec.regularizer == "kl")
    assert encoded.kl_nats is None or encoded.kl_nats.shape == (2,)


@pytest.mark.parametrize("name", TINY_CARDS)
def test_clips_of_a_batch_do_not_see_each_other(name: str) -> None:
    tokenizer = ported(name)
    video = clip(2, 3, 5, 16, 16)
    both, second = tokenizer.encode(video), tokenizer.encode(video[1:])
    assert both.latents is not None
    assert second.latents is not None
    torch.testing.assert_close(both.latents[1:], second.latents, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokenizer.decode(both)[1:], tokenizer.decode(second), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", STREAMING)
def test_a_stream_gives_what_encode_and_decode_give(name: str) -> None:
    tokenizer = ported(name, STREAMING[name])
    assert isinstance(tokenizer, StreamingTokenizer)
    video = clip(1, 3, 37, 8, 8)
    encoded = tokenizer.encode(video, [torch.Generator().manual_seed(1)])
    pieces = list(tokenizer.encode_stream(video.split(5, 2), [torch.Generator().manual_seed(1)]))
    joined = join_encoded(pieces)
    assert joined.num_frames == 37
    assert joined.latents is not None
    assert encoded.latents is not None
    torch.testing.assert_close(joined.latents, encoded.latents)
    decoded = torch.cat(list(tokenizer.decode_stream(pieces)), 2)
    torch.testing.assert_close(decoded, tokenizer.decode(encoded), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in TINY_CARDS if load_cards()[name].spec.regularizer == "kl"])
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
def test_missing_and_foreign_weights_are_named(name: str) -> None:
    bare = on_meta(name)
    with pytest.raises(TokenizerError, match=f"{name} has no weights yet"):
        bare.encode(clip(1, 3, 1, 8, 8))
    with pytest.raises(TokenizerError, match=f"{name}: the checkpoint is of another model"):
        bare.load_state({"encoder.conv_in.weight": torch.zeros(1)})


# Torch has no average pooling of bfloat16 on CPUs, which Cosmos's network takes.
@pytest.mark.parametrize("name", [name for name in TINY_CARDS if not name.startswith("cosmos")])
def test_half_precision_is_honoured(name: str) -> None:
    tokenizer = ported(name, InferenceSettings(precision="bfloat16"))
    encoded = tokenizer.encode(clip(1, 3, 5, 8, 8))
    assert encoded.latents is not None
    assert encoded.latents.dtype == torch.bfloat16
    assert tokenizer.decode(encoded).dtype == torch.float32


@pytest.mark.parametrize("name", TINY_CARDS)
def test_a_spec_that_says_something_else_is_refused(name: str) -> None:
    card = card_of(name)
    with pytest.raises(TokenizerError, match=rf"{name}: .*temporal_compression 8, not 4"):
        build_on_meta(replace(card, spec=replace(card.spec, temporal_compression=8)))
