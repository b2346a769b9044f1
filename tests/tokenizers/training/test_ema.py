from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.training.ema import WeightAverage
from torch import nn


def test_averages_follow_their_recurrence_and_leave_the_model_as_it_was() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 0.5)
    expected = 1.0
    for step, value in enumerate((2.0, 4.0, 8.0)):
        with torch.no_grad():
            model.weight.fill_(value)
        model.num_batches_tracked.fill_(step)  # type: ignore[union-attr]
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        average.update(step)
    assert average.averages["weight"][0].item() == pytest.approx(expected)
    assert average.averages["num_batches_tracked"].item() == 2
    model.train()
    with average.applied():
        assert model.weight[0].item() == pytest.approx(expected)
        assert not model.training
    assert model.weight[0].item() == 8.0
    assert model.training
