"""PSNR as TokenBench computes it, since its arithmetic no longer overflows (its pull request 3, December 2024)."""

from __future__ import annotations

import numpy as np

from .interface import MeasuredWindow
from .psnr import ClipPsnr

PEAK = 255.0
EPSILON = float(np.finfo(np.float32).eps)
"""1.19e-7, added to the root of the mean squared error: identical clips have 186.6 dB."""


def tokenbench_decibels(mse: np.ndarray) -> np.ndarray:
    """20 log10(255 / (√MSE + 1.19e-7)), elementwise; the MSE on the scale [0, 255²]."""
    return 20 * np.log10(PEAK / (np.sqrt(np.asarray(mse, dtype=np.float64)) + EPSILON))


class TokenBenchPsnr(ClipPsnr):
    """PSNR of each clip, averaged over clips: TokenBench's, whose clips are whole videos."""

    name = "psnr-tokenbench"
    takes_stacks = True
    title = "PSNR (TokenBench)"
    range = (0.0, 186.61)
    convention = (
        "per clip 20·log10(255/(√MSE + 1.19e-7)), MSE over the whole clip on [0, 255]; mean of dB over clips "
        "(TokenBench, after the fix of its uint8 overflow)"
    )

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The dB of the clip's mean squared error."""
        return tokenbench_decibels(np.mean(window.arrays["mse"], axis=-1, keepdims=True) * PEAK**2)
