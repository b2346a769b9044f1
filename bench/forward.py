"""One forward pass: encode and decode a batch, timed and checked."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..datasets.interface import Clip
from ..tokenizers.interface import Encoded, VideoTokenizer
from .cell import noise_seed

RESET_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
RESET_PEAK_OF_RESIDENT_SET = "5"
"""What Linux takes to start a new peak of the resident set (proc(5)); elsewhere CPU peaks aren't recorded."""


class OutOfMemory(RuntimeError):
    """The batch didn't fit into the device's memory."""


@dataclass(frozen=True)
class ForwardResult:
    """A batch after encode and decode."""

    reference: Tensor
    """(B, 3, T, H, W) float32 in [-1, 1], on the model's device."""
    reconstruction: Tensor
    """(B, 3, T, H, W) float32, as the model gave it, not clamped."""
    encoded: Encoded
    timing: dict[str, float]
    """``encode_s`` and ``decode_s`` of the whole batch, ``batch_size``, ``peak_bytes`` and ``num_tokens`` of a clip."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, of the GPU or of the machine, ran out."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error).lower()


def _synchronized_seconds(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif RESET_PEAK.exists():
        RESET_PEAK.write_text(RESET_PEAK_OF_RESIDENT_SET)


def _peak_bytes(device: torch.device) -> float | None:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    if not STATUS.exists():
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    return None if found is None else 1024.0 * int(found[1])


def forward(tokenizer: VideoTokenizer, clips: list[Clip], device: torch.device) -> ForwardResult:
    """Encode and decode clips of one shape as one batch; each clip has its own noise generator.

    Raises:
        OutOfMemory: if the batch doesn't fit.
    """
    generators = [
        torch.Generator().manual_seed(noise_seed(tokenizer.settings.seed, clip.content_id, clip.window.index))
        for clip in clips
    ]
    try:
        reference = torch.stack([clip.video for clip in clips]).to(device)
        _reset_peak(device)
        start = _synchronized_seconds(device)
        encoded = tokenizer.encode(reference, generators)
        middle = _synchronized_seconds(device)
        reconstruction = tokenizer.decode(encoded)
        end = _synchronized_seconds(device)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            if device.type == "cuda":
                torch.cuda.empty_cache()
            raise OutOfMemory(str(error).splitlines()[0]) from error
        raise
    timing = {
        "encode_s": middle - start,
        "decode_s": end - middle,
        "batch_size": float(len(clips)),
        "num_tokens": float(encoded.num_tokens),
    }
    if (peak := _peak_bytes(device)) is not None:
        timing["peak_bytes"] = peak
    return ForwardResult(reference, reconstruction, encoded, timing)
