"""Weights from which a small VidTok starts as a linear transform of blocks of the clip.

From the official random weights, a small model needs many steps before it shows a picture. Here every residual
block starts as the identity; the encoder's resampling layers keep the principal components of what they merge, and each
layer of the decoder is the least-squares estimate of the clip's principal components at its own resolution. Training
from there diverges at the usual learning rates, see docs/training.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import TokenizerError
from ..networks.quantizers.fsq import FSQuantizer
from ..networks.quantizers.interface import Quantizer
from ..networks.quantizers.kl import KLQuantizer
from ..networks.quantizers.lfq import LFQuantizer
from ..networks.quantizers.vq import VectorQuantizer
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
from ..training.scalar_codebook import allocate_thresholds
from .blocks import SpatialAttention, SpatialResnetBlock, TimeResnetBlock
from .context import TimeContext
from .decoder import Decoder, DecoderLevel
from .encoder import Encoder, EncoderLevel, pad_start
from .layers import CausalConv, LayerNorm, activate
from .model import VidTokModel
from .resampling import SpatialDownsample, SpatialUpsample, TimeDownsample, TimeUpsample

BOTTLENECK = ("encoder.conv_out.", "decoder.conv_in.", "regularization.")
"""Names of the weights whose shapes follow from the latents."""
MIX_FACTOR = -2.0
"""Of temporal resampling: sigmoid(−2) = 0.12 for the branch without weights, so that the convolution decides."""
ANCHOR_SHARE = 30.0
"""Energy of the two opposite constants before an output's norm, over that of all other channels: they make its variance
nearly constant, and so the norm nearly linear."""
NORM_BIAS = 2.0
"""Of an output's norm: SiLU is nearly linear around it."""
FSQ_SPREAD = 0.8
"""Standard deviation of latents before tanh, which then fill the levels about evenly."""
LFQ_SPREAD = 4.0
"""Standard deviation of a component before its signs; a wide one makes small steps move thresholds little."""
CODEBOOK_ROUNDS = 8
"""Of k-means."""


@torch.no_grad()
def linear_start(model: VidTokModel, clips: Tensor) -> None:
    """Set all weights of a causal model of version 1.0 with layer norms.

    Args:
        model: in training mode.
        clips: (B, 3, T, H, W) in [-1, 1], of legal length and size, that the layers are fitted to.

    Raises:
        TokenizerError: for another kind of VidTok.
    """
    config = model.config
    if (config.variant, config.architecture, config.norm_type) != ("causal", "vidtok", "layernorm"):
        raise TokenizerError("a linear start needs a VidTok of variant causal, with layer norms and the released parts")
    for module in model.modules():
        if isinstance(module, (SpatialResnetBlock, TimeResnetBlock)):
            set_zero(module.conv2)
        elif isinstance(module, SpatialAttention):
            set_zero(module.proj_out)
        if isinstance(module, SpatialResnetBlock) and module.nin_shortcut is not None:
            set_zero(module.nin_shortcut)
            nn.init.eye_(module.nin_shortcut.weight[:, :, 0, 0])
        if isinstance(module, (TimeDownsample, TimeUpsample)):
            module.mix_factor.fill_(MIX_FACTOR)
    factor = config.time_downsample_factor
    video = pad_start(clips, -clips.shape[2] % factor, "replicate").permute(0, 2, 3, 4, 1).contiguous()
    _fit_latents(model, *_fit_encoder(model.encoder, video))
    latents = model.regularization(model.encode(clips)).latents
    _fit_decoder(model.decoder, latents.permute(0, 2, 3, 4, 1).contiguous(), video)


@torch.no_grad()
def replace_bottleneck(base: VidTokModel, model: VidTokModel, clips: Tensor) -> None:
    """Give a model the weights of another one, fitted to latents of another kind or number.

    Its latents become the principal components of what the decoder of ``base`` makes of latents first, and its
    decoder's first convolution the best linear estimate of that.

    Args:
        base: with layer norms, trained, of the same widths.
        model: in training mode.
        clips: (B, 3, T, H, W) in [-1, 1], of legal length and size, that the layers are fitted to.

    Raises:
        TokenizerError: if another layer differs than those around the latents.
    """
    own = model.state_dict()
    theirs = {key: value for key, value in base.state_dict().items() if not key.startswith(BOTTLENECK)}
    if misfits := [key for key, value in theirs.items() if key not in own or own[key].shape != value.shape]:
        raise TokenizerError(f"the networks differ beyond their bottlenecks, first in {misfits[0]}")
    model.load_state_dict(own | theirs)
    video = pad_start(clips, -clips.shape[2] % base.config.time_downsample_factor, base.config.init_pad_mode)
    features = activate(base.encoder.norm_out(base.encoder.trunk(video, TimeContext())))
    latents = base.regularization(base.encode(clips)).latents.permute(0, 2, 3, 4, 1).contiguous()
    wanted = base.decoder.conv_in(latents, TimeContext())
    _fit_latents(model, features, wanted)
    latents = model.regularization(model.encode(clips)).latents.permute(0, 2, 3, 4, 1).contiguous()
    _fit(_conv_of(model.decoder.conv_in), latents, 2, wanted)


def _fit_encoder(encoder: Encoder, video: Tensor) -> tuple[Tensor, Tensor]:
    """Set the layers up to the last convolution; returns what that reads, and the clip's components in true scale."""
    context = TimeContext()
    conv_in = _conv_of(encoder.conv_in)
    set_zero(conv_in)
    nn.init.eye_(conv_in.weight[:, :, -1, 1, 1])
    x = encoder.conv_in(video, context)
    scale = torch.ones(x.shape[-1])
    for spatial, temporal in zip(encoder.down, encoder.down_temporal, strict=True):
        assert isinstance(spatial, EncoderLevel)
        assert isinstance(temporal, EncoderLevel)
        for spatial_block, temporal_block in zip(spatial.block, temporal.block, strict=True):
            x = temporal_block(spatial_block(x, context), context)
        scale = F.pad(scale, (0, x.shape[-1] - len(scale)), value=1.0)
        if isinstance(spatial.downsample, SpatialDownsample):
            rows, scale = component_rows(space_time_blocks(x, 1, 2), scale)
            set_zero(spatial.downsample.conv)
            spatial.downsample.conv.weight[:, :, :2, :2] = rows.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
            x = spatial.downsample(x)
        if isinstance(temporal.downsample, TimeDownsample):
            rows, scale = component_rows(space_time_blocks(x, 2, 1), scale)
            _set_time_downsample(temporal.downsample, rows.unflatten(1, (2, -1)).permute(0, 2, 1))
            x = temporal.downsample(x, context)
    x = encoder.mid(x, context)
    return _activated(encoder, encoder.mid.get_submodule("block_2"), x), x / scale


def _set_time_downsample(layer: TimeDownsample, taps: Tensor) -> None:
    """Make the layer map the two frames of a pair by ``taps`` (O, I, 2)."""
    conv = _conv_of(layer.conv)
    blend = torch.sigmoid(layer.mix_factor)
    set_zero(conv)
    conv.weight[:, :, 1:, 1, 1] = taps
    conv.weight[:, :, :, 1, 1] -= blend / 3 * torch.eye(len(taps))[:, :, None]
    conv.weight /= 1 - blend


def _activated(network: Encoder | Decoder, last_block: nn.Module, x: Tensor) -> Tensor:
    """What the network's last convolution reads, once norm and constants before it make it nearly linear in ``x``."""
    assert isinstance(last_block, TimeResnetBlock)
    assert isinstance(network.norm_out, LayerNorm)
    bias = last_block.conv2.bias if not isinstance(last_block.conv2, CausalConv) else last_block.conv2.conv.bias
    assert bias is not None
    anchor = (ANCHOR_SHARE * x.square().sum(-1).mean() / 2).sqrt()
    bias[-2], bias[-1] = anchor, -anchor
    network.norm_out.norm.bias.fill_(NORM_BIAS)
    return activate(network.norm_out(x + bias))


def _fit_latents(model: VidTokModel, features: Tensor, components: Tensor) -> None:
    """Set the encoder's last convolution and, of vector quantization, the codebook."""
    positions = draw_positions(features)
    centred = components[positions] - components[positions].mean(0)
    rows, offsets = _latent_map(model.regularization, centred, model.config.z_channels)
    latents = centred @ rows.T + offsets
    weight, bias = ridge(features[positions], latents)
    conv = _conv_of(model.encoder.conv_out)
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[: len(rows), :, -1, 1, 1] = weight
    conv.bias[: len(rows)] = bias
    if isinstance(model.regularization, KLQuantizer):
        conv.bias[len(rows) :] = LOG_VARIANCE
    if isinstance(model.regularization, VectorQuantizer):
        _fit_codebook(model.regularization, latents)


def _latent_map(regularizer: Quantizer, centred: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Rows (Z, C) and offsets (Z,) from centred features (N, C) to latents."""
    axes, variances = principal_axes(centred)
    deviations = variances[:number, None].sqrt()
    if isinstance(regularizer, LFQuantizer):
        components, thresholds = allocate_thresholds(centred @ axes[:number].T, number)
        scales = LFQ_SPREAD / variances[components].sqrt()
        return scales[:, None] * axes[components], -scales * thresholds
    if isinstance(regularizer, FSQuantizer):
        return FSQ_SPREAD * axes[:number] / deviations, torch.zeros(number)
    if isinstance(regularizer, VectorQuantizer):
        # Equal distances in all directions of the features, so that codes go where the energy is.
        return axes[:number] / variances[0].sqrt(), torch.zeros(number)
    return latent_rows(axes, variances, number), torch.zeros(number)


def _fit_codebook(regularizer: VectorQuantizer, latents: Tensor) -> None:
    """k-means, from latents drawn at random."""
    generator = torch.Generator().manual_seed(0)
    num_codes = len(regularizer.codebook)
    codes = latents[torch.randint(len(latents), (num_codes,), generator=generator)]
    for _ in range(CODEBOOK_ROUNDS):
        nearest = torch.cdist(latents, codes).argmin(1)
        counts = torch.bincount(nearest, minlength=num_codes)
        sums = torch.zeros_like(codes).index_add_(0, nearest, latents)
        used = counts > 0
        codes[used] = sums[used] / counts[used, None]
    regularizer.codebook.copy_(codes)
    if regularizer.codebook_update == "ema":
        regularizer.code_sums.copy_(codes)


def _fit_decoder(decoder: Decoder, latents: Tensor, video: Tensor) -> None:
    """Set the layers from the input on, each to the best linear estimate of the clip at its resolution."""
    context = TimeContext()
    _fit(_conv_of(decoder.conv_in), latents, 2, _components(video, latents))
    x = decoder.mid(decoder.conv_in(latents, context), context)
    for spatial, temporal in zip(reversed(decoder.up), reversed(decoder.up_temporal), strict=True):
        assert isinstance(spatial, DecoderLevel)
        assert isinstance(temporal, DecoderLevel)
        for spatial_block, temporal_block in zip(spatial.block, temporal.block, strict=True):
            x = temporal_block(spatial_block(x, context), context)
        if isinstance(spatial.upsample, SpatialUpsample):
            repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            _fit(spatial.upsample.conv, repeated, 0, _components(video, repeated))
            x = spatial.upsample(x)
        if isinstance(temporal.upsample, TimeUpsample):
            repeated = x.repeat_interleave(2, 1)
            _fit_time_upsample(temporal.upsample, repeated, _components(video, repeated))
            x = temporal.upsample(x, context)
    last_level = decoder.up_temporal[0]
    assert isinstance(last_level, DecoderLevel)
    activated = _activated(decoder, last_level.block[-1], x)
    _fit(_conv_of(decoder.conv_out), activated, 2, video)


def _components(video: Tensor, like: Tensor) -> Tensor:
    """Principal components, at most as many as channels, of the clip's blocks at the resolution of ``like``."""
    blocks = space_time_blocks(video, video.shape[1] // like.shape[1], video.shape[2] // like.shape[2])
    return blocks @ leading_component_rows(blocks, like.shape[-1]).T


def _fit(conv: nn.Conv2d | nn.Conv3d, x: Tensor, num_past: int, targets: Tensor) -> None:
    """Make the first channels of a convolution of ``x`` estimate ``targets``; the others stay as they are."""
    positions = draw_positions(x)
    kernel = conv.kernel_size if isinstance(conv, nn.Conv3d) else (1, *conv.kernel_size)
    assert conv.bias is not None
    number = min(targets.shape[-1], conv.out_channels)
    weight, bias = ridge(neighbourhoods(x, kernel, num_past, positions), targets[positions][:, :number])
    conv.weight[:number] = weight.view(number, *conv.weight.shape[1:])
    conv.bias[:number] = bias


def _fit_time_upsample(layer: TimeUpsample, repeated: Tensor, targets: Tensor) -> None:
    """As :func:`_fit`, for the convolution's part of the blend, on each pixel's own frames."""
    positions = draw_positions(repeated)
    conv = _conv_of(layer.conv)
    assert conv.bias is not None
    number = targets.shape[-1]
    blend = torch.sigmoid(layer.mix_factor)
    wanted = (targets[positions] - blend * repeated[positions][:, :number]) / (1 - blend)
    weight, bias = ridge(neighbourhoods(repeated, (3, 1, 1), 2, positions), wanted)
    conv.weight[:number] = 0
    conv.weight[:number, :, :, 1, 1] = weight.view(number, -1, 3)
    conv.bias[:number] = bias


def _conv_of(layer: nn.Module) -> nn.Conv3d:
    conv = layer.conv if isinstance(layer, CausalConv) else layer
    assert isinstance(conv, nn.Conv3d)
    return conv
