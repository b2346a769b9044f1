"""What holds for WF-VAE, LeanVAE and TAEHV: goldens, official names, sizes, lengths, weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from ported_tokenizers import clip
from safetensors import safe_open
from toklab.bench.catalog.complexity import count_multiply_adds
from toklab.bench.conformance.selftest import compare_golden
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.network_adapter import NetworkTokenizer

GOLDENS = (
    *("wfvae", "wfvae_groupnorm", "leanvae"),
    *("taehv", "taehv_cogvideox", "taehv_h3", "taehv_ltx", "taehv_patch2"),
)
ROUNDING = 1e-5
"""Of the largest value: what a careful second implementation reaches, beyond the goldens' own tolerances."""
TINY_CARDS = ("wf-vae-tiny", "leanvae-tiny", "taehv-tiny")

FULL_SIZE = {
    "wf-vae-l-16chn": "wfvae_l_16chn",
    "wf-vae-osp-v1.3": "wfvae_s_8chn_osp_v1_3",
    "wf-vae-osp-v1.5": "wfvae_m_32chn_888_osp_v1_5",
    "leanvae-4chn": "leanvae_dim4",
    "leanvae-16chn": "leanvae_dim16",
    "taehv": "taehv",
    "taew2_1": "taehv",
    "taeos1_3": "taehv",
    "taecvx": "taecvx",
    "taew2_2": "taew2_2",
    "taehv1_5": "taehv1_5",
    "taew2_2_super": "taew2_2_super",
    "taehv1_5_super": "taehv1_5_super",
    "taeh3": "taeh3",
    "taeltx_2": "taeltx_2",
    "taeltx2_3": "taeltx_2",
    "taeltx2_3_wide": "taeltx2_3_wide",
}
"""By card: its name in the official lists."""


def on_meta(name: str) -> NetworkTokenizer[Any, Any]:
    tokenizer = build_on_meta(load_cards()[name])
    assert isinstance(tokenizer, NetworkTokenizer)
    return tokenizer


def tiny(name: str, settings: InferenceSettings | None = None) -> NetworkTokenizer[Any, Any]:
    tokenizer = build_tokenizer(load_cards()[name], settings)
    assert isinstance(tokenizer, NetworkTokenizer)
    return tokenizer


@pytest.mark.slow
@pytest.mark.goldens
@pytest.mark.parametrize("name", GOLDENS)
def test_outputs_equal_the_official_ones_to_rounding(shared: Path, name: str) -> None:
    folder = shared / "goldens" / "baselines_2" / name
    comparisons = list(compare_golden(folder))
    assert [str(one) for one in comparisons if not one.error <= min(one.tolerance, ROUNDING)] == []
    with safe_open(folder / "io.safetensors", "pt") as stored:
        outputs = {f"io/{tensor}" for tensor in stored.keys() if not tensor.startswith("input")}  # noqa: SIM118
    assert {comparison.tensor for comparison in comparisons} == outputs


@pytest.mark.goldens
@pytest.mark.parametrize("name", FULL_SIZE)
def test_state_dict_has_the_official_names_and_shapes(shared: Path, name: str) -> None:
    with (shared / "goldens" / "baselines_2" / f"{FULL_SIZE[name]}_keys.csv").open(newline="") as file:
        official = {row["key"]: row["shape"] for row in csv.DictReader(file)}
    state = on_meta(name).model.state_dict()
    assert {key: "x".join(map(str, value.shape)) or "scalar" for key, value in state.items()} == official


@pytest.mark.slow
@pytest.mark.sampled(5)
@pytest.mark.goldens
@pytest.mark.parametrize("name", FULL_SIZE)
def test_parameters_and_operations_are_those_of_the_official_code(shared: Path, name: str) -> None:
    with (shared / "goldens" / "baselines_2" / "params_macs.csv").open(newline="") as file:
        (official,) = [row for row in csv.DictReader(file) if row["model"] == FULL_SIZE[name]]
    tokenizer = on_meta(name)
    assert sum(p.numel() for p in tokenizer.model.parameters()) == int(official["params"])
    assert sum(p.numel() for module in tokenizer.modules().values() for p in module.parameters()) == int(
        official["params"]
    )
    encode, decode = count_multiply_adds(tokenizer, int(official["frames_256x256"]), 256, 256)
    # LeanVAE's wavelets are convolutions there and sums here, and here the head of its posterior counts too.
    rel = 4e-4 if name.startswith("leanvae") else 0
    assert encode / 1e9 == pytest.approx(float(official["encode_GMAC"]), abs=0.006, rel=rel)
    assert decode / 1e9 == pytest.approx(float(official["decode_GMAC"]), abs=0.006, rel=rel)


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY_CARDS)
def test_as_many_frames_come_out_as_went_in(name: str) -> None:
    tokenizer = tiny(name)
    for num_frames in range(1, 11):
        encoded = tokenizer.encode(clip(1, 3, num_frames, 8, 16))
        video = tokenizer.decode(encoded)
        assert video.shape == (1, 3, num_frames, 8, 16)
        assert video.isfinite().all()
        assert encoded.latents is not None
        assert encoded.latents.shape == (1, 4, 1 + -(-(num_frames - 1) // 4), 1, 2)
    odd = clip(2, 3, 6, 20, 11)
    assert tokenizer.decode(tokenizer.encode(odd)).shape == odd.shape


@pytest.mark.parametrize("name", TINY_CARDS)
def test_clips_of_a_batch_do_not_see_each_other(name: str) -> None:
    tokenizer = tiny(name)
    video = clip(2, 3, 5, 16, 16)
    both, second = tokenizer.encode(video), tokenizer.encode(video[1:])
    assert both.latents is not None
    assert second.latents is not None
    torch.testing.assert_close(both.latents[1:], second.latents, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokenizer.decode(both)[1:], tokenizer.decode(second), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", TINY_CARDS)
def test_half_precision_is_honoured(name: str) -> None:
    tokenizer = tiny(name, InferenceSettings(precision="bfloat16"))
    encoded = tokenizer.encode(clip(1, 3, 5, 8, 8))
    assert encoded.latents is not None
    assert encoded.latents.dtype == torch.bfloat16
    assert tokenizer.decode(encoded).dtype == torch.float32


@pytest.mark.parametrize("name", TINY_CARDS)
def test_missing_and_foreign_weights_are_named(name: str) -> None:
    bare = on_meta(name)
    with pytest.raises(TokenizerError, match=f"{name} has no weights yet"):
        bare.encode(clip(1, 3, 1, 8, 8))
    with pytest.raises(TokenizerError, match=f"{name}: the checkpoint is of another model"):
        bare.load_state({"encoder.conv_in.weight": torch.zeros(1)})


@pytest.mark.parametrize("name", ["wf-vae-tiny", "leanvae-tiny"])
def test_posteriors_are_sampled_where_the_settings_say_so(name: str) -> None:
    tokenizer = tiny(name, InferenceSettings(posterior="sample"))
    video = clip(1, 3, 5, 8, 8)
    first, again, other = (tokenizer.encode(video, [torch.Generator().manual_seed(seed)]).latents for seed in (1, 1, 2))
    mean = tiny(name).encode(video).latents
    assert first is not None
    assert mean is not None
    assert again is not None
    assert torch.equal(first, again)
    assert other is not None
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, mean)
