"""CDT behind the interface: noise, settings, precision, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.cdt.adapter import CDTTokenizer
from toklab.tokenizers.cdt.sampler import ClipNoise
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerError
from torch.nn import functional as F

VARIANTS = ["base", "small"]


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.rand(2, 3, 5, 24, 16) * 2 - 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_any_length_and_size_comes_back(tiny_tokenizer, variant) -> None:
    tokenizer = tiny_tokenizer(variant)
    for shape in ((1, 3, 1, 8, 8), (1, 3, 6, 40, 56), (1, 3, 2, 9, 17)):
        encoded = tokenizer.encode(torch.rand(shape))
        result = tokenizer.decode(encoded)
        assert result.shape == shape
        assert result.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_noise_follows_from_each_clips_generator_alone(tiny_tokenizer, generators, clip, variant, steps) -> None:
    tokenizer = tiny_tokenizer(variant, steps=steps, eta=0.3 if steps > 1 else 0.0)
    both = tokenizer.decode(tokenizer.encode(clip, generators(1, 2)))
    assert torch.equal(both, tokenizer.decode(tokenizer.encode(clip, generators(1, 2))))
    encoded = tokenizer.encode(clip[1:], generators(2))
    torch.testing.assert_close(tokenizer.decode(encoded), both[1:], rtol=0, atol=2e-5)
    second = tokenizer.encode(clip, generators(1, 2)).select(1)
    torch.testing.assert_close(tokenizer.decode(second), both[1:], rtol=0, atol=2e-5)
    other = tokenizer.decode(tokenizer.encode(clip[1:], generators(3)))
    assert (other - both[1:]).abs().max() > 1e-3


@pytest.mark.slow
def test_without_generators_the_seed_decides(tiny_tokenizer, clip) -> None:
    first, again, other = (tiny_tokenizer("small", seed=seed) for seed in (0, 0, 1))
    result = first.decode(first.encode(clip))
    assert torch.equal(again.decode(again.encode(clip)), result)
    assert not torch.equal(other.decode(other.encode(clip)), result)


@pytest.mark.slow
def test_latents_alone_can_be_decoded(tiny_tokenizer, clip) -> None:
    tokenizer = tiny_tokenizer("small")
    encoded = tokenizer.encode(clip)
    assert torch.equal(tokenizer.decode(replace(encoded, noise_seeds=())), tokenizer.decode(encoded))
    with pytest.raises(TokenizerError, match="has none"):
        tokenizer.decode(Encoded(num_frames=5, height=24, width=16))


def test_noise_is_standard_normal_and_the_same_in_any_cut() -> None:
    whole = ClipNoise([4, 5], 24, 32, torch.device("cpu"))(0, 9)
    cut = ClipNoise([4, 5], 24, 32, torch.device("cpu"))
    assert torch.equal(torch.cat([cut(0, 2), cut(0, 7)], 1), whole)
    assert whole.mean().abs() < 0.02
    assert abs(whole.std() - 1) < 0.02
    other = ClipNoise([4, 5], 24, 32, torch.device("cpu"))(1, 9)
    assert not torch.equal(other, whole)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_bfloat16_keeps_what_stands_next_to_the_latent_in_float32(tiny_tokenizer, generators, clip, variant) -> None:
    tokenizer = tiny_tokenizer(variant, precision="bfloat16")
    types = {name: value.dtype for name, value in tokenizer.model.state_dict().items()}
    kept = {name for name, dtype in types.items() if dtype == torch.float32}
    assert kept == {name for name in types if "quant_conv" in name or "time_mlp" in name}
    result = tokenizer.decode(tokenizer.encode(clip, generators(1, 2)))
    reference = tiny_tokenizer(variant)
    expected = reference.decode(reference.encode(clip, generators(1, 2)))
    assert F.mse_loss(result, expected) < 0.01 * expected.var()


def test_other_steps_are_another_cell() -> None:
    default = InferenceSettings()
    assert default.hash == InferenceSettings.from_mapping({"steps": "1", "eta": "0"}).hash
    assert InferenceSettings(steps=4).hash != default.hash
    assert InferenceSettings.from_mapping({"steps": "4", "eta": "0.5"}).label == "steps=4,eta=0.5"


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"steps": 0}, "at least 1"), ({"steps": 2, "eta": 1.5}, "between 0 and 1"), ({"eta": 0.5}, "more than one step")],
)
def test_settings_are_validated(settings, message) -> None:
    with pytest.raises(TokenizerError, match=message):
        InferenceSettings(**settings)


def test_settings_and_specs_it_cannot_honour_are_refused(tiny_tokenizer) -> None:
    with pytest.raises(TokenizerError, match="steps must lie between 1 and 8192"):
        tiny_tokenizer("small", steps=9000)
    with pytest.raises(TokenizerError, match="tile_size"):
        tiny_tokenizer("small", tile_size=64)
    card = load_cards()["cdt-tiny-small"]
    parameters = {"latent_dim": 16, "out_channels": 3, "space_down": [1, 1, 1, 0]}
    with pytest.raises(TokenizerError, match="latent_channels 4, not 16"):
        CDTTokenizer(replace(card.spec, latent_channels=4), parameters)
    for wrong, message in (
        ({"latent_dims": 16}, "unknown latent_dims"),
        ({"latent_dim": 16}, "missing out_channels"),
        (parameters | {"space_down": [1, 1, 1]}, "space_down needs 4 values"),
        (parameters | {"condition_times": 5}, "condition_times"),
        (parameters | {"sample_gamma": 0}, "sample_gamma"),
        (parameters | {"unet_dim": 0}, "unet_dim"),
    ):
        with pytest.raises(TokenizerError, match=message):
            CDTTokenizer(card.spec, wrong)


def test_weights_and_generators_must_be_there(tiny_tokenizer, generators, clip) -> None:
    empty = build_on_meta(load_cards()["cdt-small"])
    with pytest.raises(TokenizerError, match="no weights yet"):
        empty.encode(clip)
    with pytest.raises(TokenizerError, match="2 clips need as many noise generators, not 1"):
        tiny_tokenizer("small").encode(clip, generators(1))
