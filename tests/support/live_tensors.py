"""How much memory tensors hold at a moment."""

from __future__ import annotations

import gc

import torch


def live_tensor_bytes() -> int:
    """Bytes of all storages that some tensor in this process refers to, each counted once, and of packed kernels."""
    gc.collect()
    # Some objects raise or import on attribute access, so that isinstance would run foreign code.
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    packed = [tensor for tensor in tensors if tensor.is_mkldnn]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors if not t.is_mkldnn}
    return sum(storages.values()) + sum(tensor.numel() * tensor.element_size() for tensor in packed)
