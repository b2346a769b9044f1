"""The adversarial terms against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from toklab.tokenizers.training.adversary import Adversary, adaptive_weight
from toklab.tokenizers.training.errors import TrainingError
from torch import Tensor, nn
from torch.nn import functional as F


class Logits(nn.Module):
    """A discriminator of one weight: logits of (B, 3, T, H, W) are its red values times that."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, video: Tensor) -> Tensor:
        """(B, 1, T, H, W)."""
        return self.weight * video[:, :1]


def adversary_of_logits(**options: object) -> Adversary:
    adversary = Adversary(4, 0.005, **options)  # type: ignore[arg-type]
    adversary.discriminator = Logits()
    return adversary


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """A reconstruction and its clip."""
    return torch.randn(2, 3, 2, 3, 4), torch.randn(2, 3, 2, 3, 4)


def test_the_generators_loss_is_the_cross_entropy_of_mean_logits_with_real(pair) -> None:
    fake, clip = pair
    logits = (2 * fake[:, 0]).flatten(1).mean(1)
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    torch.testing.assert_close(adversary_of_logits(generator_logits="sample")(fake, clip), expected)
    logits = 2 * fake[:, 0]
    expected = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    torch.testing.assert_close(adversary_of_logits()(fake, clip), expected)


@pytest.mark.parametrize("loss", ["hinge", "non-saturating"])
def test_the_discriminators_loss_is_its_formula_with_lecam(pair, loss: str) -> None:
    fake, clip = pair
    adversary = adversary_of_logits(loss=loss)
    mean_real = mean_fake = 0.0
    for _ in range(3):
        adversary(fake, clip)
        found = adversary.discriminator_loss()
        real_logits, fake_logits = 2 * clip[:, 0], 2 * fake[:, 0]
        mean_real = 0.999 * mean_real + 0.001 * real_logits.mean()
        mean_fake = 0.999 * mean_fake + 0.001 * fake_logits.mean()
        lecam = (real_logits - mean_fake).clamp(min=0).square().mean()
        lecam += (mean_real - fake_logits).clamp(min=0).square().mean()
        if loss == "hinge":
            expected = 0.5 * ((1 - real_logits).clamp(min=0).mean() + (1 + fake_logits).clamp(min=0).mean())
        else:
            expected = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        torch.testing.assert_close(found, expected + 0.005 * lecam, rtol=1e-5, atol=1e-6)
    assert adversary.discriminator_loss() is None


def test_averages_of_lecam_are_in_the_state(pair) -> None:
    adversary = Adversary(4, discriminator="patch-2d", num_layers=1)
    fake, clip = (torch.cat([video] * 3, 3) for video in pair)
    adversary(fake.repeat(1, 1, 1, 1, 3), clip.repeat(1, 1, 1, 1, 3))
    adversary.discriminator_loss()
    other = Adversary(4, discriminator="patch-2d", num_layers=1)
    other.load_state_dict(adversary.state_dict())
    assert other.mean_real.item() == adversary.mean_real.item() != 0


def test_batches_of_one_step_share_the_step_of_the_averages(pair) -> None:
    fake, clip = pair
    means = []
    for number in (1, 4):
        adversary = adversary_of_logits()
        adversary.batches_a_step = number
        for _ in range(number):
            adversary(fake, clip)
            adversary.discriminator_loss()
        means.append(adversary.mean_real.item())
    assert means[1] == pytest.approx(means[0], rel=1e-3)


@pytest.mark.parametrize("factor", [1.0, 1e-4, 1e7])
def test_the_adaptive_weight_is_the_ratio_of_gradients(factor: float) -> None:
    last_layer = nn.Parameter(torch.randn(3, 5, dtype=torch.float32))
    features = torch.randn(5, 2 * 4 * 4)
    reconstruction = (last_layer @ features).view(1, 3, 2, 4, 4)
    error = factor * reconstruction.abs().mean()
    adversarial = F.softplus(-reconstruction[:, 0].mean())
    norms = [torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm() for loss in (error, adversarial)]
    expected = min(float(norms[0] / (norms[1] + 1e-4)), 1e4)
    weight = adaptive_weight(error, adversarial, reconstruction, last_layer)
    assert weight.item() == pytest.approx(expected, rel=1e-5)
    assert not weight.requires_grad
    assert math.isfinite(expected)


def test_an_adversarial_loss_without_gradient_has_the_largest_weight_and_a_frozen_layer_none() -> None:
    last_layer = nn.Parameter(torch.ones(3, 1))
    reconstruction = (last_layer * torch.ones(1, 8)).view(1, 3, 2, 2, 2)
    error = 1e3 * reconstruction.mean()
    assert adaptive_weight(error, 0 * reconstruction.sum(), reconstruction, last_layer).item() == 1e4
    with pytest.raises(TrainingError, match="last layer is trained"):
        adaptive_weight(error, error, reconstruction, last_layer.requires_grad_(False))
