"""Tokenizers that end, or hold up, the process that runs them; plugin callables, for tests of workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from fake_tokenizers import Average
from toklab.tokenizers.interface import Encoded
from torch import Tensor


class EndsOnce(Average):
    """Ends its process by SIGKILL at its third call, counted in the file that TOKLAB_TEST_CALLS names."""

    name = "ends-once"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        counter = Path(os.environ["TOKLAB_TEST_CALLS"])
        with counter.open("a") as file:
            file.write("x")
        if counter.stat().st_size == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._encode(video, generators)


class Slow(Average):
    """Takes a while for each window."""

    name = "slow"

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        time.sleep(float(os.environ.get("TOKLAB_TEST_SLEEP", "1")))
        return super()._encode(video, generators)


def plugins_variable() -> str:
    """The value of TOKLAB_PLUGINS that makes all of them known."""
    return ",".join(f"{one.name}=worker_tokenizers:{one.__name__}" for one in (EndsOnce, Slow))
