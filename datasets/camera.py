"""A virtual camera that moves over a still photograph, without ever showing what lies outside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class CameraPath:
    """Where the camera looks, one entry a frame, in units that fit every photograph."""

    x: np.ndarray
    """(T,) horizontal position in [-1, 1]: the share of the way from the middle to where the view meets the border."""
    y: np.ndarray
    """(T,) vertical position in [-1, 1]."""
    coverage: np.ndarray
    """(T,) size of the view in (0, 1]: 1 shows the largest view that fits at every angle of the path."""
    angle: np.ndarray
    """(T,) rotation in radians."""

    @classmethod
    def of(
        cls,
        num_frames: int,
        *,
        x: np.ndarray | float = 0.0,
        y: np.ndarray | float = 0.0,
        coverage: np.ndarray | float = 0.8,
        angle: np.ndarray | float = 0.0,
    ) -> CameraPath:
        """A path from arrays (T,) and constants; positions are clipped to [-1, 1]."""
        filled = [np.broadcast_to(np.asarray(values, float), (num_frames,)) for values in (x, y, coverage, angle)]
        return cls(filled[0].clip(-1, 1), filled[1].clip(-1, 1), filled[2], filled[3])

    def __getitem__(self, frames: slice) -> CameraPath:
        """The path over some of the frames."""
        return CameraPath(self.x[frames], self.y[frames], self.coverage[frames], self.angle[frames])


def film(photograph: np.ndarray, path: CameraPath, size: tuple[int, int]) -> np.ndarray:
    """Film a photograph along a path.

    Bicubic interpolation; where the view is larger than the clip it is rendered at a whole multiple of the clip's size
    and averaged down, so that nothing aliases.

    Args:
        photograph: (H, W, 3) float in [0, 1].
        path: T camera positions.
        size: Height and width of the clip.

    Returns:
        (T, height, width, 3) float32 in [0, 1].
    """
    image = torch.from_numpy(np.ascontiguousarray(photograph, np.float32)).permute(2, 0, 1)[None]
    photo_size = (photograph.shape[0], photograph.shape[1])
    largest = min(_largest_scale(photo_size, size, angle) for angle in path.angle)
    frames = []
    for x, y, coverage, angle in zip(path.x, path.y, path.coverage, path.angle, strict=True):
        scale = coverage * largest
        half_height, half_width = (side * scale / 2 for side in _bounding_box(size, angle))
        centre_x = photo_size[1] / 2 + x * (photo_size[1] / 2 - half_width)
        centre_y = photo_size[0] / 2 + y * (photo_size[0] / 2 - half_height)
        frames.append(render_view(image, centre_x, centre_y, scale, angle, size))
    return torch.cat(frames).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def render_view(
    image: Tensor, centre_x: float, centre_y: float, scale: float, angle: float, size: tuple[int, int]
) -> Tensor:
    """The (1, C, height, width) view of an image (1, C, H, W) around a centre in its pixels.

    Args:
        image: What is looked at; beyond its border lies its border.
        centre_x: Column in the middle of the view, 0 at the image's left edge.
        centre_y: Row in the middle of the view, 0 at the image's upper edge.
        scale: Pixels of the image to one pixel of the view.
        angle: Rotation of the view in radians.
        size: Height and width of the view.
    """
    height, width = size
    oversampling = max(1, math.ceil(scale))
    rows = (torch.arange(height * oversampling, dtype=torch.float64) + 0.5) / oversampling - height / 2
    columns = (torch.arange(width * oversampling, dtype=torch.float64) + 0.5) / oversampling - width / 2
    down, right = torch.meshgrid(rows * scale, columns * scale, indexing="ij")
    cosine, sine = math.cos(angle), math.sin(angle)
    source_x = (centre_x + right * cosine - down * sine) / image.shape[3] * 2 - 1
    source_y = (centre_y + right * sine + down * cosine) / image.shape[2] * 2 - 1
    grid = torch.stack([source_x, source_y], dim=-1)[None].to(image.dtype)
    view = F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return F.avg_pool2d(view, oversampling) if oversampling > 1 else view


def _bounding_box(size: tuple[int, int], angle: float) -> tuple[float, float]:
    """Height and width of the upright box around a rotated view."""
    cosine, sine = abs(math.cos(angle)), abs(math.sin(angle))
    return size[0] * cosine + size[1] * sine, size[1] * cosine + size[0] * sine


def _largest_scale(photo_size: tuple[int, int], size: tuple[int, int], angle: float) -> float:
    height, width = _bounding_box(size, angle)
    return min(photo_size[0] / height, photo_size[1] / width)
