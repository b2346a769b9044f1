from __future__ import annotations

from typing import Any

import pytest
import torch
from toklab.tokenizers.networks.quantizers.kl import gaussian_kl, split_moments
from toklab.tokenizers.vidtok.objective import VidTokObjective


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.rand(2, 3, 5, 16, 16) * 2 - 1


def test_the_total_is_the_weighted_sum_of_the_terms(tiny_model, clip: torch.Tensor) -> None:
    model = tiny_model().train().requires_grad_(True)
    objective = VidTokObjective(
        model, perceptual=lambda x, y: (x - y).square().mean(), perceptual_weight=0.5, regularization_weight=3.0
    )
    terms = objective(clip, 0)
    weighted = terms["l1"] + 0.5 * terms["perceptual"] + 3.0 * terms["regularization"]
    assert terms["total"].item() == pytest.approx(weighted.item(), rel=1e-6)
    kl = gaussian_kl(*split_moments(model.encode(clip))).mean()
    assert terms["regularization"].item() == pytest.approx(1e-6 * kl.item(), rel=1e-5)


def test_posteriors_are_sampled_by_the_default_generator(tiny_model, clip: torch.Tensor) -> None:
    objective = VidTokObjective(tiny_model().train().requires_grad_(True))
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(objective(clip, 0)["l1"].item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    "regularizer",
    [
        {"kind": "kl"},
        {"kind": "fsq", "levels": [8, 8, 8, 8]},
        {"kind": "lfq", "num_bits": 4},
        {"kind": "vq", "codebook_size": 16, "dim": 4},
    ],
    ids=lambda regularizer: regularizer["kind"],
)
def test_gradients_reach_every_trained_weight(tiny_model, clip: torch.Tensor, regularizer: dict[str, Any]) -> None:
    model = tiny_model(double_z=regularizer["kind"] == "kl", regularizer=regularizer).train().requires_grad_(True)
    objective = VidTokObjective(model)
    objective(clip, 0)["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.trained_parameters())
    assert len(list(objective.trained_parameters())) == len(list(model.parameters()))


def test_a_fixed_encoder_gets_no_gradient_and_no_regularization(tiny_model, clip: torch.Tensor) -> None:
    model = tiny_model().train().requires_grad_(True)
    objective = VidTokObjective(model, train_encoder=False)
    terms = objective(clip, 0)
    terms["total"].backward()
    assert "regularization" not in terms
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
    assert set(objective.trained_parameters()) == set(model.decoder.parameters())


def test_codebooks_of_moving_averages_move_after_the_step(tiny_model, clip: torch.Tensor) -> None:
    regularizer = {"kind": "vq", "codebook_size": 16, "dim": 4, "codebook_update": "ema"}
    model = tiny_model(double_z=False, regularizer=regularizer).train().requires_grad_(True)
    objective = VidTokObjective(model)
    before = model.regularization.codebook.clone()
    objective(clip, 0)
    assert torch.equal(model.regularization.codebook, before)
    objective.after_step(0)
    assert not torch.equal(model.regularization.codebook, before)
