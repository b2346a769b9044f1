"""What a model in training makes of a few clips, step by step: a strip of frames for each validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...datasets.interface import Clip
from ...datasets.protocol import Protocol
from ...datasets.stream import ClipStream
from ...reports.charts.pictures import picture
from ...reports.charts.strips import MOST_SYSTEMS, Pane, StripFrame, draw_strip, error_map
from ...reports.files import write_bytes
from ...reports.identity import Identity
from ...tokenizers.interface import VideoTokenizer
from ..analysis.frame_pixels import crop_box
from ..analysis.frame_quality import frame_psnr, frame_ssim
from ..analysis.strips import ERROR_LIMITS, ERROR_SHARE
from ..api import find_videos
from ..execution.reconstructions import to_uint8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "samples"
COLOURS = ("#9E9E9E", "#0072B2")
"""Of the markers of earlier steps and of this one."""


@dataclass(frozen=True)
class _Sample:
    """The middle frame of a clip."""

    title: str
    clip: Tensor
    """(1, 3, T, H, W) in [-1, 1]."""
    reference: np.ndarray
    """(H, W, 3) uint8."""


class TrainingSamples:
    """Draws the middle frames of the first windows of a few videos beside what the model makes of them.

    Beside the newest reconstructions stand those of the first validation of this process and of the last ones.

    Args:
        videos: as :func:`toklab.bench.evaluate` takes them.
        protocol: cuts the clips.
        num_samples: how many videos, the first ones by name; 0: nothing is drawn.
        out: folder of the training; the strips go into ``samples``.
        tensorboard: whether TensorBoard gets them, too.
    """

    def __init__(self, videos: str, protocol: Protocol, num_samples: int, out: Path, *, tensorboard: bool = False):
        self._videos = videos
        self._protocol = protocol
        self._num_samples = num_samples
        self._out = out
        self._tensorboard = tensorboard
        self._samples: list[_Sample] | None = None
        self._made: dict[int, list[np.ndarray]] = {}
        """Reconstructed frames by step."""

    @torch.no_grad()
    def draw(self, tokenizer: VideoTokenizer, step: int) -> Path | None:
        """Draw a strip of the model as it is and return its file; ``None`` where there is nothing to draw."""
        if self._samples is None:
            self._samples = self._read(tokenizer.spec.causal)
        if not self._samples:
            return None
        parameters = (parameter for module in tokenizer.modules().values() for parameter in module.parameters())
        device = next((parameter.device for parameter in parameters), torch.device("cpu"))
        self._made[step] = [
            _middle_frame(tokenizer.decode(tokenizer.encode(sample.clip.to(device)))) for sample in self._samples
        ]
        steps = sorted(self._made)
        for forgotten in steps[1 : 1 - MOST_SYSTEMS] if len(steps) > MOST_SYSTEMS else ():
            del self._made[forgotten]
        path = write_bytes(self._out / FOLDER / f"step-{step:07d}.png", picture(self._strip(step), "png"))
        if self._tensorboard:
            self._log(path, step)
        return path

    def _read(self, causal: bool) -> list[_Sample]:
        """The first windows of the first videos that can be read."""
        samples: list[_Sample] = []
        if not self._num_samples:
            return samples
        dataset = find_videos(self._videos)
        stream = ClipStream(
            dataset.sources(),
            self._protocol.on(dataset),
            causal=causal,
            skip=lambda key, content, window: window.index > 0,
        )
        with stream:
            for clip in stream:
                if isinstance(clip, Clip) and clip.is_whole:
                    samples.append(_Sample(clip.source, clip.video[None].clone(), _middle_frame(clip.video[None])))
                if len(samples) == self._num_samples:
                    break
        return samples

    def _strip(self, newest: int) -> Figure:
        assert self._samples is not None
        steps = sorted(self._made)
        identities = {
            f"step {step}": _identity(f"step {step}", COLOURS[step == newest], "o" if step == newest else "s")
            for step in steps
        }
        frames, errors = [], []
        for index, sample in enumerate(self._samples):
            made = {f"step {step}": self._made[step][index] for step in steps}
            box = crop_box(sample.reference, [made[f"step {newest}"]])
            height, width = sample.reference.shape[:2]
            panes = []
            for label, frame in made.items():
                errors.append(error_map(sample.reference, frame))
                quality = frame_psnr(sample.reference, frame), frame_ssim(sample.reference, frame)
                panes.append(Pane(label, frame, box.cut(frame), errors[-1], *quality))
            frames.append(
                StripFrame(
                    sample.title,
                    (box.top / height, box.left / width, box.height / height, box.width / width),
                    Pane("", sample.reference, box.cut(sample.reference)),
                    tuple(panes),
                )
            )
        largest = float(np.quantile(np.concatenate([error.ravel() for error in errors]), ERROR_SHARE))
        limit = next(float(limit) for limit in ERROR_LIMITS if limit >= largest)
        return draw_strip(frames, identities, {}, limit)

    def _log(self, path: Path, step: int) -> None:
        from PIL import Image
        from torch.utils.tensorboard import SummaryWriter

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        with SummaryWriter(self._out / "tensorboard") as writer:
            writer.add_image(FOLDER, pixels, step, dataformats="HWC")


def _middle_frame(video: Tensor) -> np.ndarray:
    """Of (1, 3, T, H, W) in [-1, 1]: (H, W, 3) uint8."""
    middle = video.shape[2] // 2
    return to_uint8(video[0, :, middle : middle + 1].detach().float())[0]


def _identity(label: str, colour: str, marker: str) -> Identity:
    return Identity(label, label, label, "", colour, 50, marker, ())
