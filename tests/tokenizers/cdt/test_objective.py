"""The training objective: its terms, its gradients, and that it can be minimised."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.cdt.objective import CDTObjective
from torch.nn import functional as F


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.rand(2, 3, 5, 16, 16) * 2 - 1


@pytest.mark.parametrize("variant", ["base", "small"])
def test_gradients_reach_encoder_and_decoder(tiny_model, clip, variant) -> None:
    objective = CDTObjective(tiny_model(variant), kl_weight=0.0)
    objective(clip, 0)["total"].backward()
    without = [name for name, weight in objective.model.named_parameters() if weight.grad is None]
    assert without == []
    for part in (objective.model.compressor.enc, objective.model.compressor.dec, objective.model.denoiser):
        assert any(weight.grad is not None and weight.grad.any() for weight in part.parameters())


def test_the_total_is_the_weighted_sum(tiny_model, clip) -> None:
    objective = CDTObjective(tiny_model("small"), kl_weight=0.5, perceptual=F.l1_loss, perceptual_weight=2.0)
    terms = objective(clip, 0)
    assert set(terms) == {"total", "mse", "kl", "perceptual"}
    expected = terms["mse"] + 0.5 * terms["kl"] + 2.0 * terms["perceptual"]
    assert terms["total"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert set(CDTObjective(tiny_model("small"), kl_weight=0.5)(clip, 0)) == {"total", "mse", "kl"}


@pytest.mark.slow
def test_a_few_steps_reduce_the_loss(tiny_model, clip) -> None:
    objective = CDTObjective(tiny_model("small"), kl_weight=1e-6)
    optimizer = torch.optim.Adam(objective.trained_parameters(), 3e-3)
    losses = []
    for step in range(40):
        optimizer.zero_grad()
        loss = objective(clip, step)["total"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-8:]) < 0.7 * sum(losses[:8])
