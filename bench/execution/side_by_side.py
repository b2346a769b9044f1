"""Side-by-side video: the original, each reconstruction with its error map, and PSNR over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ...datasets.folder import IMAGE_FPS, FolderDataset
from ...datasets.interface import Clip, FailedClip, UnreadableVideo, VideoSource
from ...datasets.names import escape_name
from ...datasets.protocol import load_protocol
from ...datasets.stream import ClipStream
from ...datasets.video_writer import write_video
from ...tokenizers.errors import did_you_mean
from ...tokenizers.interface import InferenceSettings, VideoTokenizer
from ..catalog.catalog import tokenizers
from ..metrics.psnr import decibels, frame_mse
from ..planning.suite import parse_assignments
from .forward import forward
from .options import resolve_device
from .reconstructions import to_uint8

CONTAINERS = (".mp4", ".mkv", ".mov")
"""Endings of files that take H.264, and that common players open."""
ERROR_GAIN = 4
"""Error maps show the absolute difference this many times."""
LABEL_HEIGHT = 22
STRIP_HEIGHT = 116
LEGEND_HEIGHT = 20
STRIP_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, readable for the colour-blind."""
BACKGROUND = "#101418"
FOREGROUND = "#e8ecf0"


def reconstruct_side_by_side(
    video: Path,
    names: Sequence[str],
    out: Path,
    *,
    settings: Sequence[str] = (),
    card_folders: tuple[Path, ...] = (),
    size: tuple[int, int] = (256, 256),
    max_windows: int | None = None,
    device: str = "auto",
) -> dict[str, float]:
    """Write the side-by-side video and return each tokenizer's mean PSNR in dB over the frames shown.

    Args:
        video: a file, an image, or a folder of frames.
        names: tokenizers, in the order of the panes.
        out: file to write.
        settings: ``name=value`` inference settings.
        card_folders: folders with further cards.
        size: height and width of a pane; protocol ``vidtok`` at this size.
        max_windows: windows of the protocol to show, from the start; ``None``: all.
        device: ``auto``, ``cpu``, ``cuda``, …

    Raises:
        UnreadableVideo: if the video isn't there or can't be read.
        ValueError: (a subclass) if ``out`` isn't named like a video, or a tokenizer, setting or device is unknown.
    """
    if out.suffix.lower() not in CONTAINERS:
        raise ValueError(
            f"--out {out}: a video is written, so the name ends in {', '.join(CONTAINERS)}, such as {out.stem}.mp4"
        )
    source = _source(video)
    chosen = torch.device(resolve_device(device))
    catalog = tokenizers(card_folders)
    inference = InferenceSettings.from_mapping(parse_assignments(list(settings)))
    built = {name: catalog.entry(name).build(inference, chosen) for name in names}
    protocol = load_protocol("vidtok").derive(height=size[0], width=size[1])
    causal = all(tokenizer.spec.causal for tokenizer in built.values())
    frames: list[np.ndarray] = []
    psnr: dict[str, list[float]] = {name: [] for name in names}
    fps = 30.0
    with ClipStream([source], protocol, causal=causal, max_clips=max_windows) as stream:
        for item in stream:
            if isinstance(item, FailedClip):
                raise UnreadableVideo(item.reason)
            fps = item.fps
            frames.extend(_show_window(item, built, psnr, chosen))
    write_video(out, _with_strips(frames, psnr), fps, quality="view")
    return {name: float(np.mean(values)) for name, values in psnr.items()}


def _source(video: Path) -> VideoSource:
    if not video.exists():
        beside = [path.name for path in video.parent.iterdir()] if video.parent.is_dir() else []
        raise UnreadableVideo(f"there is no file {video}{did_you_mean(video.name, beside)}")
    if video.is_dir():
        return VideoSource(escape_name(video.name), video, kind="images", fps=IMAGE_FPS)
    return FolderDataset(video).sources()[0]


def _show_window(
    clip: Clip, built: dict[str, VideoTokenizer], psnr: dict[str, list[float]], device: torch.device
) -> list[np.ndarray]:
    num_distinct = len(dict.fromkeys(clip.window.frame_ids))
    reference = to_uint8(clip.video)[:num_distinct]
    columns = [[_labelled("original", frame), np.zeros_like(frame)] for frame in reference]
    rows = [[columns[t][0]] for t in range(num_distinct)]
    errors = [[columns[t][1]] for t in range(num_distinct)]
    for name, tokenizer in built.items():
        result = forward(tokenizer, [clip], device)
        reconstruction = result.reconstruction.clamp(-1, 1)
        values = decibels(frame_mse(result.reference, reconstruction)[0].cpu().numpy()).tolist()[:num_distinct]
        psnr[name].extend(values)
        shown = to_uint8(reconstruction[0])
        for t in range(num_distinct):
            difference = np.abs(shown[t].astype(np.int16) - reference[t]) * ERROR_GAIN
            rows[t].append(_labelled(f"{name}  {values[t]:.1f} dB", shown[t]))
            errors[t].append(_labelled(f"|error| × {ERROR_GAIN}", difference.clip(0, 255).astype(np.uint8)))
    blank = np.zeros((LABEL_HEIGHT, reference.shape[2], 3), np.uint8)
    return [
        np.concatenate(
            [
                np.concatenate(rows[t], axis=1),
                np.concatenate([np.concatenate([blank, errors[t][0]]), *errors[t][1:]], axis=1),
            ]
        )
        for t in range(num_distinct)
    ]


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans out of matplotlib's data: Pillow's own font lacks × and …"""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)


def _labelled(text: str, frame: np.ndarray) -> np.ndarray:
    bar = Image.new("RGB", (frame.shape[1], LABEL_HEIGHT), BACKGROUND)
    font = _font(13)
    draw = ImageDraw.Draw(bar)
    while text and draw.textlength(text, font=font) > frame.shape[1] - 8:
        text = text[:-2].rstrip("…") + "…"
    draw.text((4, 3), text, fill=FOREGROUND, font=font)
    return np.concatenate([np.asarray(bar), frame])


def _with_strips(frames: list[np.ndarray], psnr: dict[str, list[float]]) -> np.ndarray:
    """Add the PSNR strip, with a cursor at each frame's own position."""
    width = frames[0].shape[1]
    strip = _strip(width, psnr)
    left, right = _strip_extent(width)
    shown = []
    for index, frame in enumerate(frames):
        picture = Image.fromarray(strip.copy())
        x = left + (right - left) * index / max(1, len(frames) - 1)
        ImageDraw.Draw(picture).line([(x, LEGEND_HEIGHT), (x, STRIP_HEIGHT - 6)], fill=FOREGROUND)
        shown.append(np.concatenate([frame, np.asarray(picture)]))
    return np.stack(shown)


def _strip_extent(width: int) -> tuple[int, int]:
    return 60, width - 12


def _strip(width: int, psnr: dict[str, list[float]]) -> np.ndarray:
    picture = Image.new("RGB", (width, STRIP_HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = _font(11)
    values = [value for series in psnr.values() for value in series]
    low, high = np.floor(min(values)), np.ceil(max(values))
    left, right = _strip_extent(width)

    def position(index: int, count: int, value: float) -> tuple[float, float]:
        share = (value - low) / max(high - low, 1e-9)
        x = left + (right - left) * index / max(1, count - 1)
        return x, STRIP_HEIGHT - 8 - share * (STRIP_HEIGHT - LEGEND_HEIGHT - 16)

    for value in (low, high):
        draw.text((4, position(0, 1, value)[1] - 6), f"{value:.0f} dB", fill=FOREGROUND, font=font)
    for name, colour in zip(psnr, _cycle(len(psnr)), strict=True):
        series = psnr[name]
        points = [position(index, len(series), value) for index, value in enumerate(series)]
        draw.line(points if len(points) > 1 else points * 2, fill=colour, width=2)
    x = float(left)
    for name, colour in zip(psnr, _cycle(len(psnr)), strict=True):
        draw.text((x, 2), name, fill=colour, font=font)
        x += draw.textlength(name, font=font) + 14
    return np.asarray(picture)


def _cycle(count: int) -> list[str]:
    return [STRIP_COLOURS[index % len(STRIP_COLOURS)] for index in range(count)]
