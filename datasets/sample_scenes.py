"""Scenes: short moving pictures made from one photograph and a seed.

Every scene is a function of (photograph, seed, num_frames, size) with

- ``photograph``: (H, W, 3) float32 in [0, 1];
- ``seed``: equal seeds give equal frames; it draws directions, speeds and noise;
- ``num_frames``: T;
- ``size``: height and width of the clip;

and returns (T, height, width, 3) uint8, RGB.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from .camera import CameraPath, film, render_view

Scene = Callable[[np.ndarray, int, int, tuple[int, int]], np.ndarray]


def pan(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """The camera glides across, mostly sideways, and slows down at both ends."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1, 1])
    way = _eased(num_frames) * 2 - 1
    path = CameraPath.of(num_frames, x=side * 0.45 * way, y=rng.uniform(-0.3, 0.3) * way, coverage=0.62)
    return _to_uint8(film(photograph, path, size))


def zoom(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """A zoom towards a point off the middle, or away from it."""
    rng = np.random.default_rng(seed)
    progress = _eased(num_frames)
    if rng.random() < 0.5:
        progress = progress[::-1]
    path = CameraPath.of(
        num_frames,
        x=rng.uniform(-0.5, 0.5),
        y=rng.uniform(-0.5, 0.5),
        coverage=np.exp(np.log(0.98) + progress * np.log(0.5 / 0.98)),
    )
    return _to_uint8(film(photograph, path, size))


def rotation(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """The camera turns about its axis."""
    rng = np.random.default_rng(seed)
    turn = rng.choice([-1, 1]) * rng.uniform(0.25, 0.4)
    path = CameraPath.of(num_frames, coverage=0.85, angle=turn * (np.linspace(0, 2, num_frames) - 1))
    return _to_uint8(film(photograph, path, size))


def handheld(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """An unsteady hand: a slow drift with a tremble in position, angle and distance."""
    rng = np.random.default_rng(seed)
    drift = np.linspace(-0.15, 0.15, num_frames)
    path = CameraPath.of(
        num_frames,
        x=drift * rng.choice([-1, 1]) + 0.05 * _tremble(rng, num_frames),
        y=0.04 * _tremble(rng, num_frames),
        coverage=0.7 + 0.005 * _tremble(rng, num_frames),
        angle=0.006 * _tremble(rng, num_frames),
    )
    return _to_uint8(film(photograph, path, size))


def whip_pan(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """A fast swing from one side to the other, with the motion blur of a half-open shutter."""
    rng = np.random.default_rng(seed)
    exposures = 8
    moments = (np.arange(num_frames)[:, None] + np.linspace(0, 0.5, exposures)).ravel() / num_frames
    swing = np.tanh((moments - 0.5) * 9) / np.tanh(4.5)
    path = CameraPath.of(
        len(moments), x=rng.choice([-1, 1]) * 0.95 * swing, y=rng.uniform(-0.2, 0.2) * swing, coverage=0.5
    )
    blurred = film(photograph, path, size).reshape(num_frames, exposures, *size, 3).mean(axis=1)
    return _to_uint8(blurred)


def cut(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """Two shots of one place, wide and close, with a hard cut between them in the first half."""
    rng = np.random.default_rng(seed)
    first = int(rng.integers(num_frames // 4, max(num_frames // 2, num_frames // 4 + 1)))
    drift = np.linspace(-0.25, 0.25, num_frames)
    wide = CameraPath.of(num_frames, x=drift, y=rng.uniform(-0.3, 0.3), coverage=0.9)
    close = CameraPath.of(num_frames, x=rng.choice([-0.5, 0.5]), y=drift, coverage=0.45)
    shots = [film(photograph, wide[:first], size)] if first else []
    return _to_uint8(np.concatenate([*shots, film(photograph, close[first:], size)]))


def fade(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """A fade from black, in linear light, during a slow zoom out."""
    rng = np.random.default_rng(seed)
    path = CameraPath.of(
        num_frames, x=rng.uniform(-0.2, 0.2), y=rng.uniform(-0.2, 0.2), coverage=np.linspace(0.7, 0.85, num_frames)
    )
    light = np.clip(np.linspace(0, 1.4, num_frames), 0, 1)
    return _to_uint8(_exposed(film(photograph, path, size), light))


def exposure(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """Light that swells and warms while the camera pushes in."""
    rng = np.random.default_rng(seed)
    path = CameraPath.of(num_frames, y=rng.uniform(-0.3, 0.3), coverage=np.linspace(0.9, 0.75, num_frames))
    swell = np.sin(np.linspace(0, np.pi, num_frames) + rng.uniform(-0.3, 0.3))
    light = 0.75 + 0.6 * swell[:, None] * np.array([1.1, 1.0, 0.8])
    return _to_uint8(_exposed(film(photograph, path, size), light))


def film_grain(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """Old film: grain that is strongest in the mid-tones, a weaving gate and an uneven lamp."""
    rng = np.random.default_rng(seed)
    path = CameraPath.of(
        num_frames,
        x=np.linspace(-0.3, 0.3, num_frames) + rng.normal(0, 0.008, num_frames),
        y=rng.normal(0, 0.008, num_frames),
        coverage=0.75,
    )
    frames = _exposed(film(photograph, path, size), rng.normal(1, 0.02, num_frames))
    grain = ndimage.gaussian_filter(rng.normal(size=frames.shape[:3]), sigma=(0, 0.7, 0.7))
    grain *= 0.045 / grain.std()
    luma = frames @ np.array([0.2126, 0.7152, 0.0722])
    strength = 0.35 + 0.65 * 4 * luma * (1 - luma)
    return _to_uint8(frames + (grain * strength)[..., None])


def focus_pull(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """From out of focus to sharp, while the view breathes a little, as lenses do."""
    rng = np.random.default_rng(seed)
    sharpness = _eased(num_frames)
    path = CameraPath.of(
        num_frames, x=rng.uniform(-0.3, 0.3), y=0.05 * _tremble(rng, num_frames), coverage=0.75 + 0.06 * sharpness
    )
    frames = film(photograph, path, size)
    largest_blur = min(size) / 50
    blurred = [
        ndimage.gaussian_filter(frame, sigma=(blur, blur, 0), mode="nearest")
        for frame, blur in zip(frames, largest_blur * (1 - sharpness), strict=True)
    ]
    return _to_uint8(np.stack(blurred))


def ripple(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """A surface that waves, as cloth or water does: waves run across the view and bend it."""
    rng = np.random.default_rng(seed)
    frames = torch.from_numpy(film(photograph, CameraPath.of(num_frames, coverage=0.8), size)).permute(0, 3, 1, 2)
    height, width = size
    rows = (torch.arange(height) + 0.5)[:, None] / height * 2 - 1
    columns = (torch.arange(width) + 0.5)[None] / width * 2 - 1
    time = torch.arange(num_frames)[:, None, None] / 30
    shift_x, shift_y = torch.zeros(2, num_frames, height, width)
    for _ in range(4):
        heading, phase, waves, speed = rng.uniform([0, 0, 1.0, 4.0], [2 * np.pi, 2 * np.pi, 2.5, 8.0])
        along = rows * math.sin(heading) + columns * math.cos(heading)
        wave = torch.sin(np.pi * waves * along - speed * time + phase)
        shift_x += 0.008 * math.sin(heading) * wave
        shift_y += 0.008 * math.cos(heading) * wave
    # The waves die out at the border, so that nothing from outside the view is needed.
    calm = (1 - rows**8) * (1 - columns**8)
    grid = torch.stack([columns + shift_x * calm, rows + shift_y * calm], dim=-1)
    bent = F.grid_sample(frames, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return _to_uint8(bent.permute(0, 2, 3, 1).numpy())


def parallax(photograph: np.ndarray, seed: int, num_frames: int, size: tuple[int, int]) -> np.ndarray:
    """Pieces of the photograph float at three depths before its blurred rest; the nearest is the fastest."""
    rng = np.random.default_rng(seed)
    way = np.linspace(-1, 1, num_frames)
    heading = rng.choice([-1, 1])
    frames = film(photograph, CameraPath.of(num_frames, x=heading * 0.25 * way, coverage=0.9), size)
    frames = ndimage.gaussian_filter(frames, sigma=(0, 2, 2, 0), mode="nearest")
    columns = rng.permutation([0.25, 0.5, 0.75])
    for depth, column in zip((0.35, 0.6, 1.0), columns, strict=True):
        sprite = _cutout(photograph, rng, radius=0.09 + 0.09 * depth)
        start_x, start_y = column * size[1], rng.uniform(0.3, 0.7) * size[0]
        fall = rng.uniform(-0.15, 0.15)
        spin = rng.uniform(-0.2, 0.2)
        scale = sprite.shape[3] / (min(size) * (0.35 + 0.4 * depth))
        for index, moment in enumerate(way):
            x = start_x - heading * moment * depth * 0.25 * size[1]
            y = start_y + moment * fall * size[0]
            layer = _placed(sprite, x, y, scale, spin * moment, size)
            frames[index] += layer[..., 3:] * (layer[..., :3] - frames[index])
    return _to_uint8(frames)


def _cutout(photograph: np.ndarray, rng: np.random.Generator, radius: float) -> torch.Tensor:
    """A wavy-edged piece, (1, 4, S, S) with its opacity last; ``radius`` is a share of the photograph's short side."""
    half = int(radius * min(photograph.shape[:2]))
    row, column = (int(rng.integers(half, side - half)) for side in photograph.shape[:2])
    piece = photograph[row - half : row + half, column - half : column + half]
    down, right = np.mgrid[-half:half, -half:half] + 0.5
    angle = np.arctan2(down, right)
    edge = 0.8 + sum(rng.uniform(0.02, 0.06) * np.sin(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    opacity = np.clip((edge * half - np.hypot(down, right)) / 1.5, 0, 1)
    stacked = np.concatenate([piece, opacity[..., None]], axis=-1).astype(np.float32)
    return torch.from_numpy(stacked).permute(2, 0, 1)[None].contiguous()


def _placed(sprite: torch.Tensor, x: float, y: float, scale: float, angle: float, size: tuple[int, int]) -> np.ndarray:
    """The sprite with its middle at column ``x`` and row ``y`` of the clip: (height, width, 4), opacity last."""
    offset_x, offset_y = size[1] / 2 - x, size[0] / 2 - y
    cosine, sine = math.cos(angle), math.sin(angle)
    centre = sprite.shape[3] / 2
    view = render_view(
        sprite,
        centre + scale * (offset_x * cosine - offset_y * sine),
        centre + scale * (offset_x * sine + offset_y * cosine),
        scale,
        angle,
        size,
    )
    return view[0].clamp(0, 1).permute(1, 2, 0).numpy()


def _eased(num_frames: int) -> np.ndarray:
    """From 0 to 1, slowly at both ends."""
    way = np.linspace(0, 1, num_frames)
    return way * way * (3 - 2 * way)


def _tremble(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Smooth noise of about unit size: sines of 1 to 7 Hz at 30 frames/s, the slow ones strongest."""
    time = np.arange(num_frames) / 30
    frequencies = np.array([1.1, 1.9, 3.1, 4.7, 6.7])
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    return (np.sin(2 * np.pi * frequencies * time[:, None] + phases) / frequencies).sum(axis=1)


def _exposed(frames: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Frames under (T,) or (T, 3) factors in linear light; bright parts roll off to 1 instead of clipping."""
    factors = light.reshape(len(frames), 1, 1, -1)
    lit = frames**2.2 * factors
    rolled = np.where(lit > 0.8, 0.8 + 0.2 * np.tanh((lit - 0.8) / 0.2), lit)
    return rolled ** (1 / 2.2)


def _to_uint8(frames: np.ndarray) -> np.ndarray:
    return np.rint(frames.clip(0, 1) * 255).astype(np.uint8)
