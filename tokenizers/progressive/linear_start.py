"""Weights from which a small base, or a directly extended network, starts as a linear transform.

The encoder keeps the leading principal components of the blocks of key frames, every fourth, eighth or sixteenth one;
residual blocks start as the identity; and each upsampling of the decoder is the least-squares estimate of the clip's
components at its own resolution, between key frames too. From random weights a small model needs many steps
before it beats resizing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import TokenizerError
from ..networks.magvit2.blocks import ResidualBlock, Upsample
from ..networks.magvit2.conv import CausalConv
from ..training.least_squares import (
    LOG_VARIANCE,
    component_rows,
    draw_positions,
    latent_rows,
    leading_component_rows,
    neighbourhoods,
    principal_axes,
    ridge,
    set_zero,
    space_time_blocks,
)
from .config import BASE_RATIO, CHANNELS_PER_GROUP
from .growth import Extension
from .model import DirectModel, LevelledModel, ProgressiveModel

ANCHOR = 6.0
"""Constant in one channel of each group before a norm, three times the deviation of the first component: it makes a
frame's mean square, and so the norm, nearly independent of the frame."""
NORM_BIAS = 2.0
"""Of the norms before the latent and the last convolution: SiLU is nearly linear around it."""


@torch.no_grad()
def linear_start(model: LevelledModel, clips: Tensor) -> None:
    """Set all weights of a base or of a directly extended network with groups of four channels.

    Args:
        model: in training mode.
        clips: (B, 3, T, H, W) in [-1, 1], of legal length and size, that the layers are fitted to.

    Raises:
        TokenizerError: if the model has grown levels, which start from the ones below, or larger groups.
    """
    config = model.config
    grown = isinstance(model, ProgressiveModel) and len(model.grow) > 0
    if grown or config.width // config.num_groups(config.width) != CHANNELS_PER_GROUP:
        raise TokenizerError(
            f"a linear start needs a model without grown levels, in groups of {CHANNELS_PER_GROUP} channels"
        )
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            set_zero(module.conv2)
    extensions = model.extensions if isinstance(model, DirectModel) else ()
    video = clips.permute(0, 2, 3, 4, 1).contiguous()
    components = _fit_encoder(model, clips)
    for extension in extensions:
        downsample = extension.encoder.downsample
        set_zero(downsample)
        nn.init.eye_(downsample.conv_1.weight[:, :, -1, 1, 1])
    _fit_bottleneck(model, extensions, clips, components[:, :: config.ratio // BASE_RATIO])
    latents = model.regularization(model.moments(clips)).latents
    _fit_decoder(model, extensions, latents, video)


def _fit_encoder(model: LevelledModel, clips: Tensor) -> Tensor:
    """Set the base's encoder; returns components of every fourth frame's blocks, in true scale."""
    encoder = model.base.encoder
    set_zero(encoder.conv_in)
    nn.init.eye_(encoder.conv_in.conv_1.weight[:, :, -1, 1, 1])
    x = encoder.conv_in(clips)
    scale = torch.ones(x.shape[1])
    levels = list(encoder.down)
    for index, level in enumerate(levels):
        for block in level.get_submodule("block").children():
            assert isinstance(block, ResidualBlock)
            if block.nin_shortcut is not None:
                is_last = index == len(levels) - 1
                columns = _embed(block.nin_shortcut, anchored=is_last)
                scale = torch.where(columns >= 0, scale[columns.clamp(min=0)], 1.0)
            x = block(x)
        if index == len(levels) - 1:
            break
        downsample = level.get_submodule("downsample")
        assert isinstance(downsample, CausalConv)
        key_frames = x[:, :, :: downsample.conv_1.stride[0]].permute(0, 2, 3, 4, 1)
        rows, scale = component_rows(space_time_blocks(key_frames, 1, 2), scale)
        set_zero(downsample)
        downsample.conv_1.weight[:, :, -1, 1:, 1:] = rows.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
        if index == len(levels) - 2:
            _set_anchor(downsample, slice(-1, None))
        x = downsample(x)
    components = x / scale[:, None, None, None]
    return components.permute(0, 2, 3, 4, 1)[..., feature_channels(x.shape[1])]


def feature_channels(channels: int) -> Tensor:
    """Indices of the channels that aren't constant: all but the first of each group."""
    return torch.tensor([channel for channel in range(channels) if channel % CHANNELS_PER_GROUP])


def _embed(conv: CausalConv, *, anchored: bool) -> Tensor:
    """Make a 1×1×1 convolution copy its inputs in order, the first outputs first.

    ``anchored``: the last input is a constant, and goes to the first channel of each group. Returns the input of each
    output, −1 for none.
    """
    weight = conv.conv_1.weight
    outputs, inputs = weight.shape[:2]
    source = torch.full((outputs,), -1)
    places = feature_channels(outputs) if anchored else torch.arange(outputs)
    number = min(len(places), inputs - anchored)
    source[places[:number]] = torch.arange(number)
    if anchored:
        source[::CHANNELS_PER_GROUP] = inputs - 1
    weight.zero_()
    used = source >= 0
    weight[used, source[used]] = 1
    return source


def _set_anchor(conv: CausalConv, channels: slice) -> None:
    bias = conv.conv_1.bias
    assert bias is not None
    conv.conv_1.weight[channels] = 0
    bias[channels] = ANCHOR


def _fit_bottleneck(model: LevelledModel, extensions: Sequence[Extension], clips: Tensor, components: Tensor) -> None:
    """Set the convolutions around the latent, whose variances fall as the components' deviations do."""
    x = model.base.encoder.features(clips)
    for extension in extensions:
        x = extension.encoder(x)
    bottleneck = model.base.bottleneck
    assert bottleneck.norm.bias is not None
    bottleneck.norm.bias.fill_(NORM_BIAS)
    activated = F.silu(bottleneck.norm(x)).permute(0, 2, 3, 4, 1)
    positions = draw_positions(activated)
    centred = components[positions] - components[positions].mean(0)
    axes, variances = principal_axes(centred)
    number = model.config.z_channels
    weight, bias = ridge(activated[positions], centred @ latent_rows(axes, variances, number).T)
    conv = bottleneck.to_moments
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:number, :, 0, 0, 0] = weight
    conv.bias[:number] = bias
    conv.bias[number:] = LOG_VARIANCE


def _fit_decoder(model: LevelledModel, extensions: Sequence[Extension], latents: Tensor, video: Tensor) -> None:
    """Set the layers from the latent on, each to the best linear estimate of the clip at its resolution."""
    bottleneck, decoder = model.base.bottleneck, model.base.decoder
    grid = latents.permute(0, 2, 3, 4, 1)
    positions = draw_positions(grid)
    stride, side = model.config.ratio, model.config.trunk.spatial_compression
    wanted = _components(video, stride, side, model.config.width)
    weight, bias = ridge(grid[positions], wanted[positions])
    assert bottleneck.from_latents.bias is not None
    bottleneck.from_latents.weight[:, :, 0, 0, 0] = weight
    bottleneck.from_latents.bias.copy_(bias)
    x = bottleneck.features(latents)
    for extension in reversed(extensions):
        for block in extension.decoder.block.children():
            x = block(x)
        x = _fit_upsample(extension.decoder.upsample, x, video, stride, side)
        stride //= 2
    for block in decoder.mid_block.children():
        x = block(x)
    for index in reversed(range(len(decoder.up))):
        level = decoder.up[index]
        for block in level.get_submodule("block").children():
            assert isinstance(block, ResidualBlock)
            if block.nin_shortcut is not None:
                _embed(block.nin_shortcut, anchored=index == 0)
            x = block(x)
        if index > 0:
            upsample = level.get_submodule("upsample")
            assert isinstance(upsample, Upsample)
            x = _fit_upsample(upsample, x, video, stride, side, anchored=index == 1)
            stride, side = stride // upsample.time, side // upsample.space
    assert decoder.norm_out.bias is not None
    decoder.norm_out.bias.fill_(NORM_BIAS)
    fit(decoder.conv_out.conv_1, F.silu(decoder.norm_out(x)), video)


def _fit_upsample(
    layer: Upsample, x: Tensor, video: Tensor, stride: int, side: int, *, anchored: bool = False
) -> Tensor:
    """Fit an upsampling of features of every ``stride``-th frame's blocks of ``side`` pixels, and return its output.

    ``anchored``: its last channel becomes a constant.
    """
    channels = x.shape[1]
    wanted = _components(video, stride // layer.time, side // layer.space, channels)
    wanted = F.pad(wanted, (0, channels - wanted.shape[-1]))
    # The frame that the layer drops stands before the clip's first; what is fitted to it has no effect.
    wanted = torch.cat([wanted[:, :1]] * (layer.time - 1) + [wanted], 1)
    fit(layer.conv1.conv_1, x, space_time_blocks(wanted, layer.time, layer.space))
    if anchored:
        _set_anchor(layer.conv1, slice(channels - 1, None, channels))
    return layer(x)


def _components(video: Tensor, stride: int, side: int, number: int) -> Tensor:
    """Principal components, at most ``number``, of blocks of every ``stride``-th frame."""
    blocks = space_time_blocks(video[:, ::stride], 1, side)
    return blocks @ leading_component_rows(blocks, number).T


def fit(conv: nn.Conv3d, x: Tensor, targets: Tensor) -> None:
    """Make a causal convolution of (B, C, T, H, W) the least-squares estimate of ``targets`` (B, T, H, W, O)."""
    x = x.permute(0, 2, 3, 4, 1)
    positions = draw_positions(x)
    kernel = cast("tuple[int, int, int]", conv.kernel_size)
    weight, bias = ridge(neighbourhoods(x, kernel, kernel[0] - 1, positions), targets[positions])
    assert conv.bias is not None
    conv.weight.copy_(weight.view(conv.weight.shape))
    conv.bias.copy_(bias)
