from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from toklab.tokenizers.networks.quantizers.lfq import LFQuantizer


@given(st.integers(1, 40), st.integers(0, 999))
@hypothesis_settings(max_examples=25)
def test_bits_are_signs_with_the_first_dimension_least_significant(num_bits, seed):
    features = torch.randn(1, num_bits, 1, 2, 3, generator=torch.Generator().manual_seed(seed))
    (codes,) = LFQuantizer(num_bits)(features).codes
    expected = sum(2**d * (features[:, d] > 0).long() for d in range(num_bits))
    assert torch.equal(codes, torch.as_tensor(expected))


def test_zero_counts_as_negative():
    out = LFQuantizer(2)(torch.tensor([0.0, 1e-9]).view(1, 2, 1, 1, 1))
    assert out.latents.flatten().tolist() == [-1, 1]
    assert out.codes[0].item() == 2


def test_the_gradient_passes_straight_through():
    features = torch.randn(2, 5, 1, 2, 2, requires_grad=True)
    weights = torch.randn_like(features)
    (gradient,) = torch.autograd.grad((LFQuantizer(5)(features).latents * weights).sum(), features)
    assert torch.equal(gradient, weights)


def test_the_gradient_of_tanh_leaves_the_bits_alone():
    features = torch.randn(2, 5, 1, 2, 2, requires_grad=True)
    weights = torch.randn_like(features)
    out = LFQuantizer(5, gradient="tanh")(features)
    assert torch.equal(out.latents, LFQuantizer(5)(features).latents)
    (gradient,) = torch.autograd.grad((out.latents * weights).sum(), features)
    torch.testing.assert_close(gradient, weights * (1 - torch.tanh(features.detach()) ** 2))


def test_an_unknown_gradient_is_refused():
    with pytest.raises(ValueError, match="identity, tanh, not 'relu'"):
        LFQuantizer(5, gradient="relu")  # type: ignore[arg-type]


def test_confident_features_pay_no_commitment_and_no_entropy():
    quantizer = LFQuantizer(3).train()
    codes = torch.arange(8).view(1, 2, 2, 2)
    features = quantizer.latents_of([codes])
    terms = quantizer.loss_terms(features, quantizer(features))
    assert float(terms["commitment"]) == 0
    assert float(terms["per_sample_entropy"]) == pytest.approx(0, abs=1e-6)
    assert float(terms["codebook_entropy"]) == pytest.approx(torch.tensor(8.0).log().item(), abs=1e-6)


@pytest.mark.parametrize("num_bits", [0, 63])
def test_indices_must_fit_an_integer(num_bits):
    with pytest.raises(ValueError, match="1 to 62 bits"):
        LFQuantizer(num_bits)
