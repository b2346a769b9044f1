"""The ``sample`` dataset: twelve short clips made on first use from photographs that scikit-image ships.

As scikit-image documents them: ``astronaut`` (Eileen Collins; NASA Great Images, no known copyright restrictions),
``coffee`` (Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0), ``chelsea`` (Stefan van der Walt, CC0), ``rocket``
(SpaceX, public domain), ``hubble_deep_field`` (NASA, HubbleSite, public domain) and the left view of
``stereo_motorcycle`` (Nesic, Westling, Wang, Kitajima, Krathwohl and Scharstein; Middlebury 2014 stereo benchmark, no
licence stated).

The motion is synthetic: the clips show that everything works and tell tokenizers apart, but figures on them say little
about natural video.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import sample_scenes as scenes
from .atomic_files import write_text
from .interface import Dataset, DatasetUnavailable, VideoSource
from .locations import cache_folder
from .video_writer import write_video

FPS = 30.0
NUM_FRAMES = 34
"""Two windows of 17 frames, or three of 16 with a repeated tail."""
SIZE = (256, 320)
"""Height and width."""
VERSION = "v1"
"""Raised whenever the clips change."""

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SampleClip:
    """How one clip is made."""

    photograph: str
    """Name in ``skimage.data``."""
    scene: scenes.Scene
    """The function that makes the frames."""
    seed: int
    """Its seed."""

    @property
    def file_name(self) -> str:
        """``chelsea-film-grain.mp4``."""
        return f"{self.photograph}-{self.scene.__name__}.mp4".replace("_", "-")


CLIPS = (
    SampleClip("astronaut", scenes.handheld, 1),
    SampleClip("astronaut", scenes.exposure, 2),
    SampleClip("astronaut", scenes.zoom, 3),
    SampleClip("chelsea", scenes.parallax, 4),
    SampleClip("chelsea", scenes.film_grain, 5),
    SampleClip("coffee", scenes.focus_pull, 6),
    SampleClip("coffee", scenes.pan, 7),
    SampleClip("coffee", scenes.ripple, 8),
    SampleClip("hubble_deep_field", scenes.rotation, 9),
    SampleClip("rocket", scenes.fade, 10),
    SampleClip("stereo_motorcycle", scenes.cut, 11),
    SampleClip("stereo_motorcycle", scenes.whip_pan, 12),
)


class SampleDataset(Dataset):
    """Twelve clips of 34 frames, 320×256, 30 frames/s, H.264.

    They are kept with their SHA-256 in ``root``, by default the cache folder; one that is absent or damaged is made
    again.
    """

    name = "sample"
    knows_content = True

    def __init__(self, root: Path | None = None, progress: Callable[[int, int], None] | None = None):
        """``progress`` is called with (clips ready, clips in all) while clips are made."""
        self._root = root
        self._progress = progress

    def sources(self) -> list[VideoSource]:
        """The twelve clips, made where necessary (about 10 s in all).

        Raises:
            DatasetUnavailable: if the folder can't be written.
        """
        folder = self._root or cache_folder() / "sample" / VERSION
        try:
            _make_missing(folder, self._progress)
        except OSError as error:
            raise DatasetUnavailable(
                f"the sample clips can't be kept in {folder}: {error}",
                "Set TOKLAB_CACHE to a folder that can be written",
            ) from error
        return sorted((VideoSource(clip.file_name, folder / clip.file_name) for clip in CLIPS), key=lambda s: s.key)

    def expected_num_frames(self, key: str) -> int:
        """Every clip has the same length."""
        return NUM_FRAMES


def load_photograph(name: str) -> np.ndarray:
    """A colour photograph of ``skimage.data``, (H, W, 3) float32 in [0, 1]; of a stereo pair the left view."""
    from skimage import data

    loaded = getattr(data, name)()
    image = loaded[0] if isinstance(loaded, tuple) else loaded
    return image.astype(np.float32) / 255


def _make_missing(folder: Path, progress: Callable[[int, int], None] | None) -> None:
    known = _read_manifest(folder / _MANIFEST)
    missing = [clip for clip in CLIPS if known.get(clip.file_name) != _sha256(folder / clip.file_name)]
    for number, clip in enumerate(missing, start=len(CLIPS) - len(missing) + 1):
        frames = clip.scene(load_photograph(clip.photograph), clip.seed, NUM_FRAMES, SIZE)
        write_video(folder / clip.file_name, frames, FPS, "source")
        if progress:
            progress(number, len(CLIPS))
    if missing:
        hashes = {clip.file_name: _sha256(folder / clip.file_name) for clip in CLIPS}
        write_text(folder / _MANIFEST, json.dumps(hashes, indent=1, sort_keys=True) + "\n")


def _sha256(file: Path) -> str:
    """Of the content; empty where there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _read_manifest(file: Path) -> dict[str, str]:
    """What was written; nothing where the manifest is absent or damaged, and then every clip is made again."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
