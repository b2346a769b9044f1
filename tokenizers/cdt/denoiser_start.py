"""The start of a CDT's denoiser: a linear estimate of the clip at every noise level.

The denoiser estimates the components of 2×2 pixels from the noisy frames and the second condition map with Wiener's
weights. Two of its blocks add them up in stages (:mod:`toklab.tokenizers.cdt.wiener`), with gains that follow the time
embedding (:mod:`toklab.tokenizers.cdt.time_gains`).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..training.least_squares import draw_positions, leading_component_rows, ridge, set_zero, space_time_blocks
from .blocks import WIDE_KERNEL, ResnetBlock
from .cache import FeatureCache
from .denoiser import Denoiser
from .fits import fit_upsample, input_of, set_shortcut
from .layers import CausalConv, ChannelLayerNorm, Downsample, TransposedUpsample, pad_edges
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


def fit_denoiser(denoiser: Denoiser, conditions: list[Tensor], video: Tensor) -> None:
    """Set the way from noisy frames and the second map through level 1's skip connection to the clean frames."""
    config = denoiser.config
    widths = config.denoiser_widths
    # The first levels keep noisy frames; below them the condition comes first.
    for level in range(2, config.condition_times):
        set_shortcut(cast(ResnetBlock, cast(nn.ModuleDict, denoiser.downs[level])["0"]), widths[level - 1])
    for level, up in zip(range(len(widths) - 1, 0, -1), denoiser.ups, strict=True):
        set_shortcut(cast(ResnetBlock, cast(nn.ModuleDict, up)["0"]), widths[level])
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
    fit_upsample(upsample, input_of(upsample, run), video)
    anchor = (ANCHOR_SHARE * 3 * CLIP_ENERGY / 2) ** 0.5
    assert upsample.conv.bias is not None
    upsample.conv.bias[-2], upsample.conv.bias[-1] = anchor, -anchor
    norm, conv = cast(ChannelLayerNorm, denoiser.final_conv[0]), cast(CausalConv, denoiser.final_conv[1])
    norm.g[0, :-2] = anchor * (2 / config.unet_dim) ** 0.5
    x, side = input_of(conv, run), WIDE_KERNEL // 2
    windows = pad_edges(x, 0, side, side).unfold(2, WIDE_KERNEL, 1).unfold(3, WIDE_KERNEL, 1)
    positions = draw_positions(x)
    weight, bias = ridge(windows[positions].flatten(1), video[positions])
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:, :, -1] = weight.view(3, -1, WIDE_KERNEL, WIDE_KERNEL)
    conv.bias.copy_(bias)


def _fit_estimate(denoiser: Denoiser, condition: Tensor, video: Tensor) -> None:
    """Make level 1 of the way down estimate components of 2×2 pixels, and that of the way up begin with them."""
    level = cast(nn.ModuleDict, denoiser.downs[1])
    width = denoiser.config.unet_dim
    rows = leading_component_rows(space_time_blocks(video, 1, 2), min(width, condition.shape[-1]))
    number = len(rows)
    place = _set_input(denoiser, rows)
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
    set_shortcut(last, 2 * width + place)
    assert last.res_conv is not None
    assert last.res_conv.bias is not None
    last.res_conv.bias[:number] = -offset


def _set_input(denoiser: Denoiser, rows: Tensor) -> int:
    """Make level 1's shortcut keep components of 2×2 noisy pixels and those of the condition.

    Args:
        denoiser: its first downsampling and that shortcut are set.
        rows: (N, 12), from 2×2 pixels to N components.

    Returns:
        The channel behind the shortcut where the condition's begin; the noisy frames' begin at 0.
    """
    top, level = (cast(nn.ModuleDict, denoiser.downs[index]) for index in range(2))
    number, width = len(rows), denoiser.config.unet_dim
    conv = cast(Downsample, top["3"]).conv
    assert conv.bias is not None
    set_zero(conv)
    conv.weight[:number, :3, 0, 1:, 1:] = rows.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
    # Level 0's two blocks add their idle bias to what they pass.
    conv.bias[:number] = -2 * IDLE_BIAS * rows.sum(1)
    shortcut = cast(ResnetBlock, level["0"]).res_conv
    if shortcut is None:
        return width
    set_zero(shortcut)
    kept = torch.arange(number)
    shortcut.weight[kept, kept] = shortcut.weight[kept + number, kept + width] = 1
    return number
