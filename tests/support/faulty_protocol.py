"""A protocol whose transform hangs, waits, crashes or fails at some frame numbers, inside the decoding process."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Literal

import numpy as np
from numbered_video import read_numbers
from toklab.datasets.protocol import Protocol, load_protocol
from torch import Tensor

Fault = Literal["hang", "wait", "crash", "raise"]
HANG_S = 3600
"""Longer than any test: who waits for the end of a hang doesn't come back."""


class FaultyProtocol(Protocol):
    fault: Fault
    first_faulty: int
    last_faulty: int
    awaited: Path | None = None
    """File that has to be there before the wait ends."""

    def transform(self, frames: np.ndarray) -> Tensor:
        if self.first_faulty <= read_numbers(frames[:1])[0] <= self.last_faulty:
            if self.fault == "hang":
                # PyDLL keeps the interpreter's lock, as decord does when it hangs.
                ctypes.PyDLL(None).sleep(HANG_S)
            if self.fault == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.fault == "raise":
                raise ZeroDivisionError("faulty")
            while self.awaited is not None and not self.awaited.exists():
                time.sleep(0.05)
        return super().transform(frames)


def faulty_protocol(fault: Fault, first_faulty: int, last_faulty: int, awaited: Path | None = None) -> FaultyProtocol:
    """``vidtok`` at 64×128 with a fault in windows that begin with a frame of these numbers."""
    fields = load_protocol("vidtok").derive(height=64, width=128).model_dump()
    return FaultyProtocol(**fields, fault=fault, first_faulty=first_faulty, last_faulty=last_faulty, awaited=awaited)
