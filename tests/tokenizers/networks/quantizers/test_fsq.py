"""Finite scalar quantization: closed forms, the round trip between codes and indices, and the official loss."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from toklab.tokenizers.networks.quantizers.fsq import FSQuantizer, bound, codes_to_indices, indices_to_codes, quantize

LEVELS = st.lists(st.integers(2, 9), min_size=1, max_size=5)


@pytest.mark.slow
@given(LEVELS)
def test_every_index_is_one_code_and_back(levels: list[int]) -> None:
    indices = torch.arange(math.prod(levels))
    codes = indices_to_codes(indices, levels)
    assert codes.abs().max() <= 1
    assert torch.equal(codes_to_indices(codes, levels), indices)
    assert len(codes.unique(dim=0)) == len(indices)


@given(LEVELS, st.integers(0, 2**31))
def test_quantized_features_are_codes_of_the_codebook(levels: list[int], seed: int) -> None:
    features = 3 * torch.randn(50, len(levels), generator=torch.Generator().manual_seed(seed))
    codes = quantize(features, levels)
    indices = codes_to_indices(codes, levels)
    assert indices.min() >= 0
    assert indices.max() < math.prod(levels)
    torch.testing.assert_close(indices_to_codes(indices, levels), codes, atol=0, rtol=0)


def test_eight_levels_are_the_published_ones() -> None:
    values = quantize(torch.linspace(-9, 9, 1000)[:, None], [8]).unique()
    assert values.tolist() == [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75]


def test_zero_is_bounded_to_zero_whatever_the_level_count() -> None:
    torch.testing.assert_close(bound(torch.zeros(1, 3), [5, 8, 2]), torch.zeros(1, 3), atol=1e-6, rtol=0)


def test_the_first_dimension_is_the_least_significant() -> None:
    assert codes_to_indices(torch.tensor([[1 / 2, -1.0], [-1.0, -3 / 4]]), [4, 8]).tolist() == [3, 4]


def test_gradients_pass_through_the_rounding() -> None:
    features = torch.zeros(1, 1, 1, 1, 1, requires_grad=True)
    FSQuantizer([5])(features).latents.sum().backward()
    assert features.grad is not None
    # d/dx tanh(x) · half_range / 2 at 0, with half_range = 4 · 1.001 / 2
    assert features.grad.item() == pytest.approx(4 * 1.001 / 2 / 2)


def test_low_precision_features_are_quantized_in_float32() -> None:
    features = torch.randn(1, 3, 2, 4, 4).bfloat16()
    low, high = FSQuantizer([8, 8, 8])(features), FSQuantizer([8, 8, 8])(features.float())
    assert low.latents.dtype == torch.bfloat16
    assert torch.equal(low.codes[0], high.codes[0])


def test_projections_have_keys_and_are_applied() -> None:
    quantizer = FSQuantizer([8, 5], dim=6)
    assert set(quantizer.state_dict()) == {
        f"project_{way}.{part}" for way in ("in", "out") for part in ("weight", "bias")
    }
    quantization = quantizer(torch.randn(2, 6, 1, 3, 3))
    assert quantization.latents.shape == (2, 6, 1, 3, 3)
    torch.testing.assert_close(quantizer.latents_of(quantization.codes), quantization.latents)
    assert FSQuantizer([8, 5]).state_dict() == {}


def test_commitment_is_the_distance_to_the_code() -> None:
    quantizer = FSQuantizer([3])
    features = torch.full((1, 1, 1, 1, 2), 2.0)
    quantization = quantizer(features)
    assert quantization.latents.unique().tolist() == [1.0]
    assert quantizer.loss_terms(features, quantization)["commitment"].item() == pytest.approx(1.0)


def test_one_level_is_no_quantizer() -> None:
    with pytest.raises(ValueError, match="at least 2 levels"):
        FSQuantizer([8, 1])


def test_the_gradient_is_that_of_the_bound() -> None:
    levels = [8, 5]
    features = torch.randn(6, 2, requires_grad=True)
    (through,) = torch.autograd.grad(quantize(features, levels).sum(), features)
    (bounded,) = torch.autograd.grad((bound(features, levels) / torch.tensor([4, 2])).sum(), features)
    torch.testing.assert_close(through, bounded)


def test_requiring_a_gradient_does_not_change_the_codes() -> None:
    features = torch.randn(100, 3)
    assert torch.equal(quantize(features.clone().requires_grad_(), [8, 8, 7]), quantize(features, [8, 8, 7]))


def test_the_entropy_weight_falls_linearly_from_three_times_its_value() -> None:
    quantizer = FSQuantizer([8] * 2)
    weights = [quantizer.loss_weights(step)["per_sample_entropy"] for step in (0, 1000, 2000, 9000)]
    assert weights == pytest.approx([0.3, 0.2, 0.1, 0.1])
    assert quantizer.loss_weights(0)["codebook_entropy"] == pytest.approx(-0.3)


@pytest.mark.goldens
def test_the_loss_equals_the_official_one(shared: Path) -> None:
    compared = 0
    for path in sorted((shared / "goldens" / "vidtok").glob("fsq_*/config.json")):
        config = json.loads(path.read_text())
        for case, facts in config["cases"].items():
            if "aux_loss_nsteps0" not in facts:
                continue
            features = load_file(path.parent / f"{case}.safetensors")["enc_out"]
            quantizer = FSQuantizer(**config["regularizer"]["params"]).train()
            quantization = quantizer(features)
            for step in (0, 1000, 5000):
                loss = float(quantizer.loss(features, quantization, step))
                assert loss == pytest.approx(facts[f"aux_loss_nsteps{step}"], abs=5e-7), (config["name"], case, step)
                compared += 1
    assert compared
