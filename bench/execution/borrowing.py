"""Borrowing a model that somebody else is using: whatever happens meanwhile, it is given back as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn

from .device import gpus_in_use


@contextmanager
def borrowed(networks: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Give the networks back as they were, on their devices, and the random generators too, also after an error.

    Restored are training modes, ``requires_grad``, gradients, the tensors that parameters and buffers hold, and the
    state of the generators of Python, NumPy and torch. Inside, automatic mixed precision is off.

    Args:
        networks: every network of the model; they may share parts.
        device: where the model is about to run.
    """
    # The generators come first, so that they are given back last.
    with _generators_as_before(), ExitStack() as undo:
        for network in networks:
            for module in network.modules():
                undo.callback(_restore_module, module, module.training, dict(module._parameters), dict(module._buffers))
            for parameter in network.parameters():
                undo.callback(_restore_parameter, parameter, parameter.data, parameter.grad, parameter.requires_grad)
        with torch.autocast(device.type, enabled=False):
            yield


def _restore_module(
    module: nn.Module,
    training: bool,
    parameters: dict[str, nn.Parameter | None],
    buffers: dict[str, torch.Tensor | None],
) -> None:
    module.training = training
    module._parameters.update(parameters)
    module._buffers.update(buffers)


def _restore_parameter(
    parameter: nn.Parameter, values: torch.Tensor, gradient: torch.Tensor | None, requires_grad: bool
) -> None:
    parameter.grad = None
    parameter.data = values
    parameter.grad = gradient
    parameter.requires_grad_(requires_grad)


@contextmanager
def _generators_as_before() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=gpus_in_use()):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
