"""What all quantizers have in common."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tensor_sizes import TensorSizes
from toklab.tokenizers.networks.quantizers import vq
from toklab.tokenizers.networks.quantizers.factory import QUANTIZERS, build_quantizer

CHANNELS = 4
DISCRETE: list[tuple[str, dict[str, Any], int]] = [
    ("fsq", {"levels": [8, 8, 8, 5]}, 2560),
    ("fsq", {"levels": [3, 2], "dim": CHANNELS}, 6),
    ("lfq", {"num_bits": CHANNELS}, 16),
    ("lfq", {"num_bits": 10, "dim": CHANNELS}, 1024),
    ("vq", {"codebook_size": 2048, "dim": CHANNELS}, 2048),
    ("vq", {"codebook_size": 33, "dim": CHANNELS, "codebook_update": "ema"}, 33),
]
EVERY = [(name, parameters) for name, parameters, _ in DISCRETE] + [("kl", {}), ("ae", {})]


@pytest.mark.parametrize(("name", "parameters", "codebook_size"), DISCRETE)
@given(seed=st.integers(0, 999), batch_size=st.integers(1, 3), width=st.integers(1, 4))
@hypothesis_settings(max_examples=8)
def test_codes_give_the_latents_back(name, parameters, codebook_size, seed, batch_size, width):
    torch.manual_seed(seed)
    quantizer = build_quantizer(name, **parameters).eval()
    features = 2 * torch.randn(batch_size, CHANNELS, 2, 3, width)
    quantization = quantizer(features)
    (codes,) = quantization.codes
    assert quantizer.codebook_sizes == (codebook_size,)
    assert codes.shape == (batch_size, 2, 3, width)
    assert codes.dtype == torch.int64
    assert 0 <= int(codes.min()) <= int(codes.max()) < codebook_size
    assert torch.equal(quantizer.latents_of(quantization.codes), quantization.latents)


@pytest.mark.parametrize(("name", "parameters"), EVERY)
def test_evaluation_computes_no_loss(name, parameters):
    quantizer = build_quantizer(name, **parameters).eval()
    features = torch.randn(1, CHANNELS, 1, 8, 8)
    quantization = quantizer(features)
    state = {key: value.clone() for key, value in quantizer.state_dict().items()}
    with TensorSizes() as sizes:
        assert quantizer.loss_terms(features, quantization) == {}
        quantizer.update(features, quantization)
    assert sizes.operations == 0
    assert float(quantizer.loss(features, quantization, 0)) == 0
    assert all(torch.equal(quantizer.state_dict()[key], value) for key, value in state.items())


@pytest.mark.parametrize(("name", "parameters", "codebook_size"), DISCRETE)
def test_quantization_makes_no_tensor_of_positions_times_codes(name, parameters, codebook_size, monkeypatch):
    monkeypatch.setattr(vq, "CHUNK_ELEMENTS", 4096)
    num_positions = 1024
    quantizer = build_quantizer(name, **parameters).eval()
    features = torch.randn(1, CHANNELS, 1, 32, 32)
    with TensorSizes() as sizes:
        quantizer(features)
    assert sizes.largest <= max(4096, codebook_size * CHANNELS, num_positions * 10)


@pytest.mark.parametrize(("name", "parameters"), EVERY)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_training_gives_a_finite_loss_with_gradients_to_the_features(name, parameters, dtype):
    quantizer = build_quantizer(name, **parameters).train()
    features = torch.randn(2, CHANNELS, 1, 3, 3, dtype=dtype, requires_grad=True)
    quantization = quantizer(features)
    assert quantization.latents.dtype == dtype
    terms = quantizer.loss_terms(features, quantization)
    assert set(terms) == {term for term in quantizer.loss_weights(0) if term in terms}
    loss = quantizer.loss(features, quantization, 10)
    weights = quantizer.loss_weights(10)
    assert loss.dtype == torch.float32
    expected = sum(weights[term] * value.item() for term, value in terms.items())
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    (loss + quantization.latents.float().sum()).backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert features.grad.abs().sum() > 0


@pytest.mark.parametrize(("name", "parameters"), EVERY)
def test_shapes_are_known_without_data(name, parameters):
    with torch.device("meta"):
        quantizer = build_quantizer(name, **parameters).eval()
        features = torch.empty(2, CHANNELS, 5, 8, 6)
    quantization = quantizer(features)
    assert quantization.latents.is_meta
    assert quantization.latents.shape == (2, CHANNELS // 2 if name == "kl" else CHANNELS, 5, 8, 6)
    assert all(codes.shape == (2, 5, 8, 6) for codes in quantization.codes)


@pytest.mark.parametrize("name", ["kl", "ae"])
def test_continuous_latents_have_no_codes(name):
    with pytest.raises(TypeError, match="has no codes"):
        build_quantizer(name).latents_of([torch.zeros(1, 1, 1, 1)])


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"no quantizer 'pq'; there are: ae, fsq, kl, lfq, vq"):
        build_quantizer("pq")


@pytest.mark.parametrize("name", sorted(QUANTIZERS))
def test_an_unknown_parameter_is_named(name):
    known = {"fsq": {"levels": [2]}, "lfq": {"num_bits": 2}, "vq": {"codebook_size": 2, "dim": 2}}.get(name, {})
    with pytest.raises(ValueError, match=rf"quantizer '{name}': .*nonsense"):
        build_quantizer(name, **known, nonsense=1)
