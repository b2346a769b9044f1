"""Terms of a reconstruction loss beyond the pixelwise one, and their weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .adversary import Adversary, adaptive_weight
from .objective import PerceptualLoss

WINDOW_TAPS = 11
WINDOW_SIGMA = 1.5
LUMINANCE_CONSTANT = 0.01**2
CONTRAST_CONSTANT = 0.03**2
MAX_SCALES = 5


def multi_scale_ssim_loss(reconstruction: Tensor, clip: Tensor) -> Tensor:
    """One minus the structural similarity of frames, averaged over scales, frames and channels.

    The scales halve the frames by averaging, at most five, as long as a side has 11 pixels; at each scale it is SSIM
    under an 11×11 Gaussian window of σ 1.5 (Wang et al. 2004) on values in [0, 1]. Unlike MS-SSIM (Wang et al. 2003),
    which multiplies the scales, the mean has a gradient where a scale has no similarity at all, as early in training.

    Args:
        reconstruction: (B, C, T, H, W) in about [-1, 1].
        clip: the same shape, in [-1, 1].

    Raises:
        ValueError: if a side has less than 11 pixels.
    """
    if min(clip.shape[-2:]) < WINDOW_TAPS:
        raise ValueError(f"SSIM takes frames of at least {WINDOW_TAPS} pixels, not {tuple(clip.shape[-2:])}")
    x, y = ((video.transpose(1, 2).flatten(0, 2).float() + 1) / 2 for video in (clip, reconstruction))
    losses = []
    while min(x.shape[-2:]) >= WINDOW_TAPS and len(losses) < MAX_SCALES:
        losses.append(1 - _ssim(x, y))
        x, y = (F.avg_pool2d(images[:, None], 2)[:, 0] for images in (x, y))
    return torch.stack(losses).mean()


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean SSIM of images (N, H, W) in [0, 1]."""
    rows, columns = (_window_matrix(side, x) for side in x.shape[-2:])
    # Two products with banded matrices are faster on CPUs than convolutions of one channel.
    moments = rows @ torch.stack([x, y, x * x + y * y, x * y]) @ columns.T
    mean_x, mean_y, squares, products = moments
    variances = squares - mean_x.square() - mean_y.square()
    covariance = products - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + LUMINANCE_CONSTANT) / (mean_x.square() + mean_y.square() + LUMINANCE_CONSTANT)
    return (luminance * (2 * covariance + CONTRAST_CONSTANT) / (variances + CONTRAST_CONSTANT)).mean()


def _window_matrix(side: int, like: Tensor) -> Tensor:
    """(side − 10, side): every row holds the Gaussian window around one valid position."""
    taps = [math.exp(-((tap - WINDOW_TAPS // 2) ** 2) / (2 * WINDOW_SIGMA**2)) for tap in range(WINDOW_TAPS)]
    matrix = like.new_zeros(side - WINDOW_TAPS + 1, side)
    for offset, tap in enumerate(taps):
        matrix.diagonal(offset).fill_(tap / sum(taps))
    return matrix


@dataclass(frozen=True)
class WeightedLoss:
    """A term of a reconstruction loss."""

    loss: PerceptualLoss
    weight: float
    start: int = 0
    """Optimizer steps before the term counts."""


class ReconstructionTerms(nn.Module):
    """The weighted terms that compare a reconstruction with its clip: what objectives get beside their own.

    An objective calls either the sum of all terms, or :meth:`perceptual` and then :meth:`adversarial`. The trainer sets
    :attr:`step` before every step and logs :attr:`values` after it.

    Args:
        terms: by name; the one called ``adversarial`` is an :class:`Adversary`.
        adaptive: whether the weight of the adversarial term is multiplied by :func:`adaptive_weight`, which takes an
            objective that calls :meth:`adversarial`.
    """

    def __init__(self, terms: Mapping[str, WeightedLoss], *, adaptive: bool = False):
        super().__init__()
        self.terms = dict(terms)
        self.adaptive = adaptive
        self.networks = nn.ModuleDict(
            {name: term.loss for name, term in terms.items() if isinstance(term.loss, nn.Module)}
        )
        self.step = 0
        """Optimizer steps done so far."""
        self.values: dict[str, Tensor] = {}
        """The terms of the last reconstruction, unweighted and detached."""

    @property
    def adversary(self) -> Adversary | None:
        """The discriminator with its losses, where there is one."""
        loss = self.terms["adversarial"].loss if "adversarial" in self.terms else None
        assert loss is None or isinstance(loss, Adversary)
        return loss

    def forward(self, reconstruction: Tensor, clip: Tensor) -> Tensor:
        """The sum of all terms, a scalar, of (B, 3, T, H, W) and the same; zero where no term has started."""
        return self._sum(list(self.terms), reconstruction, clip)

    def perceptual(self, reconstruction: Tensor, clip: Tensor) -> Tensor:
        """The sum of all terms but the adversarial one."""
        return self._sum([name for name in self.terms if name != "adversarial"], reconstruction, clip)

    def adversarial(self, reconstruction: Tensor, clip: Tensor, error: Tensor, last_layer: Tensor) -> Tensor:
        """The weighted adversarial term, a scalar; zero before its start.

        Args:
            reconstruction: (B, 3, T, H, W) float32, with gradients.
            clip: the same shape.
            error: the reconstruction loss, which adaptive weights compare with; it follows from ``reconstruction``.
            last_layer: weight of the layer that makes the frames.
        """
        term, adversary = self.terms["adversarial"], self.adversary
        assert adversary is not None
        if self.step < term.start:
            return reconstruction.new_zeros(())
        value = adversary(reconstruction, clip)
        self.values["adversarial"] = value.detach()
        if not self.adaptive:
            return term.weight * value
        weight = adaptive_weight(error, value, reconstruction, last_layer)
        self.values["adaptive_weight"] = weight
        return term.weight * weight * value

    def _sum(self, names: list[str], reconstruction: Tensor, clip: Tensor) -> Tensor:
        total = reconstruction.new_zeros(())
        self.values = {}
        for name in names:
            term = self.terms[name]
            if self.step >= term.start:
                value = term.loss(reconstruction, clip)
                self.values[name] = value.detach()
                total = total + term.weight * value
        return total
