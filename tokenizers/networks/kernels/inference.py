"""When the forms for inference on CPUs stand in for torch's own."""

from __future__ import annotations

import torch
from torch import Tensor


def infers_on_cpu(x: Tensor) -> bool:
    """Whether ``x`` is on a CPU, without gradients, compilation or mixed precision: there, memory is the limit."""
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )
