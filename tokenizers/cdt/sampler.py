"""From noise to frames: the denoising steps of one chunk, and where their noise comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..interface import draw_seed
from .cache import FeatureCache
from .denoiser import Denoiser
from .schedule import SamplingStep, sampling_steps

NoiseSource = Callable[[int, int], Tensor]
"""(number, num_frames) to the next frames (B, T, H, W, 3), N(0, 1), float32, of a clip's noise with that number: 0 is
what sampling starts from, n what its n-th step adds."""


class ClipNoise:
    """Noise of a batch that depends on each clip's seed and nothing else: frames are drawn one by one.

    Args:
        seeds: one a clip.
        height: pixels.
        width: pixels.
        device: where the noise is needed; it is drawn on the CPU.
    """

    def __init__(self, seeds: Sequence[int], height: int, width: int, device: torch.device):
        self._roots = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._generators: list[list[torch.Generator]] = [[] for _ in seeds]
        self._shape = (height, width, 3)
        self._device = device

    def __call__(self, number: int, num_frames: int) -> Tensor:
        """The next frames of each clip's noise with that number; see :data:`NoiseSource`."""
        clips = [self._clip_frames(clip, number, num_frames) for clip in range(len(self._roots))]
        return torch.stack(clips).to(self._device)

    def _clip_frames(self, clip: int, number: int, num_frames: int) -> Tensor:
        generators = self._generators[clip]
        while len(generators) <= number:
            generators.append(torch.Generator().manual_seed(draw_seed(self._roots[clip])))
        frames = [torch.randn(self._shape, generator=generators[number], device="cpu") for _ in range(num_frames)]
        return torch.stack(frames)


@dataclass(frozen=True)
class Sampler:
    """DDIM with a denoiser that predicts the clean frames (Song et al. 2021, arXiv:2010.02502, eq. 12)."""

    steps: int = 1
    """Denoising steps."""
    eta: float = 0.0
    """Share of fresh noise in each step; 0: none, 1: that of DDPM."""

    def schedule(self, denoiser: Denoiser) -> list[SamplingStep]:
        """The steps for a denoiser, noisiest first; errors are those of :func:`sampling_steps`."""
        return sampling_steps(denoiser.config.num_timesteps, self.steps)

    def sample(
        self,
        denoiser: Denoiser,
        conditions: Sequence[Tensor],
        noise: NoiseSource,
        caches: Sequence[FeatureCache],
    ) -> Tensor:
        """The frames (B, T, H, W, 3), float32, of one chunk.

        Args:
            denoiser: the network.
            conditions: the chunk's condition maps, finest first.
            noise: of the clip.
            caches: of the clip, one a step.
        """
        B, num_frames = conditions[0].shape[:2]
        num_timesteps = denoiser.config.num_timesteps
        x = denoiser.config.sample_gamma * noise(0, num_frames)
        for number, (step, cache) in enumerate(zip(self.schedule(denoiser), caches, strict=True), 1):
            time = torch.full((B, 1), step.index / num_timesteps, device=x.device)
            clean = denoiser(x, time, conditions, cache)
            x = self._advance(step, x, clean, lambda number=number: noise(number, num_frames))
        return x

    def _advance(self, step: SamplingStep, x: Tensor, clean: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        if step.next_share == 1:
            return clean
        deviation = self.eta * step.sigma
        direction = (step.recip * x - clean) / step.recip_minus_one
        x = math.sqrt(step.next_share) * clean
        x = x + math.sqrt(max(1 - step.next_share - deviation**2, 0.0)) * direction
        return x + deviation * draw() if deviation else x
