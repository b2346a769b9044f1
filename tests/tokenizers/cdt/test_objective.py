"""The training objective: its terms, its gradients, and that it can be minimised."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.cdt.cache import FeatureCache
from toklab.tokenizers.cdt.model import channels_first, channels_last
from toklab.tokenizers.cdt.objective import CDTObjective, timestep_weights
from toklab.tokenizers.cdt.schedule import signal_shares
from toklab.tokenizers.errors import TokenizerError
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


@pytest.mark.parametrize("weighting", ["none", "min-snr"])
def test_each_term_is_that_of_its_formula(tiny_model, clip, weighting) -> None:
    model = tiny_model("small")
    objective = CDTObjective(model, kl_weight=1.0, snr_weighting=weighting, perceptual=F.l1_loss)
    torch.manual_seed(3)
    terms = objective(clip, 0)
    # The same numbers, drawn in the same order.
    torch.manual_seed(3)
    mean, log_variance = model.moments(clip).chunk(2, 1)
    latents = mean + log_variance.exp().sqrt() * torch.randn_like(mean)
    conditions = model.compressor.conditions(channels_last(latents), FeatureCache())
    steps = torch.randint(8192, (2,))
    shares = signal_shares(8192)[steps].view(2, 1, 1, 1, 1)
    noisy = shares.sqrt() * clip + (1 - shares).sqrt() * torch.randn_like(clip)
    predicted = channels_first(model.denoiser(channels_last(noisy), steps[:, None] / 8192, conditions, FeatureCache()))
    errors = torch.stack([F.mse_loss(*pair) for pair in zip(predicted, clip, strict=True)])
    ratios = signal_shares(8192) / (1 - signal_shares(8192))
    weights = ratios.clamp(1, 5) / ratios.clamp(1, 5).mean() if weighting == "min-snr" else torch.ones(8192)
    torch.testing.assert_close(terms["mse"], (weights[steps] * errors).mean())
    # Kingma and Welling 2014, appendix B.
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    torch.testing.assert_close(terms["kl"], divergence)
    torch.testing.assert_close(terms["perceptual"], F.l1_loss(predicted, clip))


def test_weights_follow_the_ratio_of_signal_to_noise_between_their_limits() -> None:
    assert torch.equal(timestep_weights(8192, "none", 1.0, 5.0), torch.ones(8192))
    weights = timestep_weights(8192, "min-snr", 1.0, 5.0)
    assert weights.mean().item() == pytest.approx(1, rel=1e-5)
    assert (weights[0] / weights[-1]).item() == pytest.approx(5, rel=1e-5)
    share = signal_shares(8192)[3000]
    assert (weights[3000] / weights[-1]).item() == pytest.approx((share / (1 - share)).item(), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"snr_weighting": "max-snr"}, "snr_weighting must be one of none, min-snr, not 'max-snr'"),
        ({"snr_low": 6.0}, "0 < low ≤ high, but are 6.0 and 5.0"),
        ({"snr_low": 0.0}, "0 < low ≤ high"),
    ],
)
def test_weightings_that_do_not_exist_are_refused(tiny_model, options, message) -> None:
    with pytest.raises(TokenizerError, match=message):
        CDTObjective(tiny_model("small"), kl_weight=0.0, **options)


@pytest.mark.thorough
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
