"""Side-by-side video: the original beside the reconstructions of several tokenizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...datasets.folder import IMAGE_FPS, FolderDataset
from ...datasets.interface import Clip, FailedClip, UnreadableVideo, VideoSource
from ...datasets.names import escape_name
from ...datasets.protocol import load_protocol
from ...datasets.stream import ClipStream
from ...datasets.video_writer import VideoWriter
from ...reports.identity import Identity, identify
from ...reports.schema import Figure
from ...tokenizers.errors import did_you_mean
from ...tokenizers.interface import InferenceSettings, TokenizerSpec, VideoTokenizer
from ..catalog.catalog import tokenizers
from ..catalog.exact_float32 import exact_float32
from ..metrics.psnr import FramePsnr, decibels, frame_mse
from ..planning.suite import parse_assignments
from .device import Device, open_device
from .forward import forward
from .options import resolve_device
from .reconstruction_checks import NonFiniteReconstruction, are_finite, describe_non_finite
from .reconstructions import to_uint8
from .side_by_side_page import SideBySidePage

CONTAINERS = (".mp4", ".mkv", ".mov")
"""Endings of files that take H.264, and that common players open."""


@dataclass(frozen=True)
class _ShownWindow:
    """The frames of a window: uint8 RGB, (T, H, W, 3), without those that only fill it up."""

    fps: float
    reference: np.ndarray
    made: dict[str, np.ndarray]
    """By the tokenizer's name."""
    psnr: dict[str, list[float]]
    """dB of each frame, by the tokenizer's name."""


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
        NonFiniteReconstruction: if a tokenizer makes NaN or infinite values of it.
        ValueError: (a subclass) if ``out`` isn't named like a video, or a tokenizer, setting or device is unknown.
    """
    if out.suffix.lower() not in CONTAINERS:
        raise ValueError(
            f"--out {out}: a video is written, so the name ends in {', '.join(CONTAINERS)}, such as {out.stem}.mp4"
        )
    source = _source(video)
    chosen = open_device(resolve_device(device))
    catalog = tokenizers(card_folders)
    inference = InferenceSettings.from_mapping(parse_assignments(list(settings)))
    built = {name: catalog.entry(name).build(inference, chosen.torch_device) for name in names}
    protocol = load_protocol("vidtok").derive(height=size[0], width=size[1])
    causal = all(tokenizer.spec.causal for tokenizer in built.values())
    with exact_float32(), ClipStream([source], protocol, causal=causal, max_clips=max_windows) as stream:
        windows = [_show_window(item, built, chosen) for item in stream]
    psnr = {name: [value for window in windows for value in window.psnr[name]] for name in built}
    identities = _identities({name: tokenizer.spec for name, tokenizer in built.items()})
    _write_video(out, windows, SideBySidePage(identities, psnr, *size))
    return {name: float(np.mean(values)) for name, values in psnr.items()}


def _write_video(out: Path, windows: Sequence[_ShownWindow], page: SideBySidePage) -> None:
    index = 0
    with VideoWriter(out, windows[0].fps, "view") as writer:
        for window in windows:
            for position, reference in enumerate(window.reference):
                made = {name: frames[position] for name, frames in window.made.items()}
                writer.write(page.draw(index, reference, made)[None])
                index += 1


def _identities(specs: Mapping[str, TokenizerSpec]) -> list[Identity]:
    """Names and colours as a report of these tokenizers would give them."""
    named = identify(
        [
            Figure(
                system=spec.title,
                tokenizer=name,
                label=name,
                regularizer=spec.regularizer_label,
                group=spec.comparison_group,
                weights=spec.weights,
                dataset="",
                protocol="",
                protocol_hash="",
                metric=FramePsnr.name,
                title=FramePsnr.title,
                direction=FramePsnr.direction,
            )
            for name, spec in specs.items()
        ]
    )
    return [named[name] for name in specs]


def _source(video: Path) -> VideoSource:
    if not video.exists():
        beside = [path.name for path in video.parent.iterdir()] if video.parent.is_dir() else []
        raise UnreadableVideo(f"there is no file {video}{did_you_mean(video.name, beside)}")
    if video.is_dir():
        return VideoSource(escape_name(video.name), video, kind="images", fps=IMAGE_FPS)
    return FolderDataset(video).sources()[0]


def _show_window(clip: Clip | FailedClip, built: Mapping[str, VideoTokenizer], device: Device) -> _ShownWindow:
    """Reconstruct a window.

    Raises:
        UnreadableVideo: if it couldn't be read.
        NonFiniteReconstruction: if a tokenizer makes NaN or infinite values of it.
    """
    if isinstance(clip, FailedClip):
        raise UnreadableVideo(clip.reason)
    num_distinct = len(dict.fromkeys(clip.window.frame_ids))
    made: dict[str, np.ndarray] = {}
    psnr: dict[str, list[float]] = {}
    for name, tokenizer in built.items():
        result = forward(tokenizer, [clip], device)
        if not all(are_finite(result.reconstruction)):
            found = describe_non_finite(result.reconstruction[0])
            raise NonFiniteReconstruction(f"{name}: {found} of window {clip.window.index}")
        reconstruction = result.reconstruction.clamp(-1, 1)
        values = decibels(frame_mse(result.reference, reconstruction)[0].cpu().numpy())
        psnr[name] = values.tolist()[:num_distinct]
        made[name] = to_uint8(reconstruction[0])[:num_distinct]
    return _ShownWindow(clip.fps, to_uint8(clip.video)[:num_distinct], made, psnr)
