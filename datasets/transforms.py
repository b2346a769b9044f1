"""From decoded uint8 frames to the float clip that is both the model's input and the reference of every metric."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

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
    # Frame by frame, so that a long high-resolution video is never held as floats at its full size.
    for index, frame in enumerate(frames):
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).contiguous().float() / 255
        size = _resized(frame.shape[0], frame.shape[1], height) if resize == "short-side-to-height" else (height, width)
        if size != frame.shape[:2]:
            image = F.interpolate(image[None], size, mode=resize_filter, antialias=antialias, align_corners=False)[0]
        image = _cropped(image.clamp(0, 1), height, width, crop)
        # The padding of narrow frames must come before this line: it is black, not grey.
        clip[:, index] = (image - 0.5) / 0.5
    return clip


def _resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Size with the aspect ratio kept, the long side rounded down as torchvision's ``Resize`` does."""
    if height <= width:
        return short_side, int(short_side * width / height)
    return int(short_side * height / width), short_side


def _cropped(image: Tensor, height: int, width: int, crop: Crop) -> Tensor:
    """The part of (3, H, W) that is the clip, filled with black where the image is smaller.

    An odd margin leaves the larger half at the bottom and right of padding, and is halved to even on cropping, as
    torchvision's ``CenterCrop`` does.
    """
    missing_rows, missing_columns = max(0, height - image.shape[1]), max(0, width - image.shape[2])
    top, left = (missing_rows // 2, missing_columns // 2) if crop == "center" else (0, 0)
    image = F.pad(image, (left, missing_columns - left, top, missing_rows - top))
    if crop == "center":
        top, left = round((image.shape[1] - height) / 2), round((image.shape[2] - width) / 2)
    else:
        top, left = 0, 0
    return image[:, top : top + height, left : left + width]
