"""Measuring a model while it is trained, on clips that it isn't trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ...datasets.readers.choice import open_reader
from ...datasets.sample import SampleDataset
from ...datasets.transforms import transform_frames
from ...tokenizers.interface import VideoTokenizer
from ...tokenizers.training.errors import TrainingError
from ..metrics.psnr import decibels, frame_mse
from ..metrics.ssim import gaussian_ssim


@dataclass(frozen=True)
class Validation:
    """On what a model is measured while it is trained: the first window of clips of the built-in sample."""

    size: int = 128
    """Height and width, in pixels."""
    num_clips: int = 12
    """Clips, the first ones by name."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Validation:
        """From the table of a recipe; raises :class:`TrainingError` on an unknown name."""
        names = [f.name for f in fields(cls)]
        if unknown := sorted(set(values) - set(names)):
            raise TrainingError(f"validation: {unknown[0]} is no key; there are: {', '.join(names)}")
        return cls(**values)

    @property
    def description(self) -> str:
        """In words."""
        return f"first windows of {self.num_clips} clips of the dataset sample at {self.size}×{self.size}"

    def clips(self, num_frames: int) -> list[Tensor]:
        """The clips, each (1, 3, T, H, W) in [-1, 1]."""
        found = []
        for source in SampleDataset().sources()[: self.num_clips]:
            with open_reader(source) as reader:
                frames = reader.frames(range(num_frames))
            clip = transform_frames(
                frames,
                height=self.size,
                width=self.size,
                resize="short-side-to-height",
                resize_filter="bilinear",
                antialias=True,
                crop="center",
            )
            found.append(clip[None])
        return found


@torch.no_grad()
def reconstruction_quality(tokenizer: VideoTokenizer, clips: list[Tensor]) -> dict[str, float]:
    """``psnr`` (dB) and ``ssim``, by toklab's metrics of these names, of clips (1, 3, T, H, W)."""
    parameters = (parameter for module in tokenizer.modules().values() for parameter in module.parameters())
    device = next(parameters).device
    psnr, ssim = [], []
    for clip in clips:
        reconstruction = tokenizer.decode(tokenizer.encode(clip.to(device))).clamp(-1, 1).cpu()
        psnr += decibels(frame_mse(clip, reconstruction).numpy()).ravel().tolist()
        ssim += gaussian_ssim(clip, reconstruction).flatten().tolist()
    return {"psnr": sum(psnr) / len(psnr), "ssim": sum(ssim) / len(ssim)}
