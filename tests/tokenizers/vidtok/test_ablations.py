"""The architectures of Table 2 and the quantizers of Table 3: sizes beside the published ones, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import TokenizerError, VideoTokenizer
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.model import VidTokModel
from toklab.tokenizers.vidtok.streaming import reconstruct_stream
from torch.utils.flop_counter import FlopCounterMode

ModelFactory = Callable[..., VidTokModel]

CARDS = load_cards()
ARCHITECTURES = ("fully_3d", "without_alphablender", "without_3d")
PUBLISHED = {
    "vidtok_ablation_1_fully_3d": (245, 16.98),
    "vidtok_ablation_2_without_alphablender": (142, 7.17),
    "vidtok_ablation_3_without_3d": (126, 10.18),
}
"""Parameters in millions, MACs in trillions: Table 2."""
QUANTIZED = {
    "vidtok_lfq_causal_488_262144": (69396372, 88387077, 0),
    "vidtok_vq_causal_488_262144": (69230472, 88221189, 262144 * 6),
}
"""Parameters of encoder, decoder and regularizer. Against FSQ with 6 channels: LFQ's 18 cost 12 × (27 × 512 + 1) in
the encoder's last convolution and 12 × 27 × 512 in the decoder's first; VQ's 6 cost nothing but the codebook."""


def count_parameters(tokenizer: VideoTokenizer) -> tuple[int, ...]:
    return tuple(sum(p.numel() for p in module.parameters()) for module in tokenizer.modules().values())


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_ablations_weigh_and_compute_what_table_2_prints(name: str) -> None:
    params_m, macs_t = PUBLISHED[name]
    tokenizer = build_on_meta(CARDS[name])
    with FlopCounterMode(display=False) as counter:
        video = torch.empty(1, 3, 17, 256, 256, device="meta")
        assert tokenizer.decode(tokenizer.encode(video)).shape == video.shape
    assert sum(count_parameters(tokenizer)) / 1e6 == pytest.approx(params_m, abs=1)
    assert counter.get_total_flops() / 2e12 == pytest.approx(macs_t, abs=0.005)


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantizers_change_the_ends_and_the_codebook_alone(name: str) -> None:
    tokenizer = build_on_meta(CARDS[name])
    assert count_parameters(tokenizer) == QUANTIZED[name]
    encoded = tokenizer.encode(torch.empty(1, 3, 17, 64, 64, device="meta"))
    assert encoded.codes[0].shape == (1, 5, 8, 8)


@pytest.mark.parametrize("name", [*PUBLISHED, *QUANTIZED])
def test_cards_run_at_a_small_width_and_say_that_their_weights_are_random(name: str) -> None:
    card = CARDS[name]
    assert "Table" in card.note
    assert card.checkpoint.random_seed == 0
    narrow: dict[str, Any] = {**card.parameters, "ch": 8, "num_res_blocks": 1}
    tokenizer = build_tokenizer(replace(card, parameters=narrow))
    assert "random" in tokenizer.spec.weights
    video = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    encoded = tokenizer.encode(video)
    reconstruction = tokenizer.decode(encoded)
    assert reconstruction.shape == video.shape
    if encoded.codes:
        torch.testing.assert_close(tokenizer.decode(replace(encoded, latents=None)), reconstruction)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_latents_and_frames_depend_on_no_later_frame(tiny_model: ModelFactory, architecture: str) -> None:
    model = tiny_model(architecture=architecture)
    video = torch.rand(1, 3, 17, 16, 16) * 2 - 1
    changed = video.clone()
    changed[:, :, 9:] = torch.rand(1, 3, 8, 16, 16)
    features, changed_features = model.encode(video), model.encode(changed)
    torch.testing.assert_close(features[:, :, :3], changed_features[:, :, :3])
    assert not torch.allclose(features[:, :, 3], changed_features[:, :, 3])
    latents = torch.randn(1, 4, 5, 2, 2)
    changed_latents = latents.clone()
    changed_latents[:, :, 3:] = 0
    whole, changed_whole = model.decode(latents), model.decode(changed_latents)
    assert whole.shape == video.shape
    torch.testing.assert_close(whole[:, :, :9], changed_whole[:, :, :9], atol=2e-5, rtol=1e-5)
    assert not torch.allclose(whole[:, :, 9], changed_whole[:, :, 9])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_streams_equal_the_whole(tiny_model: ModelFactory, architecture: str) -> None:
    model = tiny_model(architecture=architecture)
    video = torch.rand(1, 3, 25, 16, 16) * 2 - 1
    streamed = torch.cat(list(reconstruct_stream(model, video.split(5, 2), 8)), 2)
    torch.testing.assert_close(streamed, model.reconstruct(video), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_gradients_reach_every_weight(tiny_model: ModelFactory, architecture: str) -> None:
    model = tiny_model(architecture=architecture, use_checkpoint=True).train().requires_grad_(True)
    # The second convolution of a temporal block starts at zero, which hides the first one from the loss.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    video = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    model.reconstruct(video).square().mean().backward()
    unreached = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # The softmax of the attention cancels the bias of its keys.
    assert [name for name in unreached if not name.endswith("attn_1.k.conv.bias")] == []


def test_ablations_are_causal_networks_of_v1_0() -> None:
    given = {"z_channels": 4, "ch_mult": [1, 2], "time_downsample_factor": 2, "tempo_ds": [0], "tempo_us": [1]}
    with pytest.raises(TokenizerError, match="architecture fully_3d needs variant causal"):
        VidTokConfig.from_parameters(given | {"architecture": "fully_3d", "variant": "causal_v1_1"})
    with pytest.raises(TokenizerError, match="architecture must be one of vidtok, fully_3d"):
        VidTokConfig.from_parameters(given | {"architecture": "2d"})
