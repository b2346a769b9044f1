"""Weights from which a small CDT starts as a linear transform of blocks of the clip.

Residual blocks start as their shortcuts, which keep the leading channels. The encoder's resampling layers keep the
principal components of what they merge. Each upsampling of the condition decoder is the least-squares estimate of the
clip's components at its own resolution. The denoiser has a start of its own, :mod:`.denoiser_start`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import TokenizerError
from ..networks.quantizers.kl import split_moments
from ..training.least_squares import (
    LOG_VARIANCE,
    component_rows,
    draw_positions,
    latent_rows,
    principal_axes,
    ridge,
    set_zero,
    space_time_blocks,
)
from .blocks import AttentionBlock, ResnetBlock
from .cache import FeatureCache
from .compressor import Compressor
from .denoiser_start import fit_denoiser
from .fits import clip_components, fit_time_upsample, fit_upsample, input_of, set_shortcut
from .layers import ChannelLayerNorm, Downsample, TimeDownsample, TimeUpsample, TransposedUpsample
from .model import CDTModel, channels_last
from .time_gains import IDLE_BIAS


@torch.no_grad()
def linear_start(model: CDTModel, clips: Tensor) -> None:
    """Set all weights of a CDT of the small kind, whose upsampling is transposed and whose level 0 halves space.

    Args:
        model: in training mode.
        clips: (B, 3, T, H, W) in [-1, 1], of legal length and size, that the layers are fitted to.

    Raises:
        TokenizerError: for another kind of CDT.
    """
    config = model.config
    if config.new_upsample or not config.space_down[0] or config.condition_times < 2:
        raise TokenizerError(
            "a linear start needs a CDT with transposed upsampling, space halved at level 0, and two maps"
        )
    for module in model.modules():
        if isinstance(module, ResnetBlock):
            norm = cast(ChannelLayerNorm, module.block2.block[1])
            norm.g.zero_()
            norm.b.fill_(IDLE_BIAS)
            set_shortcut(module)
        elif isinstance(module, AttentionBlock):
            set_zero(module.fn.fn.to_out)
    video = channels_last(clips)
    hidden, components = _fit_encoder(model.compressor, video)
    latents = _fit_latents(model.compressor, hidden, components)
    conditions = _fit_condition_decoder(model.compressor, latents, video)
    fit_denoiser(model.denoiser, conditions, video)


def _fit_encoder(compressor: Compressor, video: Tensor) -> tuple[Tensor, Tensor]:
    """Set the resampling layers; returns the encoder's features, and the clip's components in true scale."""
    cache, x, scale = FeatureCache(), video, torch.ones(3)
    for level in compressor.enc:
        blocks = cast(nn.ModuleDict, level)
        x = blocks["0"](x, cache)
        scale = F.pad(scale[: x.shape[-1]], (0, max(0, x.shape[-1] - len(scale))), value=1.0)
        if "1" in blocks:
            conv = cast(Downsample, blocks["1"]).conv
            rows, scale = component_rows(space_time_blocks(x, 1, 2), scale)
            set_zero(conv)
            conv.weight[:, :, 0, 1:, 1:] = rows.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
            x = blocks["1"](x)
        if "2" in blocks:
            conv = cast(TimeDownsample, blocks["2"]).conv
            rows, scale = component_rows(space_time_blocks(torch.cat([x[:, :1], x], 1), 2, 1), scale)
            set_zero(conv)
            conv.weight[:, :, 1:] = rows.unflatten(1, (2, -1)).permute(0, 2, 1)
            x = blocks["2"](x, cache)
    return x, x / scale


def _fit_latents(compressor: Compressor, hidden: Tensor, components: Tensor) -> Tensor:
    """Set what makes moments of features; returns the latents, (B, t, h, w, C)."""
    positions = draw_positions(hidden)
    centred = components[positions] - components[positions].mean(0)
    axes, variances = principal_axes(centred)
    number = compressor.config.latent_dim
    weight, bias = ridge(hidden[positions], centred @ latent_rows(axes, variances, number).T)
    set_zero(compressor.quant_conv_res[-1])
    conv = compressor.quant_conv
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:number, :, 0, 0, 0] = weight
    conv.bias[:number] = bias
    conv.bias[number:] = LOG_VARIANCE
    moments = compressor.moments(hidden, FeatureCache())
    return split_moments(moments.movedim(-1, 1))[0].movedim(1, -1)


def _fit_condition_decoder(compressor: Compressor, latents: Tensor, video: Tensor) -> list[Tensor]:
    """Set the layers from the latents on, each to the best linear estimate at its resolution; returns the maps."""
    set_zero(compressor.post_quant_conv_res[0])
    conv = compressor.post_quant_conv
    assert conv.bias is not None
    positions = draw_positions(latents)
    wanted = clip_components(video, latents.shape[1], latents.shape[2], conv.out_channels)
    weight, bias = ridge(latents[positions], wanted[positions])
    set_zero(conv)
    conv.weight[: len(weight), :, 0, 0, 0] = weight
    conv.bias[: len(bias)] = bias
    for level in compressor.dec:
        for layer in cast(nn.ModuleDict, level).values():
            if isinstance(layer, (TransposedUpsample, TimeUpsample)):
                x = input_of(layer, lambda: compressor.conditions(latents.clone(), FeatureCache()))
                if isinstance(layer, TransposedUpsample):
                    fit_upsample(layer, x, video)
                else:
                    fit_time_upsample(layer, x, video)
    return compressor.conditions(latents.clone(), FeatureCache())
