"""Stages against Wiener's estimate, whose errors are known in closed form, and against drawn signals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.tokenizers.cdt.schedule import signal_shares
from toklab.tokenizers.cdt.wiener import fit_stages, gain, optimal_errors, stage_errors

SHARES = signal_shares(8192).double()
LEVELS = SHARES[[0, 50, 200, 800, 2000, 4000, 6000, 8191]]
POWERS = torch.tensor([2.0, 0.4, 0.02, 0.005], dtype=torch.float64)
VARIANCES = torch.tensor([0.14, 0.03, 0.005, 0.001], dtype=torch.float64)


def test_the_least_errors_are_those_of_a_solved_system() -> None:
    for share, errors in zip(LEVELS, optimal_errors(VARIANCES, LEVELS), strict=True):
        for power, variance, error in zip(POWERS, VARIANCES, errors, strict=True):
            noisy_power = share * (power + variance) + 1 - share
            gram = torch.tensor([[noisy_power, share.sqrt() * power], [share.sqrt() * power, power]])
            moments = torch.tensor([share.sqrt() * (power + variance), power])
            least = power + variance - moments @ torch.linalg.solve(gram, moments)
            assert float(error) == pytest.approx(float(least), rel=1e-3, abs=1e-6)


def test_one_stage_is_the_best_estimate_of_components_that_lack_as_much() -> None:
    variances = torch.full((3,), 0.05, dtype=torch.float64)
    stages = fit_stages(POWERS[:3], variances, SHARES, 1)
    # The smallest gain lets some noise through.
    ratio = stage_errors(stages, POWERS[:3], variances, LEVELS) / optimal_errors(variances, LEVELS)
    assert float(ratio.max()) < 1.02


@settings(deadline=None, max_examples=5)
@given(st.lists(st.floats(1e-3, 0.3), min_size=2, max_size=8))
def test_no_stages_beat_the_best_estimate_and_two_come_near_it(values: list[float]) -> None:
    variances = torch.tensor(values, dtype=torch.float64)
    powers = torch.linspace(2, 0.01, len(values), dtype=torch.float64)
    ratio = stage_errors(fit_stages(powers, variances, SHARES, 2), powers, variances, LEVELS).sum(1)
    ratio = ratio / optimal_errors(variances, LEVELS).sum(1)
    assert float(ratio.min()) > 1 - 1e-9
    assert float(ratio.max()) < 1.3


def test_the_errors_of_stages_are_those_of_drawn_signals() -> None:
    stages = fit_stages(POWERS, VARIANCES, SHARES, 2)
    generator = torch.Generator().manual_seed(0)
    condition, lacking, noise = (torch.randn(20_000, 4, dtype=torch.float64, generator=generator) for _ in range(3))
    condition, lacking = condition * POWERS.sqrt(), lacking * VARIANCES.sqrt()
    for share, errors in zip(LEVELS, stage_errors(stages, POWERS, VARIANCES, LEVELS), strict=True):
        noisy = share.sqrt() * (condition + lacking) + (1 - share).sqrt() * noise
        estimate = condition
        for stage in stages:
            mixture = stage.noisy * noisy + stage.condition * estimate
            estimate = estimate + gain(stage.variance, share) * mixture
        drawn = (condition + lacking - estimate).square().mean(0)
        torch.testing.assert_close(drawn, errors, rtol=0.05, atol=1e-7)
