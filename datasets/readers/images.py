"""Image sequences, one folder each, and single images as videos of one frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..interface import UnreadableVideo, VideoSource
from .interface import VideoFacts, VideoReader

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File name endings, in lower case, that count as images."""
NOMINAL_FPS = 30.0
"""Frame rate of images whose source names none."""


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order (``2.png`` before ``10.png``), hidden files left out."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted((path for path in files if not path.name.startswith(".") and path.is_file()), key=_natural_key)


def _natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


class ImagesReader(VideoReader):
    """Reads 8-bit images with Pillow, turned as their EXIF orientation says; transparency is dropped."""

    def __init__(self, source: VideoSource):
        """List the images and open the first one.

        Raises:
            UnreadableVideo: if there is no image, or the first can't be read.
        """
        super().__init__(str(source.path))
        if source.kind == "image":
            if not source.path.is_file():
                raise UnreadableVideo(f"{source.path}: is not a regular file, or not there")
            self._paths = [source.path]
        elif source.path.is_dir():
            self._paths = list_images(source.path)
        else:
            raise UnreadableVideo(f"{source.path}: there is no such folder")
        if not self._paths:
            raise UnreadableVideo(f"{source.path}: the folder holds no images")
        height, width = _read_image(self._paths[0]).shape[:2]
        self.facts = VideoFacts(len(self._paths), source.fps or NOMINAL_FPS, width, height, "images")

    def _frames(self, frame_ids: Sequence[int]) -> np.ndarray:
        images: dict[int, np.ndarray] = {}
        for frame_id in dict.fromkeys(frame_ids):
            image = _read_image(self._paths[frame_id])
            if image.shape != (self.facts.height, self.facts.width, 3):
                raise UnreadableVideo(
                    f"{self._paths[frame_id]} is {image.shape[1]}×{image.shape[0]} where the first image of its "
                    f"sequence is {self.facts.width}×{self.facts.height}; all must have one size"
                )
            images[frame_id] = image
        return np.stack([images[frame_id] for frame_id in frame_ids])


def _read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    try:
        with Image.open(path) as image:
            # Pillow takes colours of 16 bits for colours of 8, and drops the rest: only the raw mode tells.
            if image.mode.startswith(("I", "F")) or ";16" in str(getattr(image, "tile", "")):
                raise UnreadableVideo(f"{path}: images of more than 8 bits a channel aren't read; convert it to 8 bits")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableVideo(f"{path}: the image can't be read ({error})") from None
