"""Training a base, a direct rival and a grown level."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toklab.tokenizers.progressive.config import ProgressiveConfig
from toklab.tokenizers.progressive.model import DirectModel, ProgressiveModel, build_model, grow
from toklab.tokenizers.progressive.objective import ProgressiveObjective

TrainModel = Callable[[ProgressiveModel | DirectModel, int], list[float]]


def small(**parameters: object) -> ProgressiveModel | DirectModel:
    return build_model(ProgressiveConfig.from_parameters({"ch": 8, "num_res_blocks": 1} | parameters))


def grown(ratio: int) -> ProgressiveModel:
    model = small()
    assert isinstance(model, ProgressiveModel)
    while model.config.ratio < ratio:
        model = grow(model)
    return model.requires_grad_(True)


@pytest.fixture
def train() -> TrainModel:
    """Trains on one clip for some steps and returns the loss of each."""

    def run(model: ProgressiveModel | DirectModel, num_steps: int) -> list[float]:
        objective = ProgressiveObjective(model).train()
        optimizer = torch.optim.Adam(objective.trained_parameters(), lr=2e-3)
        clip = torch.linspace(-0.8, 0.8, 17).view(1, 1, 17, 1, 1).expand(1, 3, -1, 8, 8)
        losses = []
        for step in range(num_steps):
            terms = objective(clip, step)
            optimizer.zero_grad()
            terms["total"].backward()
            optimizer.step()
            losses.append(terms["l1"].item())
        return losses

    return run


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"architecture": "direct", "ratio": 8}])
def test_everything_that_was_not_grown_learns(train: TrainModel, parameters: dict[str, object]) -> None:
    model = small(**parameters)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = train(model, 12)
    assert losses[-1] < losses[0]
    unchanged = [name for name, value in model.state_dict().items() if torch.equal(value, before[name])]
    assert not unchanged


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [8, 16])
def test_what_is_frozen_stays_frozen(train: TrainModel, ratio: int) -> None:
    model = grown(ratio)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = train(model, 30)
    assert sum(losses[-5:]) < sum(losses[:5])
    last = f"grow.{ratio}."
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith(last), name


def test_frozen_levels_stay_in_evaluation_mode_and_keep_no_activations() -> None:
    model = grown(16)
    objective = ProgressiveObjective(model).train()
    assert model.level(16).training
    assert not any(module.training for frozen in (model.base, model.level(8)) for module in frozen.modules())
    assert {id(p) for p in objective.trained_parameters()} == {id(p) for p in model.level(16).parameters()}
    assert not model.features(torch.zeros(1, 3, 17, 8, 8), 8).requires_grad
    assert model.features(torch.zeros(1, 3, 17, 8, 8), 16).requires_grad


def test_terms_add_up() -> None:
    def perceptual(reconstruction: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
        return (reconstruction - clip).square().mean()

    model = small()
    objective = ProgressiveObjective(model, kl_weight=0.5, perceptual=perceptual, perceptual_weight=2.0)
    clip = torch.rand(2, 3, 5, 8, 8)
    terms = objective(clip, 0)
    torch.testing.assert_close(terms["total"].detach(), terms["l1"] + 0.5 * terms["kl"] + 2.0 * terms["perceptual"])
    mean, log_variance = model.moments(clip).chunk(2, dim=1)
    expected = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    torch.testing.assert_close(terms["kl"], expected.detach())
