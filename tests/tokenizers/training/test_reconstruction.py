"""VidTok's reconstruction loss against the sums of its official form."""

from __future__ import annotations

import pytest
import torch
from tiny_trainings import build_objective, clips, patch_terms
from toklab.tokenizers.training.adversary import adaptive_weight
from toklab.tokenizers.training.losses import ReconstructionTerms
from toklab.tokenizers.training.reconstruction import ReconstructionLoss
from torch import Tensor, nn


@pytest.fixture
def last_layer() -> nn.Parameter:
    return nn.Parameter(torch.ones(1))


def frame_errors(reconstruction: Tensor, clip: Tensor) -> Tensor:
    """A stand-in for LPIPS: one value a frame, (B · T,)."""
    return (reconstruction - clip).square().transpose(1, 2).flatten(0, 1).flatten(1).mean(1)


def test_the_likelihood_is_the_official_sum_over_the_values_of_a_frame(last_layer) -> None:
    clip, reconstruction = torch.rand(2, 2, 3, 5, 8, 6) * 2 - 1
    loss = ReconstructionLoss("likelihood", perceptual=lambda x, y: frame_errors(x, y).mean(), perceptual_weight=0.7)
    assert loss.log_variance is not None
    loss.log_variance.data.fill_(0.3)
    # Per value and frame, with the perceptual distance of a frame added to each of its values.
    x, y = (video.transpose(1, 2).flatten(0, 1) for video in (clip, reconstruction))
    values = (x - y).abs() + 0.7 * frame_errors(reconstruction, clip)[:, None, None, None]
    expected = (values / torch.tensor(0.3).exp() + 0.3).sum() / len(x)
    terms = loss(reconstruction, clip, last_layer)
    torch.testing.assert_close(terms["total"], expected)
    (gradient,) = torch.autograd.grad(terms["total"], loss.log_variance)
    torch.testing.assert_close(gradient, (1 - values / torch.tensor(0.3).exp()).sum() / len(x))


def test_the_learned_variance_starts_at_one_and_is_part_of_state_and_training() -> None:
    objective = build_objective("vidtok-kl", patch_terms(), reconstruction="likelihood")
    state = objective.state_dict()
    assert state["reconstruction_loss.log_variance"].item() == 0
    assert any(parameter.ndim == 0 for parameter in objective.trained_parameters())
    plain = build_objective("vidtok-kl", patch_terms())
    assert not any("log_variance" in name for name in plain.state_dict())


@pytest.mark.parametrize("family", ["vidtok-kl", "vidtok-fsq", "progressive-4x"])
def test_the_adversarial_term_is_added_with_its_adaptive_weight(family: str) -> None:
    terms = patch_terms()
    objective = build_objective(family, terms, reconstruction="likelihood")
    losses = objective(clips(0, 0), 0)
    weight = terms.values["adaptive_weight"]
    expected = losses["likelihood"] + 0.2 * weight * terms.values["adversarial"]
    expected += losses["regularization"] if "vidtok" in family else 1e-6 * losses["kl"]
    torch.testing.assert_close(losses["total"].detach(), expected)
    # The weight is that of the formula, with gradients through the networks as they are.
    torch.manual_seed(0)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def adversarial(reconstruction: Tensor, clip: Tensor, error: Tensor, last_layer: nn.Parameter) -> Tensor:
        value = terms.terms["adversarial"].loss(reconstruction, clip)
        norms = [torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm() for loss in (error, value)]
        seen.append((norms[0] / (norms[1] + 1e-4), adaptive_weight(error, value, reconstruction, last_layer), value))
        return value

    build_objective(family, terms, reconstruction="likelihood", adversarial=adversarial)(clips(0, 0), 0)
    torch.testing.assert_close(seen[0][1], seen[0][0].clamp(max=1e4), rtol=1e-4, atol=0.0)


def test_before_its_start_the_adversarial_term_is_zero_and_the_discriminator_at_rest() -> None:
    terms = patch_terms(start=3)
    objective = build_objective("vidtok-kl", terms)
    losses = objective(clips(0, 0), 0)
    assert "adversarial" not in terms.values
    assert terms.adversary is not None
    assert terms.adversary.discriminator_loss() is None
    expected = losses["l1"] + losses["perceptual"] + losses["regularization"]
    torch.testing.assert_close(losses["total"].detach(), expected)
    terms.step = 3
    objective(clips(0, 0), 3)
    assert terms.adversary.discriminator_loss() is not None


def test_terms_apart_are_the_terms_together() -> None:
    terms = patch_terms(adaptive=False)
    reconstruction, clip = clips(0, 0), clips(1, 0)
    together = ReconstructionTerms.forward(terms, reconstruction, clip)
    apart = terms.perceptual(reconstruction, clip)
    apart = apart + terms.adversarial(reconstruction, clip, apart, nn.Parameter(torch.ones(1)))
    torch.testing.assert_close(apart, together)
    assert terms.values.keys() == {"square", "adversarial"}
