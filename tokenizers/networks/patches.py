"""Videos as patches that don't overlap, and back."""

from __future__ import annotations

from torch import Tensor


def to_patches(video: Tensor, num_frames: int, edge: int) -> Tensor:
    """(B, C, T, H, W) to (B, T / num_frames, H / edge, W / edge, C · num_frames · edge²), channels slowest."""
    patches = video.unflatten(4, (-1, edge)).unflatten(3, (-1, edge)).unflatten(2, (-1, num_frames))
    return patches.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)


def from_patches(patches: Tensor, num_frames: int, edge: int) -> Tensor:
    """Inverse of :func:`to_patches`."""
    video = patches.unflatten(4, (-1, num_frames, edge, edge)).permute(0, 4, 1, 5, 2, 6, 3, 7)
    return video.flatten(6, 7).flatten(4, 5).flatten(2, 3)
