"""VMAF: Netflix's learned fusion of visual features, computed by the libvmaf inside ffmpeg.

Li, Aaron, Katsavounidis, Moorthy and Manohara, *Toward a practical perceptual video quality metric*, Netflix Technology
Blog (2016); model ``vmaf_v0.6.1``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...tokenizers.baselines.ffmpeg import COLOUR, OTHER_BINARY, FfmpegError, has_filter, run_ffmpeg
from .interface import Arrays, MeasuredWindow, MetricError, Unavailable, WindowBatch
from .ratio import RatioMetric

MODEL = "vmaf_v0.6.1"
FILTER = "libvmaf"
LOG = "vmaf.json"

MIN_SIDE = 32
"""Pixels of the smallest side whose features are meaningful: four halvings of it leave two pixels."""


def frame_vmaf(reference: Tensor, reconstruction: Tensor) -> np.ndarray:
    """VMAF of each frame of one clip, 0 to 100.

    Args:
        reference: (3, T, H, W) RGB in [-1, 1]; rounded to 8 bits and converted to YUV 4:4:4, BT.709 of limited range.
        reconstruction: the same shape and range.

    Returns:
        (T,) float64. Identical frames score 97.4 where nothing moves, and 100 where enough does.

    Raises:
        MetricError: if a side is under 32 pixels, or libvmaf fails.
    """
    num_frames, height, width = reference.shape[1:]
    if min(height, width) < MIN_SIDE:
        raise MetricError(f"frames of {height}×{width} pixels are smaller than the {MIN_SIDE} pixels that VMAF needs")
    # One stream of frames below one another, because a process has one standard input.
    pixels = torch.cat((reference, reconstruction), dim=2).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    graph = (
        f"[0:v]scale=out_color_{COLOUR.format('out')},format=yuv444p,split[both][again];"
        f"[both]crop={width}:{height}:0:0[reference];[again]crop={width}:{height}:0:{height}[reconstruction];"
        f"[reconstruction][reference]{FILTER}=model=version={MODEL}:n_threads=1:log_fmt=json:log_path={LOG}"
    )
    source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{2 * height} -r 25 -i -".split()
    with tempfile.TemporaryDirectory(prefix="toklab-vmaf-") as folder:
        arguments = [*source, "-filter_complex", graph, "-f", "null", "-"]
        try:
            run_ffmpeg(arguments, pixels.permute(1, 2, 3, 0).cpu().numpy().tobytes(), Path(folder))
        except FfmpegError as error:
            raise MetricError(str(error)) from error
        log = json.loads(Path(folder, LOG).read_text(encoding="utf-8"))
    scores = np.array([frame["metrics"]["vmaf"] for frame in log["frames"]])
    if len(scores) != num_frames:
        raise MetricError(f"libvmaf scored {len(scores)} of {num_frames} frames")
    return scores


class Vmaf(RatioMetric):
    """VMAF of each frame, averaged over all frames."""

    name = "vmaf"
    title = "VMAF"
    direction = "higher"
    range = (0.0, 100.0)
    display_range = (20.0, 100.0)
    decimals = 2
    saturates_at = 100.0
    needs = "pairs"
    takes_stacks = True
    convention = (
        f"libvmaf's {MODEL} on 8-bit YUV 4:4:4, BT.709 of limited range (it reads luma alone: 4:2:0 gives the same), "
        "at the clip's own size; mean over all frames"
    )
    measurement = f"frame-{MODEL}"

    def unavailable(self) -> Unavailable | None:
        """Whether ffmpeg was built with libvmaf."""
        try:
            missing = "" if has_filter(FILTER) else f"this ffmpeg was built without {FILTER}"
        except FfmpegError as error:
            missing = str(error)
        return Unavailable(missing, OTHER_BINARY.format(FILTER)) if missing else None

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``vmaf``: (T,) float64."""
        pairs = zip(batch.reference, batch.reconstruction, strict=True)
        return [{"vmaf": frame_vmaf(reference, reconstruction)} for reference, reconstruction in pairs]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The score of each frame."""
        return np.asarray(window.arrays["vmaf"])
