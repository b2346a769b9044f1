"""OmniTokenizer behind the tokenizer contract: lengths, sizes, noise, checkpoints."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toklab.tokenizers.baselines.omnitokenizer.adapter import OmniTokenizerTokenizer
from toklab.tokenizers.card import CheckpointSource
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import TokenizerError, VideoTokenizer

NAMES = ["omnitokenizer-tiny-vq", "omnitokenizer-tiny-vae"]


def build(name: str) -> VideoTokenizer:
    return build_tokenizer(load_cards()[name])


@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_are_padded_to_a_square(name: str) -> None:
    tokenizer = build(name)
    assert tokenizer.legal_shape(1, 20, 33) == (1, 48, 48)
    video = torch.rand(2, 3, 5, 20, 33) * 2 - 1
    edge = torch.nn.functional.pad(video, (0, 15, 0, 28, 0, 0), mode="replicate")
    result = tokenizer.decode(tokenizer.encode(video))
    assert result.shape == video.shape
    torch.testing.assert_close(result, tokenizer.decode(tokenizer.encode(edge))[:, :, :, :20, :33])


def test_codes_alone_can_be_decoded() -> None:
    tokenizer = build("omnitokenizer-tiny-vq")
    encoded = tokenizer.encode(torch.rand(1, 3, 5, 16, 16) * 2 - 1)
    assert encoded.bits == [2 * 2 * 2 * 8]
    torch.testing.assert_close(tokenizer.decode(replace(encoded, latents=None)), tokenizer.decode(encoded))


def test_only_the_position_encoding_of_time_looks_at_later_frames() -> None:
    """It does through the official reshape; without it the encoder is causal."""
    tokenizer = build("omnitokenizer-tiny-vae")
    assert isinstance(tokenizer, OmniTokenizerTokenizer)
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    changed = video.clone()
    changed[:, :, 5:] *= -1

    def first_latents(clip: torch.Tensor) -> torch.Tensor:
        latents = tokenizer.encode(clip).latents
        assert latents is not None
        return latents[:, :, :2]

    assert not torch.equal(first_latents(video), first_latents(changed))
    for name, parameter in tokenizer.model.encoder.enc_temporal_transformer.named_parameters():
        if "dsconv" in name:
            parameter.zero_()
    torch.testing.assert_close(first_latents(video), first_latents(changed), rtol=0, atol=1e-6)


def test_a_training_checkpoint_loads(tmp_path: Path) -> None:
    card = load_cards()["omnitokenizer-tiny-vq"]
    source = build_tokenizer(card)
    assert isinstance(source, OmniTokenizerTokenizer)
    extra = {f"{part}.weight": torch.zeros(2) for part in ("image_discriminator", "video_discriminator")}
    state = {**source.model.state_dict(), **extra, "perceptual_model.lin0.weight": torch.zeros(2)}
    content = {"state_dict": state, "hyper_parameters": Namespace(patch_size=8, spatial_pos="rope"), "epoch": 3}
    torch.save(content, tmp_path / "model.ckpt")
    own = replace(card, checkpoint=CheckpointSource(path="model.ckpt"), source=tmp_path / "card.toml")
    video = torch.rand(1, 3, 5, 16, 16) * 2 - 1
    loaded = build_tokenizer(own)
    assert torch.equal(loaded.decode(loaded.encode(video)), source.decode(source.encode(video)))


def test_another_models_checkpoint_is_refused() -> None:
    vae, vq = build("omnitokenizer-tiny-vae"), build("omnitokenizer-tiny-vq")
    assert isinstance(vq, OmniTokenizerTokenizer)
    with pytest.raises(TokenizerError, match=r"omnitokenizer-tiny-vae.*pre_vq_conv\.1"):
        vae.load_state(vq.model.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_block": "tx"}, "enc_block"),
        ({"heads": 0}, "at least 1"),
        ({"dim_head": 30}, "multiple of 4"),
        ({"depth": 3}, "unknown depth"),
        ({"patch_size": 4}, "spatial_compression 8, not 4"),
    ],
)
def test_wrong_parameters_are_named(change: dict[str, object], message: str) -> None:
    card = load_cards()["omnitokenizer-tiny-vq"]
    with pytest.raises(TokenizerError, match=message):
        OmniTokenizerTokenizer(card.spec, {**card.parameters, **change})
