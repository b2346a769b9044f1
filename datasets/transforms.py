"""From decoded uint8 frames to the float clip that is both the model's input and the reference of every metric."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

ResizeFilter = Literal["bilinear", "bicubic"]
ResizeRule = Literal["short-side-to-height", "exact"]
Crop = Literal["center", "top-left"]


def transform_frames(
    frames: np.ndarray,
    *,
    height: int,
    width: int,
    resize: ResizeRule,
    resize_filter: ResizeFilter,
    antialias: bool,
    crop: Crop,
) -> Tensor:
    """Resize, crop and normalize frames.

    Args:
        frames: (T, H, W, 3) uint8, RGB.
        height: Height of the clip; under ``short-side-to-height`` also what the frames' short side is resized to.
        width: Width of the clip.
        resize: ``short-side-to-height`` keeps the aspect ratio; ``exact`` resizes both sides to the clip's size.
        resize_filter: Interpolation, on float values in [0, 1] that are not rounded to uint8 afterwards.
        antialias: Whether the filter widens when it scales down.
        crop: Where the clip is cut out; what lies outside the resized frame is black.

    Returns:
        (3, T, height, width) float32; [-1, 1] under ``bilinear``, ``bicubic`` may overshoot and is clamped to it.

    Raises:
        ValueError: if ``frames`` has another shape or type.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"frames are uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}")
    clip = torch.empty(3, frames.shape[0], height, width)
    size = [height] if resize == "short-side-to-height" else [height, width]
    # Frame by frame, so that a long high-resolution video is never held as floats at its full size.
    for index, frame in enumerate(frames):
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).contiguous().float() / 255
        image = functional.resize(image, size, interpolation=InterpolationMode(resize_filter), antialias=antialias)
        if crop == "center":
            image = functional.center_crop(image, [height, width])
        else:
            image = functional.crop(image, top=0, left=0, height=height, width=width)
        # The padding of narrow frames must come before this line: it is black, not grey.
        clip[:, index] = functional.normalize(image.clamp(0, 1), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    return clip
