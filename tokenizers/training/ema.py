"""An exponential moving average of a model's weights, which is what gets validated and shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages of every floating-point entry of a model's state dict; other entries are copies of the latest.

    Step n (from 0) takes the decay min(``decay``, (1 + n) / (10 + n)), so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float):
        self._model = model
        self.decay = decay
        self.averages = {name: value.detach().clone() for name, value in model.state_dict().items()}
        """State dict of the averaged model."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the model's weights after optimizer step ``step``, counted from 0."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in self._model.state_dict().items():
            if value.is_floating_point():
                self.averages[name].lerp_(value, weight)
            else:
                self.averages[name].copy_(value)

    def load(self, averages: Mapping[str, Tensor]) -> None:
        """Go on from averages of an earlier run of the same model."""
        for name, value in averages.items():
            self.averages[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the context the model has the averaged weights and is in evaluation mode."""
        own = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        training = {module: module.training for module in self._model.modules()}
        self._model.load_state_dict(self.averages)
        self._model.eval()
        try:
            yield
        finally:
            self._model.load_state_dict(own)
            for module, was_training in training.items():
                module.training = was_training
