"""Named arrays as the ledger keeps them."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as bytes (safetensors format)."""
    return save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def unpack_arrays(packed: bytes) -> dict[str, np.ndarray]:
    """What :func:`pack_arrays` packed; nothing for an empty value."""
    return load_arrays(packed) if packed else {}
