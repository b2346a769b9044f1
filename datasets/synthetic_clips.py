"""Training clips that need no files: the scenes of the built-in sample, of other photographs, with other seeds.

The photographs ship with scikit-image (``retina``, ``immunohistochemistry``, and the grey ``brick``, ``camera``,
``coins``, ``grass``, ``gravel``, ``moon``, ``page``, tinted here) and matplotlib (``grace_hopper``, by the US Navy).
None of them is in the built-in sample, so that what is trained on these clips may be measured on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from . import sample_scenes as scenes

VERSION = "v1"
"""Raised whenever the clips change, as where a scene does."""

COLOUR_PHOTOGRAPHS = ("immunohistochemistry", "retina")
GREY_PHOTOGRAPHS = ("brick", "camera", "coins", "grass", "gravel", "moon", "page")
MATPLOTLIB_PHOTOGRAPH = "grace_hopper"
PHOTOGRAPHS = (*COLOUR_PHOTOGRAPHS, MATPLOTLIB_PHOTOGRAPH, *GREY_PHOTOGRAPHS)

SCENES: tuple[scenes.Scene, ...] = (
    scenes.pan,
    scenes.zoom,
    scenes.rotation,
    scenes.handheld,
    scenes.cut,
    scenes.fade,
    scenes.exposure,
    scenes.film_grain,
    scenes.focus_pull,
    scenes.ripple,
    scenes.parallax,
)
FIRST_SEED = 10_000
"""Seeds of the built-in sample lie below."""


def synthetic_clips(
    count: int, num_frames: int, size: tuple[int, int], progress: Callable[[int, int], None] | None = None
) -> Iterator[np.ndarray]:
    """``count`` clips (T, H, W, 3), uint8 RGB, the same on every call; all photographs and scenes take turns.

    Args:
        count: clips.
        num_frames: T.
        size: height and width.
        progress: called with (clips made, clips in all).
    """
    photographs: dict[str, np.ndarray] = {}
    for number in range(count):
        seed = FIRST_SEED + number
        rng = np.random.default_rng(seed)
        name = PHOTOGRAPHS[number % len(PHOTOGRAPHS)]
        if name not in photographs:
            photographs[name] = load_photograph(name)
        photograph = photographs[name]
        if name in GREY_PHOTOGRAPHS:
            photograph = _tinted(photograph, rng)
        scene = SCENES[number % len(SCENES)]
        yield scene(_turned(photograph, rng), seed, num_frames, size)
        if progress:
            progress(number + 1, count)


def load_photograph(name: str) -> np.ndarray:
    """One of :data:`PHOTOGRAPHS`, (H, W, 3) float32 in [0, 1]; grey ones have three equal channels."""
    if name == MATPLOTLIB_PHOTOGRAPH:
        from matplotlib import get_data_path
        from PIL import Image

        image = np.asarray(Image.open(Path(get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("RGB"))
    else:
        from skimage import data

        image = getattr(data, name)()
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image.astype(np.float32) / 255


def _tinted(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A grey photograph between two random colours, one dark and one light."""
    dark, light = rng.uniform(0, 0.35, 3), rng.uniform(0.6, 1.0, 3)
    return (dark + photograph * (light - dark)).astype(np.float32)


def _turned(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photograph turned by quarters and mirrored at random."""
    turned = np.rot90(photograph, int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)
