"""Regularizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fsq import FSQuantizer
from .identity import IdentityQuantizer
from .interface import Quantizer
from .kl import KLQuantizer
from .lfq import LFQuantizer
from .vq import VectorQuantizer

QUANTIZERS: dict[str, Callable[..., Quantizer]] = {
    "ae": IdentityQuantizer,
    "fsq": FSQuantizer,
    "kl": KLQuantizer,
    "lfq": LFQuantizer,
    "vq": VectorQuantizer,
}
"""The regularizers by the names that cards and recipes use."""


def build_quantizer(name: str, **parameters: Any) -> Quantizer:
    """A regularizer by name, with the parameters of its class.

    Raises:
        ValueError: on an unknown name, or parameters that the regularizer doesn't take.
    """
    if name not in QUANTIZERS:
        raise ValueError(f"there is no quantizer {name!r}; there are: {', '.join(QUANTIZERS)}")
    try:
        return QUANTIZERS[name](**parameters)
    except TypeError as error:
        raise ValueError(f"quantizer {name!r}: {error}") from error
