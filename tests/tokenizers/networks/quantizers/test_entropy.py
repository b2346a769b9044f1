from __future__ import annotations

import math

import pytest
import torch
from dense_entropies import all_codes, dense_entropies
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tensor_sizes import TensorSizes
from toklab.tokenizers.networks.quantizers import entropy
from toklab.tokenizers.networks.quantizers.entropy import codebook_entropies, product_entropies

LEVELS = st.lists(st.integers(2, 6), min_size=1, max_size=4)


def _grid(levels: list[int]) -> list[torch.Tensor]:
    return [torch.linspace(-1, 1, level, dtype=torch.float64) for level in levels]


def _features(num_positions: int, num_dimensions: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_positions, num_dimensions, generator=generator, dtype=torch.float64).requires_grad_()


@given(LEVELS, st.integers(1, 9), st.integers(0, 999), st.sampled_from([0.1, 1.0, 10.0, 100.0]))
@hypothesis_settings(max_examples=40)
def test_product_entropies_and_gradients_equal_the_dense_float64_reference(levels, num_positions, seed, temperature):
    values, features = _grid(levels), _features(num_positions, len(levels), seed)
    ours = product_entropies(features, values, temperature)
    dense = dense_entropies(2 * temperature * features @ all_codes(values).T)
    for got, expected in zip((ours.per_sample, ours.codebook), dense, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
        (gradient,) = torch.autograd.grad(got, features, retain_graph=True)
        (reference,) = torch.autograd.grad(expected, features, retain_graph=True)
        torch.testing.assert_close(gradient, reference, rtol=1e-8, atol=1e-10)


def test_float32_stays_near_the_float64_reference_at_the_published_temperature():
    values, features = _grid([8] * 4), _features(200, 4, 0).detach()
    ours = product_entropies(features.float(), values)
    per_sample, codebook = dense_entropies(200 * features @ all_codes(values).T)
    assert float(ours.per_sample) == pytest.approx(float(per_sample), abs=1e-5)
    assert float(ours.codebook) == pytest.approx(float(codebook), abs=1e-5)


def test_chunks_change_neither_values_nor_gradients(monkeypatch):
    values, features = _grid([4, 3, 5]), _features(50, 3, 1)
    whole = product_entropies(features, values, 1.0)
    expected = torch.autograd.grad(whole.per_sample - whole.codebook, features)
    monkeypatch.setattr(entropy, "CHUNK_ELEMENTS", 100)
    chunked = product_entropies(features, values, 1.0)
    torch.testing.assert_close(chunked.per_sample, whole.per_sample)
    torch.testing.assert_close(torch.autograd.grad(chunked.per_sample - chunked.codebook, features), expected)


def test_features_at_zero_are_assigned_evenly():
    entropies = product_entropies(torch.zeros(3, 4), [torch.tensor([-1.0, 1.0])] * 4)
    assert float(entropies.per_sample) == pytest.approx(math.log(16))
    assert float(entropies.codebook) == pytest.approx(math.log(16))


def test_the_floor_caps_the_entropy_of_a_codebook_of_more_than_100_000_codes():
    entropies = product_entropies(torch.zeros(3, 17), [torch.tensor([-1.0, 1.0])] * 17)
    assert float(entropies.per_sample) == pytest.approx(math.log(1e5), rel=1e-5)
    assert float(entropies.codebook) == pytest.approx(math.log(1e5), rel=1e-5)


def test_entropies_of_a_large_product_codebook_make_no_tensor_of_positions_times_codes():
    num_positions, values = 512, [torch.linspace(-1, 1, 8)] * 5
    features = torch.randn(num_positions, 5).requires_grad_()
    with TensorSizes() as sizes:
        entropies = product_entropies(features, values)
        (entropies.per_sample - entropies.codebook).backward()
    assert sizes.largest <= max(8**5, 2 * num_positions * 8**3)


@pytest.mark.parametrize("chunk_elements", [64, 2**21])
def test_entropies_over_any_codebook_equal_the_dense_float64_reference(monkeypatch, chunk_elements):
    monkeypatch.setattr(entropy, "CHUNK_ELEMENTS", chunk_elements)
    features, codebook = _features(13, 3, 2), _features(20, 3, 3)
    ours = codebook_entropies(features, codebook, 0.7)
    dense = dense_entropies(-0.7 * torch.cdist(features, codebook).square())
    for got, expected in zip((ours.per_sample, ours.codebook), dense, strict=True):
        torch.testing.assert_close(got, expected)
        gradients = torch.autograd.grad(got, (features, codebook), retain_graph=True)
        references = torch.autograd.grad(expected, (features, codebook), retain_graph=True)
        torch.testing.assert_close(gradients, references)
