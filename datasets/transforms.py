"""From decoded uint8 frames to the float clip that is both the model's input and the reference of every metric."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

ResizeFilter = Literal["bilinear", "bicubic", "lanczos"]
ResizeRule = Literal["short-side-to-height", "exact", "cover", "none"]
Crop = Literal["center", "center-floor", "top-left"]


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
        resize: ``short-side-to-height`` keeps the aspect ratio; ``exact`` resizes both sides to the clip's size;
            ``cover`` keeps the aspect ratio and makes the frame just large enough to cover the clip, enlarging it if
            need be; ``none`` resizes nothing.
        resize_filter: Interpolation. ``bilinear`` and ``bicubic`` work on float values in [0, 1] that are not rounded
            to uint8 afterwards; ``lanczos`` is Pillow's, on the uint8 frame, which stays uint8.
        antialias: Whether the filter widens when it scales down; ``lanczos`` always does.
        crop: Where the clip is cut out: ``center`` halves an odd margin to the even number, ``center-floor`` to the
            smaller one. What lies outside the resized frame is black.

    Returns:
        (3, T, height, width) float32; [-1, 1] under ``bilinear``, ``bicubic`` may overshoot and is clamped to it.

    Raises:
        ValueError: if ``frames`` has another shape or type.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"frames are uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}")
    size = resized_size(frames.shape[1], frames.shape[2], height, width, resize)
    clip = torch.empty(3, frames.shape[0], height, width)
    is_resized = size != frames.shape[1:3]
    # One array of floats for all frames: fresh memory costs more than what is done with it.
    floats = torch.empty(3, *(size if resize_filter == "lanczos" else frames.shape[1:3]))
    # Frame by frame, so that a long high-resolution video is never held as floats at its full size.
    for index, frame in enumerate(frames):
        if is_resized and resize_filter == "lanczos":
            frame = np.array(Image.fromarray(frame).resize((size[1], size[0]), Image.Resampling.LANCZOS))
        image = _as_floats(frame, floats)
        if is_resized and resize_filter != "lanczos":
            image = F.interpolate(image[None], size, mode=resize_filter, antialias=antialias, align_corners=False)[0]
        image = _cropped(image, height, width, crop).clamp(0, 1)
        # The padding of narrow frames must come before this line: it is black, not grey.
        clip[:, index] = (image - 0.5) / 0.5
    return clip


def resized_size(height: int, width: int, clip_height: int, clip_width: int, resize: ResizeRule) -> tuple[int, int]:
    """Height and width that a frame of ``height`` × ``width`` pixels is resized to before the clip is cut out."""
    if resize == "none":
        return height, width
    if resize == "exact":
        return clip_height, clip_width
    if resize == "cover":
        scale = max(clip_height / height, clip_width / width)
        return round(scale * height), round(scale * width)
    # The long side is rounded down, as torchvision's ``Resize`` does.
    if height <= width:
        return clip_height, int(clip_height * width / height)
    return int(clip_height * height / width), clip_height


def _as_floats(frame: np.ndarray, floats: Tensor) -> Tensor:
    """(H, W, 3) uint8 as (3, H, W) float32 in [0, 1], written into ``floats``."""
    frame = np.ascontiguousarray(frame)
    # Torch warns of arrays that are read-only.
    pixels = torch.from_numpy(frame if frame.flags.writeable else frame.copy())
    return floats.copy_(pixels.permute(2, 0, 1)).div_(255)


def _cropped(image: Tensor, height: int, width: int, crop: Crop) -> Tensor:
    """The part of (3, H, W) that is the clip, filled with black where the image is smaller.

    An odd margin leaves the larger half at the bottom and right of padding, and is halved to even on cropping under
    ``center``, as torchvision's ``CenterCrop`` does.
    """
    missing_rows, missing_columns = max(0, height - image.shape[1]), max(0, width - image.shape[2])
    top, left = (0, 0) if crop == "top-left" else (missing_rows // 2, missing_columns // 2)
    image = F.pad(image, (left, missing_columns - left, top, missing_rows - top))
    margins = (image.shape[1] - height, image.shape[2] - width)
    if crop == "center":
        top, left = (round(margin / 2) for margin in margins)
    elif crop == "center-floor":
        top, left = (margin // 2 for margin in margins)
    else:
        top, left = 0, 0
    return image[:, top : top + height, left : left + width]
