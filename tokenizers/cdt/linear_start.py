"""Weights from which a small CDT starts as a linear transform of blocks of the clip.

Residual blocks start as their shortcuts, which keep the leading channels. The encoder's resampling layers keep the
principal components of what they merge. Each upsampling of the condition decoder is the least-squares estimate of the
clip's components at its own resolution. The denoiser estimates the components of 2×2 pixels from the noisy frames and
the second condition map, at every noise level with Wiener's weights: two of its blocks add them up in stages
(:mod:`toklab.tokenizers.cdt.wiener`), with gains that follow the time embedding
(:mod:`toklab.tokenizers.cdt.time_gains`).
"""

from __future__ import annotations

from collections.abc import Callable
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
    scaled_axes,
    set_zero,
    space_time_blocks,
)
from .blocks import WIDE_KERNEL, AttentionBlock, ResnetBlock
from .cache import FeatureCache
from .compressor import Compressor
from .denoiser import Denoiser
from .layers import (
    CausalConv,
    ChannelLayerNorm,
    Downsample,
    TimeDownsample,
    TimeUpsample,
    TransposedUpsample,
    pad_edges,
)
from .model import CDTModel, channels_last
from .schedule import signal_shares
from .time_gains import IDLE_BIAS, set_gain_block, set_time_embedding
from .wiener import fit_stages, gain

ANCHOR_SHARE = 2000.0
"""Energy of two opposite constants before the last norm, over that of a clip: they make the norm nearly linear."""
CLIP_ENERGY = 0.25
"""Of a pixel's channel in [-1, 1], on average."""
LARGEST_PART = 0.25
"""Of the noise that a gain passes at most, over the variance that the gain is of."""
FIT_TIMES = (1.0, 0.01)
"""Places in the noise schedule of the clips that the last layers are fitted to, in turn: pure noise and nearly none."""
PHASES = (((-1, 0, 1), (4, 2, 0)), ((0, 1), (3, 1)))
"""For even and odd places of a transposed convolution of stride 2: what they see, relative to their half, and by which
taps."""


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
            _set_shortcut(module)
        elif isinstance(module, AttentionBlock):
            set_zero(module.fn.fn.to_out)
    video = channels_last(clips)
    hidden, components = _fit_encoder(model.compressor, video)
    latents = _fit_latents(model.compressor, hidden, components)
    conditions = _fit_condition_decoder(model.compressor, latents, video)
    _fit_denoiser(model.denoiser, conditions, video)


def _set_shortcut(block: ResnetBlock, first: int = 0) -> None:
    """Make the shortcut copy the block's inputs from ``first`` on, and then those before it, as far as they fit."""
    if block.res_conv is None:
        return
    weight = block.res_conv.weight
    outputs, inputs = weight.shape[:2]
    sources = (torch.arange(inputs) + first) % inputs
    number = min(outputs, inputs)
    set_zero(block.res_conv)
    weight[torch.arange(number), sources[:number]] = 1


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
    wanted = _components(video, latents.shape[1], latents.shape[2], conv.out_channels)
    weight, bias = ridge(latents[positions], wanted[positions])
    set_zero(conv)
    conv.weight[: len(weight), :, 0, 0, 0] = weight
    conv.bias[: len(bias)] = bias
    for level in compressor.dec:
        for name, layer in cast(nn.ModuleDict, level).items():
            if isinstance(layer, (TransposedUpsample, TimeUpsample)):
                x = _input_of(layer, lambda: compressor.conditions(latents.clone(), FeatureCache()))
                fit = _fit_upsample if name == "1" else _fit_time_upsample
                fit(layer, x, video)  # type: ignore[arg-type]
    return compressor.conditions(latents.clone(), FeatureCache())


def _fit_denoiser(denoiser: Denoiser, conditions: list[Tensor], video: Tensor) -> None:
    """Set the way from noisy frames and the second map through level 1's skip connection to the clean frames."""
    config = denoiser.config
    widths = config.denoiser_widths
    # The first levels keep noisy frames; below them the condition comes first.
    for level in range(2, config.condition_times):
        _set_shortcut(cast(ResnetBlock, cast(nn.ModuleDict, denoiser.downs[level])["0"]), widths[level - 1])
    for level, up in zip(range(len(widths) - 1, 0, -1), denoiser.ups, strict=True):
        _set_shortcut(cast(ResnetBlock, cast(nn.ModuleDict, up)["0"]), widths[level])
    _fit_estimate(denoiser, conditions[1], video)
    shares = signal_shares(config.num_timesteps)
    steps = (torch.tensor(FIT_TIMES).repeat(len(video))[: len(video)] * (config.num_timesteps - 1)).long()
    share = shares[steps].view(-1, 1, 1, 1, 1)
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    noisy, time = share.sqrt() * video + (1 - share).sqrt() * noise, steps[:, None] / config.num_timesteps

    def run() -> None:
        denoiser(noisy, time, conditions, FeatureCache())

    upsample = cast(nn.ModuleDict, denoiser.ups[-1])["3"]
    assert isinstance(upsample, TransposedUpsample)
    _fit_upsample(upsample, _input_of(upsample, run), video)
    anchor = (ANCHOR_SHARE * 3 * CLIP_ENERGY / 2) ** 0.5
    assert upsample.conv.bias is not None
    upsample.conv.bias[-2], upsample.conv.bias[-1] = anchor, -anchor
    norm, conv = cast(ChannelLayerNorm, denoiser.final_conv[0]), cast(CausalConv, denoiser.final_conv[1])
    norm.g[0, :-2] = anchor * (2 / config.unet_dim) ** 0.5
    x, side = _input_of(conv, run), WIDE_KERNEL // 2
    windows = pad_edges(x, 0, side, side).unfold(2, WIDE_KERNEL, 1).unfold(3, WIDE_KERNEL, 1)
    positions = draw_positions(x)
    weight, bias = ridge(windows[positions].flatten(1), video[positions])
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:, :, -1] = weight.view(3, -1, WIDE_KERNEL, WIDE_KERNEL)
    conv.bias.copy_(bias)


def _fit_estimate(denoiser: Denoiser, condition: Tensor, video: Tensor) -> None:
    """Make level 1 of the way down estimate components of 2×2 pixels, and that of the way up begin with them."""
    top, level = (cast(nn.ModuleDict, denoiser.downs[index]) for index in range(2))
    width = denoiser.config.unet_dim
    rows = _component_rows(space_time_blocks(video, 1, 2), min(width, condition.shape[-1]))
    number = len(rows)
    conv = cast(Downsample, top["3"]).conv
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:number, :3, 0, 1:, 1:] = rows.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
    # Level 0's two blocks add their idle bias to what they pass.
    conv.bias[:number] = -2 * IDLE_BIAS * rows.sum(1)
    shortcut, place = cast(ResnetBlock, level["0"]).res_conv, width
    if shortcut is not None:
        place = number
        set_zero(shortcut)
        kept = torch.arange(number)
        shortcut.weight[kept, kept] = shortcut.weight[kept + place, kept + width] = 1
    unit = rows[0].square().sum()
    condition = condition[..., :number]
    powers = condition.square().flatten(0, 3).mean(0) / unit
    lacking = (space_time_blocks(video, 1, 2) @ rows.T - condition).square().flatten(0, 3).mean(0) / unit
    shares = signal_shares(denoiser.config.num_timesteps)
    blocks = [cast(ResnetBlock, level[name]) for name in ("0", "1")]
    stages = fit_stages(powers, lacking, shares, len(blocks))
    gains = torch.stack([gain(stage.variance, shares.double()) for stage in stages])
    set_time_embedding(denoiser, 1 / gains)
    noisy_offset, offset = 0.0, torch.zeros(number)
    for index, (block, stage, start) in enumerate(zip(blocks, stages, (width, place), strict=True)):
        mixture = torch.zeros(number, start + number)
        mixture[:, :number], mixture[:, start:] = stage.noisy.diag(), stage.condition.diag()
        noisy, estimate = stage.noisy.float(), stage.condition.float()
        inner, outer = (noisy.abs() * (unit * (lacking + part * stage.variance)).sqrt() for part in (1.0, LARGEST_PART))
        zero = noisy * noisy_offset + estimate * offset
        offset = offset + set_gain_block(block, mixture, zero, place, index, inner=inner, outer=outer)
        noisy_offset += IDLE_BIAS
    # The layers that follow are fitted with zeros around frames, so that constants would stand out there.
    last = cast(ResnetBlock, cast(nn.ModuleDict, denoiser.ups[-1])["0"])
    _set_shortcut(last, 2 * width + place)
    assert last.res_conv is not None
    assert last.res_conv.bias is not None
    last.res_conv.bias[:number] = -offset


def _input_of(layer: nn.Module, run: Callable[[], object]) -> Tensor:
    """What a layer is first given in a run."""
    given: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].clone()))
    try:
        run()
    finally:
        handle.remove()
    return given[0]


def _components(video: Tensor, num_frames: int, height: int, number: int) -> Tensor:
    """Principal components, at most ``number``, of the clip's blocks at a resolution; the first frame repeats."""
    duration = (video.shape[1] - 1) // max(1, num_frames - 1)
    padded = torch.cat([video[:, :1].expand(-1, duration - 1, -1, -1, -1), video], 1)
    blocks = space_time_blocks(padded, duration, video.shape[2] // height)
    return blocks @ _component_rows(blocks, number).T


def _component_rows(blocks: Tensor, number: int) -> Tensor:
    """From blocks as channels to their leading components, at most ``number``, as rows."""
    return scaled_axes(*principal_axes(blocks[draw_positions(blocks)]), number)[0]


def _fit_upsample(layer: TransposedUpsample, x: Tensor, video: Tensor) -> None:
    """Make the layer estimate components at twice the resolution of ``x``; channels beyond those become zero."""
    conv = layer.conv
    assert conv.bias is not None
    wanted = _components(video, x.shape[1], 2 * x.shape[2], conv.out_channels)
    number = wanted.shape[-1]
    positions = draw_positions(x)
    windows = F.pad(x, (0, 0, 1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)[positions]
    set_zero(conv)
    for row, (row_offsets, row_taps) in enumerate(PHASES):
        for column, (column_offsets, column_taps) in enumerate(PHASES):
            rows, columns = torch.tensor(row_offsets) + 1, torch.tensor(column_offsets) + 1
            seen = windows[:, :, rows[:, None], columns]
            weight, bias = ridge(seen.flatten(1), wanted[:, :, row::2, column::2][positions])
            taps = torch.tensor(row_taps)[:, None], torch.tensor(column_taps)
            conv.weight[:, :number, 0][:, :, *taps] = weight.view(number, *seen.shape[1:]).transpose(0, 1)
            conv.bias[:number] += bias / len(PHASES) ** 2


def _fit_time_upsample(layer: TimeUpsample, x: Tensor, video: Tensor) -> None:
    """Make the layer estimate components at twice the frame rate of ``x``, the first frame apart."""
    conv = layer.conv
    assert conv.bias is not None
    wanted = _components(video, 2 * x.shape[1] - 1, x.shape[2], conv.in_channels)
    number = wanted.shape[-1]
    set_zero(conv)
    for half, (seen, targets) in enumerate(((x[:, 1:], wanted[:, 1::2]), (x, wanted[:, ::2]))):
        positions = draw_positions(seen)
        weight, bias = ridge(seen[positions], targets[positions])
        conv.weight[half : 2 * number : 2, :, 0] = weight
        conv.bias[half : 2 * number : 2] = bias
