"""Float32 that is float32 on every GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .plugin_code import EXACT, float32_precision, set_float32_precision


@contextmanager
def exact_float32() -> Iterator[None]:
    """TF32 is off inside, whichever of torch's switches had allowed it; afterwards they are as before."""
    before = float32_precision(torch.backends)
    set_float32_precision(torch.backends, EXACT)
    try:
        yield
    finally:
        set_float32_precision(torch.backends, before)
