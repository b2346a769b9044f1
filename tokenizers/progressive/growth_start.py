"""Weights from which a level starts on top of a trained one, and a direct extension on a trained base.

A grown level starts as the one below on every second frame, an extension with the mean of two neighbouring features in
the place of each pair. Both double time by the least-squares estimate of what the trained model gives for all frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..networks.magvit2.blocks import ResidualBlock
from ..networks.magvit2.trunk import run_blocks
from ..training.least_squares import space_time_blocks
from .growth import TimeDecoder
from .linear_start import fit
from .model import DirectModel, LevelledModel, ProgressiveModel, grow


@torch.no_grad()
def grow_into(base: ProgressiveModel, model: ProgressiveModel, clips: Tensor) -> None:
    """Give ``model``, of twice the ratio of ``base``, the weights of :func:`~.model.grow`, with frames interpolated.

    Where its configuration says no ``bootstrap``, the new level stays as drawn.

    Args:
        base: trained.
        model: in training mode.
        clips: (B, 3, T, H, W) in [-1, 1], of legal length and size, that the upsampling is fitted to.

    Raises:
        TokenizerError: see :func:`~.model.grow`.
    """
    model.load_state_dict(grow(base, model.config).state_dict())
    if not model.config.bootstrap:
        return
    level = model.level(model.config.ratio)
    wanted = base.bottleneck(base.config.ratio).features(_latents(base, clips))
    _fit_doubling(level.decoder, level.bottleneck.features(_latents(model, clips)), wanted)


def repeat_into(base: ProgressiveModel, model: ProgressiveModel, clips: Tensor) -> None:
    """As :func:`grow_into`, with frames repeated: nothing is fitted, which would take hours at full size."""
    model.load_state_dict(grow(base, model.config).state_dict())


@torch.no_grad()
def extend_into(base: ProgressiveModel, model: DirectModel, clips: Tensor) -> None:
    """Give ``model`` the weights of ``base``, a trained base of 4×, its extensions fitted; arguments as above."""
    model.base.load_state_dict(base.base.state_dict())
    for extension in model.extensions:
        for module in extension.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.conv2.conv_1.weight)
        weight = extension.encoder.downsample.conv_1.weight
        nn.init.zeros_(weight)
        weight[:, :, 1:, 1, 1] = torch.eye(len(weight))[:, :, None] / 2
    features = model.base.bottleneck.features(_latents(model, clips))
    wanted = base.base.bottleneck.features(_latents(base, clips))
    for number, extension in reversed(list(enumerate(model.extensions))):
        features = _fit_doubling(extension.decoder, features, _means(wanted, 2**number))


def _latents(model: LevelledModel, clips: Tensor) -> Tensor:
    return model.regularization(model.moments(clips)).latents


def _means(x: Tensor, number: int) -> Tensor:
    """Means of ``number`` successive frames of (B, C, T, H, W), the first of which stands for that many."""
    padded = torch.cat([x[:, :, :1].expand(-1, -1, number - 1, -1, -1), x], 2)
    return padded.unflatten(2, (-1, number)).mean(3)


def _fit_doubling(decoder: TimeDecoder, x: Tensor, wanted: Tensor) -> Tensor:
    """Make the upsampling estimate the features ``wanted`` (B, C, 2 n + 1, H, W) of (B, C, n + 1, H, W).

    Returns the estimate.
    """
    x = run_blocks(decoder.block, x, None)
    # The frame that the layer drops stands before the clip's first; what is fitted to it has no effect.
    targets = torch.cat([wanted[:, :, :1], wanted], 2).permute(0, 2, 3, 4, 1)
    fit(decoder.upsample.conv1.conv_1, x, space_time_blocks(targets, 2, 1))
    return decoder.upsample(x)
