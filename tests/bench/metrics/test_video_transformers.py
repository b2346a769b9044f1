from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from toklab.bench.metrics.video_transformers import (
    VIT_GIANT_14,
    VIT_HUGE_16,
    AttentivePooler,
    AttentiveProbe,
    Block,
    VideoMae,
    VideoTransformerSize,
    VJepaEncoder,
    sinusoids,
)
from torch import Tensor, nn

KINDS = ("weight", "bias")
TINY = VideoTransformerSize(width=12, depth=2, num_heads=3, mlp_width=20, patch=4, num_frames=4, side=8, num_classes=5)


def randomise(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return network.eval()


def reference_block(block: Block, tokens: Tensor) -> Tensor:
    """The same block by PyTorch's own layer."""
    width = tokens.shape[2]
    layer = nn.TransformerEncoderLayer(
        width, 3, 20, 0.0, activation="gelu", batch_first=True, norm_first=True, layer_norm_eps=1e-6
    ).eval()
    attention, bias = block.attn, block.attn.qkv.bias
    if attention.q_bias is not None and attention.v_bias is not None:
        bias = torch.cat([attention.q_bias, torch.zeros(width), attention.v_bias])
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": attention.qkv.weight,
            "self_attn.in_proj_bias": bias,
            "self_attn.out_proj.weight": attention.proj.weight,
            "self_attn.out_proj.bias": attention.proj.bias,
            **{f"linear{n}.{kind}": getattr(getattr(block.mlp, f"fc{n}"), kind) for n in (1, 2) for kind in KINDS},
            **{f"norm{n}.{kind}": getattr(getattr(block, f"norm{n}"), kind) for n in (1, 2) for kind in KINDS},
        }
    )
    return layer(tokens)


@pytest.mark.slow
@pytest.mark.parametrize("key_bias", [True, False])
def test_a_block_equals_pytorchs_own_layer(key_bias: bool) -> None:
    block = randomise(Block(TINY, key_bias=key_bias))
    tokens = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(1))
    assert isinstance(block, Block)
    torch.testing.assert_close(block(tokens), reference_block(block, tokens), atol=1e-5, rtol=1e-5)


def test_the_pooler_attends_from_one_query_to_all_tokens() -> None:
    pooler = AttentivePooler(TINY)
    randomise(pooler)
    tokens = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(1))
    block = pooler.cross_attention_block
    keys, values = block.xattn.kv(block.norm1(tokens)).chunk(2, dim=2)
    queries = block.xattn.q(pooler.query_tokens).expand(2, 1, 12)
    heads = []
    for start in range(0, 12, 4):
        part = slice(start, start + 4)
        weights = (queries[..., part] @ keys[..., part].transpose(1, 2) / math.sqrt(4)).softmax(dim=2)
        heads.append(weights @ values[..., part])
    pooled = pooler.query_tokens + block.xattn.proj(torch.cat(heads, dim=2))
    expected = pooled + block.mlp(block.norm2(pooled))
    torch.testing.assert_close(pooler(tokens), expected[:, 0], atol=1e-5, rtol=1e-5)
    assert pooler(tokens).shape == (2, 12)


def test_tokens_are_in_the_order_of_time_height_and_width() -> None:
    encoder = VJepaEncoder(TINY)
    randomise(encoder)
    video = torch.randn(1, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    tokens = encoder.patch_embed(video)
    last = (encoder.patch_embed.proj.weight * video[0, :, 2:4, 4:8, 0:4]).sum(dim=(1, 2, 3, 4))
    bias = encoder.patch_embed.proj.bias
    assert bias is not None
    torch.testing.assert_close(tokens[0, 6], last + bias, atol=1e-5, rtol=1e-5)
    assert encoder(video).shape == (1, 8, 12)
    assert TINY.grid == (2, 2, 2)


def test_positions_of_videomae_are_sines_and_cosines() -> None:
    table = sinusoids(9, 6)
    assert table.shape == (1, 9, 6)
    assert table[0, 5, 2].item() == pytest.approx(math.sin(5 / 10_000 ** (2 / 6)), abs=1e-6)
    assert table[0, 5, 3].item() == pytest.approx(math.cos(5 / 10_000 ** (2 / 6)), abs=1e-6)


@pytest.mark.parametrize("kind", [VJepaEncoder, VideoMae])
def test_tokens_get_their_positions_and_are_normalised_in_the_end(kind: type[VJepaEncoder] | type[VideoMae]) -> None:
    network = kind(TINY)
    randomise(network)
    network.blocks = nn.ModuleList()
    video = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    tokens = network.patch_embed(video)
    if isinstance(network, VJepaEncoder):
        expected = network.norm(tokens + network.pos_embed)
    else:
        expected = network.fc_norm((tokens + sinusoids(8, 12)).mean(dim=1))
    torch.testing.assert_close(network(video), expected, atol=1e-6, rtol=1e-6)


def num_block_parameters(size: VideoTransformerSize, num_biases: int) -> int:
    """Of attention with so many of its three biases, MLP and two normalisations."""
    attention = 4 * size.width**2 + (num_biases + 1) * size.width
    return attention + 2 * size.width * size.mlp_width + size.mlp_width + size.width + 4 * size.width


@pytest.mark.slow
def test_full_size_networks_have_the_published_sizes() -> None:
    with torch.device("meta"):
        encoder, classifier = VJepaEncoder(VIT_HUGE_16), VideoMae(VIT_GIANT_14)
    found = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    embedding = 3 * 2 * 16**2 * 1280 + 1280
    assert found == embedding + 32 * num_block_parameters(VIT_HUGE_16, 3) + 2 * 1280
    assert encoder.pos_embed.shape == (1, 1568, 1280)
    found = sum(p.numel() for p in classifier.parameters())
    embedding = 3 * 2 * 14**2 * 1408 + 1408
    ends = embedding + 2 * 1408 + 1408 * 174 + 174
    assert found == ends + 40 * num_block_parameters(VIT_GIANT_14, 2)
    # The papers say 630 and 1,013 million, the second with 710 classes.
    assert sum(p.numel() for p in encoder.blocks.parameters()) / 1e6 == pytest.approx(630, abs=1)
    assert (found + (710 - 174) * 1409) / 1e6 == pytest.approx(1013, abs=1)


def test_weights_of_another_size_are_refused() -> None:
    state = AttentiveProbe(TINY).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        AttentiveProbe(replace(TINY, num_classes=6)).load_state_dict(state)
