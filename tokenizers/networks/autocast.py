"""Parts of a network that keep the precision of their inputs in mixed precision, too."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def without_autocast(x: Tensor, wanted: bool = True) -> AbstractContextManager[object]:
    """Mixed precision off on the device of ``x`` where it is ``wanted``; otherwise nothing changes."""
    if not wanted or x.is_meta or not torch.is_autocast_enabled(x.device.type):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)
