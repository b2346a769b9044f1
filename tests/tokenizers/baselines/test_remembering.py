"""LeanVAE and WF-VAE in chunks that remember the past, as their official codes take long clips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from ported_tokenizers import clip
from toklab.tokenizers.baselines.leanvae.adapter import LeanVAETokenizer
from toklab.tokenizers.baselines.remembering import RememberingTokenizer
from toklab.tokenizers.baselines.wfvae.adapter import WFVAETokenizer
from toklab.tokenizers.baselines.wfvae.config import LEVEL_1
from toklab.tokenizers.golden import golden_tokenizer
from toklab.tokenizers.interface import FrameRule, InferenceSettings, TokenizerError
from toklab.tokenizers.networks.memory import Memory
from toklab.tokenizers.streaming import join_encoded

LEANVAE: dict[str, Any] = {
    "latent_dim": 4,
    "embedding_dim": 24,
    "l_dim": 8,
    "h_dim": 16,
    "sep_num_layer": 1,
    "fusion_num_layer": 1,
}
WFVAE: dict[str, Any] = {
    "latent_dim": 4,
    "base_channels": 8,
    "encoder_num_resblocks": 1,
    "decoder_num_resblocks": 1,
    "encoder_energy_flow_hidden_size": 4,
    "decoder_energy_flow_hidden_size": 4,
}
BLOCKS = ("l1_dowmsample_block", "l1_downsample_wavelet", "l1_upsample_block", "l1_upsample_wavelet")
EIGHTFOLD = dict(zip(BLOCKS, LEVEL_1["8x8x8"], strict=True))
NETWORKS: dict[str, tuple[type[RememberingTokenizer[Any, Any]], dict[str, Any]]] = {
    "LeanVAE": (LeanVAETokenizer, LEANVAE),
    "WF-VAE": (WFVAETokenizer, WFVAE),
    "WF-VAE nearest": (WFVAETokenizer, WFVAE | {"t_interpolation": "nearest"}),
    "WF-VAE 8x8x8": (WFVAETokenizer, WFVAE | EIGHTFOLD),
    "WF-VAE 8x8x8 nearest": (WFVAETokenizer, WFVAE | EIGHTFOLD | {"t_interpolation": "nearest"}),
}


def built(network: str, settings: InferenceSettings | None = None, **changes: Any) -> RememberingTokenizer[Any, Any]:
    kind, parameters = NETWORKS[network]
    spec = golden_tokenizer(kind, parameters | changes, "a-tokenizer").spec
    spec = replace(spec, frame_rule=FrameRule(spec.temporal_compression, 1), size_multiple=8)
    tokenizer = kind(spec, parameters | changes, settings)
    tokenizer.init_random(0)
    return tokenizer


@pytest.mark.slow
@pytest.mark.sampled(5)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("num_chunk_latents", [1, 2])
def test_chunks_give_what_the_whole_clip_gives(network: str, num_chunk_latents: int) -> None:
    whole = built(network)
    step = whole.spec.temporal_compression
    chunk_frames = num_chunk_latents * step
    chunked = built(network, InferenceSettings(chunk_frames=chunk_frames, chunk_mode="official"))
    for num_frames in (1, 1 + step, 1 + 2 * step, 4 + 3 * step, 1 + 5 * step):
        video = clip(1, 3, num_frames, 16, 8)
        expected = whole.encode(video)
        pieces = list(chunked.encode_stream(video.split(5, 2)))
        assert len(pieces) == max(1, -(-(num_frames - 1) // chunk_frames))
        joined = join_encoded(pieces).latents
        assert expected.latents is not None
        assert joined is not None
        torch.testing.assert_close(joined, expected.latents, atol=2e-6, rtol=1e-5)
        decoded = torch.cat(list(chunked.decode_stream(pieces)), 2)
        torch.testing.assert_close(decoded, whole.decode(expected), atol=5e-6, rtol=1e-5)


@pytest.mark.parametrize("network", ["LeanVAE", "WF-VAE"])
def test_chunks_of_other_lengths_are_refused(network: str) -> None:
    with pytest.raises(TokenizerError, match="chunk_frames must be a multiple of 4, not 6"):
        built(network, InferenceSettings(chunk_frames=6))


def test_group_norms_over_the_clip_take_no_chunks() -> None:
    with pytest.raises(TokenizerError, match="its group norms are over the whole clip"):
        built("WF-VAE", InferenceSettings(chunk_frames=4), norm_type="groupnorm", num_groups=4)


def test_a_memory_holds_no_more_than_layers_will_see_again() -> None:
    memory, layer = Memory(), torch.nn.Identity()
    memory.hold(layer, torch.zeros(1, 2, 100)[..., -2:])
    held = memory.held(layer)
    assert held is not None
    assert held.untyped_storage().nbytes() == 4 * held.numel()
    memory.ends = True
    memory.hold(layer, torch.zeros(1))
    assert memory.held(layer) is None
