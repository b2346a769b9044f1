"""The Gaussian posterior against torch.distributions and sampling statistics."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.networks.quantizers.kl import KLQuantizer, posterior_noise
from torch.distributions import Normal, kl_divergence


def test_kl_is_that_of_torch_distributions() -> None:
    features = torch.randn(3, 8, 2, 4, 5)
    mean, log_variance = features.chunk(2, 1)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).flatten(1).sum(1)
    quantization = KLQuantizer()(features)
    torch.testing.assert_close(quantization.kl_nats, expected)
    loss = KLQuantizer().loss_terms(features, quantization)["kl"]
    torch.testing.assert_close(loss, expected.mean())


def test_the_mode_is_the_mean_and_samples_have_the_posterior_spread() -> None:
    mean, deviation = 3.0, 0.5
    features = torch.full((1, 2, 1, 100, 100), mean)
    features[:, 1] = 2 * torch.log(torch.tensor(deviation))
    assert torch.equal(KLQuantizer()(features).latents, features[:, :1])
    sample = KLQuantizer()(features, torch.randn(1, 1, 1, 100, 100)).latents
    assert sample.mean().item() == pytest.approx(mean, abs=0.02)
    assert sample.std().item() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_seed_gives_the_same_noise_at_every_precision(dtype: torch.dtype) -> None:
    expected = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(5)
    noise = posterior_noise(torch.zeros(2, 3, 40, dtype=dtype))
    assert noise.dtype == dtype
    assert torch.equal(noise, expected.to(dtype))


def test_log_variance_is_clamped() -> None:
    features = torch.tensor([0.0, 1000.0]).view(1, 2, 1, 1, 1)
    sample = KLQuantizer()(features, torch.ones(1, 1, 1, 1, 1)).latents
    torch.testing.assert_close(sample.log(), torch.full_like(sample, 10.0))


def test_the_gradient_of_the_loss_is_that_of_torch_distributions() -> None:
    features = torch.randn(3, 8, 2, 3, 4, requires_grad=True)
    quantizer = KLQuantizer().train()
    mean, log_variance = features.chunk(2, 1)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum() / 3
    loss = quantizer.loss_terms(features, quantizer(features))["kl"]
    torch.testing.assert_close(torch.autograd.grad(loss, features), torch.autograd.grad(expected, features))
