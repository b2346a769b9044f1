"""Gradients in bfloat16 on CPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def sound_gradients(*, bfloat16_on_cpu: bool) -> Iterator[None]:
    """A context for backward passes.

    oneDNN (3.13, on processors with AVX-512) leaves gradients of 3-D convolutions' weights unset in bfloat16, and
    writes beyond its memory, where a clip has hardly more frames or pixels than the kernel. So torch's own kernels do
    the backward pass there.

    Args:
        bfloat16_on_cpu: whether the pass is one in bfloat16 on a CPU; otherwise nothing changes.
    """
    was_enabled = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = was_enabled and not bfloat16_on_cpu
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = was_enabled
