"""How much memory tensors hold at a moment."""

from __future__ import annotations

import gc

import torch


def live_tensor_bytes() -> int:
    """Bytes of all storages that some tensor in this process refers to, each counted once."""
    gc.collect()
    # Some objects raise or import on attribute access, so that isinstance would run foreign code.
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())
