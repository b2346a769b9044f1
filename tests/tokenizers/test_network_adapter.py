"""What every adapter of a trained network takes from its base: weights, precision, agreement, the regularizer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from toklab.tokenizers.card import config_from
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerError, TokenizerSpec
from toklab.tokenizers.network_adapter import NetworkTokenizer
from toklab.tokenizers.networks.quantizers.fsq import FSQuantizer
from toklab.tokenizers.networks.quantizers.interface import Quantizer
from toklab.tokenizers.networks.quantizers.kl import KLQuantizer
from torch import Tensor, nn


@dataclass(frozen=True)
class PointwiseConfig:
    channels: int = 2

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> PointwiseConfig:
        return config_from(cls, parameters, "Pointwise")

    @property
    def spec_fields(self) -> dict[str, Any]:
        return {"temporal_compression": 1, "spatial_compression": 1, "latent_channels": self.channels}


class Pointwise(nn.Module):
    def __init__(self, config: PointwiseConfig, moments: int):
        super().__init__()
        self.encoder = nn.Conv3d(3, moments * config.channels, 1)
        self.decoder = nn.Conv3d(config.channels, 3, 1)


class PointwiseTokenizer(NetworkTokenizer[PointwiseConfig, Pointwise]):
    config_type = PointwiseConfig

    def _build(self) -> Pointwise:
        return Pointwise(self.config, 2 if self.spec.regularizer == "kl" else 1)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {name.replace("first.", "encoder."): value for name, value in checkpoint.items()}

    @property
    def regularizer(self) -> Quantizer:
        return KLQuantizer() if self.spec.regularizer == "kl" else FSQuantizer([5] * self.config.channels)

    def modules(self) -> dict[str, nn.Module]:
        return {"encoder": self.model.encoder, "decoder": self.model.decoder}

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return self._encoded(self.model.encoder(self._with_weights(video)), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self.model.decoder(self._latents(encoded).to(self.dtype))


def pointwise(settings: InferenceSettings | None = None, *, channels: int = 2, **spec: Any) -> PointwiseTokenizer:
    facts = {"regularizer": "kl", "latent_channels": 2, "temporal_compression": 1, "spatial_compression": 1} | spec
    named = TokenizerSpec(name="pointwise", title="Pointwise", family="test", causal=True, **facts)
    return PointwiseTokenizer(named, {"channels": channels}, settings)


CLIP = torch.linspace(-1, 1, 3 * 2 * 4 * 4).view(1, 3, 2, 4, 4)


def test_without_weights_it_says_so() -> None:
    bare = pointwise()
    with pytest.raises(TokenizerError, match="pointwise has no weights yet"):
        bare.encode(CLIP)
    codes = Encoded(codes=(torch.zeros(1, 2, 4, 4, dtype=torch.int64),), num_frames=2, height=4, width=4)
    with pytest.raises(TokenizerError, match="pointwise has no weights yet"):
        pointwise(regularizer="fsq").decode(codes)


def test_a_seed_decides_every_weight_and_the_rest_of_the_program_draws_as_before() -> None:
    first, again, other = pointwise(), pointwise(), pointwise()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first.init_random(0)
    assert torch.equal(torch.rand(3), expected)
    again.init_random(0)
    other.init_random(1)
    assert torch.equal(first.model.encoder.weight, again.model.encoder.weight)
    assert not torch.equal(first.model.encoder.weight, other.model.encoder.weight)
    assert other.spec.weights == "random (seed 1)"
    assert not any(p.requires_grad for p in first.model.parameters())
    assert not first.model.training


def test_a_checkpoint_loads_under_its_own_names_and_without_what_a_training_leaves() -> None:
    source, target = pointwise(), pointwise(InferenceSettings(precision="bfloat16"))
    source.init_random(0)
    state = {name.replace("encoder.", "first._orig_mod."): v.half() for name, v in source.model.state_dict().items()}
    target.load_state(state | {"loss.weight": torch.zeros(3), "model_ema.decay": torch.zeros(())})
    assert {p.dtype for p in target.model.parameters()} == {torch.bfloat16}
    torch.testing.assert_close(target.model.encoder.weight.float(), source.model.encoder.weight, atol=1e-2, rtol=0)
    assert target.decode(target.encode(CLIP)).dtype == torch.float32


def test_tensors_of_another_model_are_named() -> None:
    state = pointwise().model.state_dict()
    wrong = {"encoder.weight": torch.zeros(1), "encoder.bias": state["encoder.bias"], "head": torch.zeros(1)}
    with pytest.raises(TokenizerError) as caught:
        pointwise().load_state(wrong)
    assert str(caught.value) == (
        "pointwise: the checkpoint is of another model: tensors 2 missing (decoder.bias, decoder.weight); "
        "1 unexpected (head); 1 of another shape (encoder.weight (1,) instead of (4, 3, 1, 1, 1))"
    )


def test_a_spec_that_says_something_else_is_refused() -> None:
    with pytest.raises(TokenizerError, match="spec says: spatial_compression 8, not 1; latent_channels 2, not 3"):
        pointwise(channels=3, spatial_compression=8)


def test_posteriors_are_sampled_where_the_settings_say_so_by_the_generator_of_each_clip() -> None:
    mode, sampled = pointwise(), pointwise(InferenceSettings(posterior="sample"))
    for tokenizer in (mode, sampled):
        tokenizer.init_random(0)
    clips = torch.cat([CLIP, -CLIP])

    def latents(tokenizer: PointwiseTokenizer, clips: Tensor, *seeds: int) -> tuple[Tensor, Tensor]:
        encoded = tokenizer.encode(clips, [torch.Generator().manual_seed(seed) for seed in seeds])
        assert encoded.latents is not None
        assert encoded.kl_nats is not None
        return encoded.latents, encoded.kl_nats

    expected, divergences = latents(mode, clips, 1, 2)
    both, sampled_divergences = latents(sampled, clips, 1, 2)
    assert not torch.allclose(both, expected)
    torch.testing.assert_close(sampled_divergences, divergences)
    torch.testing.assert_close(latents(sampled, clips[1:], 2)[0], both[1:])
    assert not torch.allclose(latents(sampled, clips[1:], 3)[0], both[1:])


def test_codes_alone_give_what_latents_give() -> None:
    tokenizer = pointwise(regularizer="fsq")
    tokenizer.init_random(0)
    encoded = tokenizer.encode(CLIP)
    assert encoded.codebook_sizes == (25,)
    codes = Encoded(codes=encoded.codes, num_frames=2, height=4, width=4)
    torch.testing.assert_close(tokenizer.decode(codes), tokenizer.decode(encoded))


def test_an_encoding_without_latents_and_codes_is_refused() -> None:
    tokenizer = pointwise()
    tokenizer.init_random(0)
    with pytest.raises(TokenizerError, match="decodes latents or codes, and this encoding has none"):
        tokenizer.decode(Encoded(bitstreams=(b"",), num_frames=2, height=4, width=4))


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["vidtok-small-lfq-262144", "vidtok-small-vq-4096", "omnitokenizer-tiny-vq"])
def test_features_that_are_not_finite_show_in_the_reconstruction_although_they_have_codes(
    name: str, value: float
) -> None:
    tokenizer = build_tokenizer(load_cards()[name])
    assert isinstance(tokenizer, NetworkTokenizer)
    video = torch.zeros(2, 3, 5, 32, 32)
    assert tokenizer.decode(tokenizer.encode(video)).isfinite().all()
    *_, bias = (weight for name, weight in tokenizer.modules()["encoder"].named_parameters() if name.endswith("bias"))
    bias[:] = value
    encoded = tokenizer.encode(video)
    assert all((codes >= 0).all() for codes in encoded.codes)
    assert tokenizer.decode(encoded).isnan().any(dim=(1, 2, 3, 4)).all()
