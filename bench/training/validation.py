"""Measuring a model while it is trained, on clips that it isn't trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ...datasets.interface import VideoSource
from ...datasets.readers.choice import open_reader
from ...datasets.sample import SampleDataset
from ...datasets.training_data import known_values
from ...datasets.transforms import transform_frames
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.training.errors import TrainingError
from ..catalog.exact_float32 import exact_float32
from ..metrics.psnr import decibels, frame_mse
from ..metrics.ssim import gaussian_ssim


@dataclass(frozen=True)
class Validation:
    """On what a model is measured while it is trained: the first window of clips of the built-in sample.

    With videos of the user's own, these are measured instead, by the bench, and the further fields say how.

    Raises:
        TrainingError: if a value is of the wrong kind or out of range.
    """

    size: int = 128
    """Height and width, in pixels."""
    num_clips: int = 12
    """Clips: the first ones of the sample by name; of videos of one's own, windows spread over all of them."""
    metrics: tuple[str, ...] = ("psnr", "ssim", "lpips-vgg", "fvd-i3d")
    """Of videos of one's own: metrics of the bench; those whose weights aren't on this machine are left out."""
    protocol: str = "vidtok"
    """Of videos of one's own: a protocol's name or TOML file; its height and width give way to ``size``."""
    best: str = "psnr"
    """One of the metrics: the weights with its best value are kept beside the last ones."""
    num_samples: int = 3
    """Clips of one's own videos that are shown as strips; 0: none."""

    def __post_init__(self) -> None:
        if min(self.size, self.num_clips) < 1 or self.num_samples < 0:
            raise TrainingError("validation: size and num_clips are at least 1, and num_samples not negative")
        if self.best not in self.metrics or "psnr" not in self.metrics:
            raise TrainingError(f"validation: metrics hold psnr and best ({self.best}), not only {self.metrics}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Validation:
        """From the table of a recipe; raises :class:`TrainingError` on an unknown name or a value of another type."""
        try:
            return cls(**known_values(cls, values, "validation"))
        except ValueError as error:
            raise TrainingError(str(error)) from None

    @property
    def description(self) -> str:
        """In words."""
        return f"first windows of {self.num_clips} clips of the dataset sample at {self.size}×{self.size}"

    def clips(self, num_frames: int) -> list[Tensor]:
        """The clips, each (1, 3, T, H, W) in [-1, 1]."""
        return first_windows(SampleDataset().sources()[: self.num_clips], num_frames, self.size)


def first_windows(sources: Iterable[VideoSource], num_frames: int, size: int) -> list[Tensor]:
    """The first frames of videos, scaled by their short side and cut to squares: each (1, 3, T, H, W) in [-1, 1]."""
    found = []
    for source in sources:
        with open_reader(source) as reader:
            frames = reader.frames(range(num_frames))
        clip = transform_frames(
            frames,
            height=size,
            width=size,
            resize="short-side-to-height",
            resize_filter="bilinear",
            antialias=True,
            crop="center",
        )
        found.append(clip[None])
    return found


class Validator(Protocol):
    """Measures a model on the user's own videos. Training lies below what runs the bench, so it is handed in."""

    is_higher_better: bool
    """Of the figure that chooses the best weights."""

    @property
    def description(self) -> str:
        """What is measured, in words."""
        ...

    def __call__(self, tokenizer: VideoTokenizer, step: int, /) -> Mapping[str, float]:
        """Figures by metric, ``psnr`` among them, of the tokenizer after so many steps."""
        ...


MakeValidator = Callable[[Validation], Validator]


@torch.no_grad()
@exact_float32()
def reconstruction_quality(tokenizer: VideoTokenizer, clips: list[Tensor]) -> dict[str, float]:
    """``psnr`` (dB) and ``ssim`` of clips (1, 3, T, H, W): toklab's metrics of these names, without TF32."""
    parameters = (parameter for module in tokenizer.modules().values() for parameter in module.parameters())
    device = next(parameters).device
    psnr, ssim = [], []
    for clip in clips:
        reconstruction = tokenizer.decode(tokenizer.encode(clip.to(device))).clamp(-1, 1).cpu()
        psnr += decibels(frame_mse(clip, reconstruction).numpy()).ravel().tolist()
        ssim += gaussian_ssim(clip, reconstruction).flatten().tolist()
    return {"psnr": sum(psnr) / len(psnr), "ssim": sum(ssim) / len(ssim)}
